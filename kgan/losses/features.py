"""A distance of images by what a trained network makes of them."""

from collections.abc import Sequence

import keras
import tensorflow as tf

_TINY = 1e-10


class FeatureDistance:
    """The mean squared difference of a network's features, whose length is made 1 at each place.

    The features are those of LPIPS without its learnt weights: whatever network gives them, it has
    to be named beside a figure.

    Args:
        network: Functional or Sequential Keras model of images in [0, 1].
        layers: Names of the layers whose outputs are the features; by default all that have
            weights, but for the last, which gives the network's answer.

    Reference: Zhang et al. 2018, section 3 (arXiv:1801.03924).
    """

    def __init__(self, network: keras.Model, layers: Sequence[str] = ()):
        self.network = network
        self.layers = tuple(layers) or _weighted(network)
        known = {layer.name for layer in network.layers}
        if unknown := [name for name in self.layers if name not in known]:
            raise ValueError(
                f"feature_layers must be layers of {network.name}, got {', '.join(unknown)}."
            )
        outputs = [network.get_layer(name).output for name in self.layers]
        self._maps = keras.Model(network.inputs[0], outputs)

    def __call__(self, samples: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """Distances (batch,) of two batches of images."""
        distances = []
        for ours, theirs in zip(self._features(samples), self._features(others), strict=True):
            squares = tf.reduce_sum(tf.square(_unit(ours) - _unit(theirs)), axis=-1)
            places = list(range(1, squares.shape.rank))
            distances.append(tf.reduce_mean(squares, axis=places) if places else squares)
        return tf.add_n(distances) / len(distances)

    def vectors(self, samples: tf.Tensor) -> tf.Tensor:
        """Vectors (batch, size) of images, whose mean squared difference is the distance."""
        parts = []
        for one in self._features(samples):
            unit = _unit(one)
            flat = tf.reshape(unit, [tf.shape(unit)[0], -1])
            places = tf.size(unit[0, ..., 0], tf.float32)
            parts.append(flat / tf.sqrt(places))
        joined = tf.concat(parts, axis=1)
        return joined * tf.sqrt(tf.cast(tf.shape(joined)[1], tf.float32) / len(parts))

    def _features(self, samples: tf.Tensor) -> list[tf.Tensor]:
        found = self._maps(samples, training=False)
        return [tf.cast(one, tf.float32) for one in (found if len(self.layers) > 1 else [found])]


def _unit(features: tf.Tensor) -> tf.Tensor:
    # The root has no slope at 0, where a map has no direction.
    length = tf.sqrt(tf.reduce_sum(tf.square(features), axis=-1, keepdims=True) + _TINY)
    return features / length


def _weighted(network: keras.Model) -> tuple[str, ...]:
    names = tuple(layer.name for layer in network.layers if layer.weights)[:-1]
    if not names:
        raise ValueError(
            f"{network.name} must have at least two layers with weights, so that the features of "
            "one can be compared; name feature_layers."
        )
    return names
