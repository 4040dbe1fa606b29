"""Tiles of one image that are normalised alike: instance and group norms by given statistics."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kgan.models import any_size

Tile = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def shape(network: keras.Model) -> tuple[int, int, int]:
    """(norms, maps, 2): the shape of one image's statistics, none of them in a network without.

    Maps are as many as the norm of the most has, or groups of maps where it joins some.
    """
    groups = [_groups(one) for one in any_size.operations(network) if _normalizes(one)]
    return len(groups), max(groups, default=0), 2


def tile(network: keras.Model, of: any_size.Sizes) -> Tile:
    """A function of tiles and statistics, which the network translates in inference mode.

    A norm that computes the mean and the variance of each image would give each tile of a larger
    image statistics of its own, and so a brightness of its own. With the statistics of all tiles
    the network does to a tile what it does to the whole image, but for the tile's borders.

    Args:
        network: The network.
        of: Its sizes.

    Returns:
        A graph function of images (batch, height, width, channels), the tiles, and statistics
        (batch, *`shape(network)`): the mean and the mean square of each map, in the network's
        order; those beyond a norm's maps do not count. NaN stands for those of the tile. It gives
        translated tiles, and the statistics that the maps of these tiles have.
    """
    channels = network.inputs[0].shape[-1]
    norms_and_maps = shape(network)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, channels], tf.float32),
            tf.TensorSpec([None, *norms_and_maps], tf.float32),
        ]
    )
    def translate(images: tf.Tensor, statistics: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        norms = _Norms(statistics)
        made = any_size.padded(lambda shown: norms.run(network, shown), images, of)
        return made, tf.stack(norms.found, axis=1)

    return translate


class _Norms:
    """Runs a network with its norms by given statistics, and keeps what they found."""

    def __init__(self, statistics: tf.Tensor):
        self.given = statistics
        self.found: list[tf.Tensor] = []

    def run(self, network: keras.Model, images: tf.Tensor) -> tf.Tensor:
        if isinstance(network, keras.Sequential):
            network = network._functional
        made = network._run_through_graph(images, operation_fn=self._instead)
        return made[0] if isinstance(made, list | tuple) else made

    def _instead(self, operation: Any) -> Callable[..., Any]:
        if isinstance(operation, keras.Model):
            return lambda images, **_: self.run(operation, images)
        if _normalizes(operation):
            return lambda maps, **_: self._normalized(operation, maps)
        return operation

    def _normalized(self, layer: keras.layers.GroupNormalization, inputs: tf.Tensor) -> tf.Tensor:
        maps = tf.cast(inputs, tf.float32)
        groups = _groups(layer)
        shape = tf.shape(maps)
        rows = tf.reshape(maps, [shape[0], -1, groups, maps.shape[-1] // groups])
        own = tf.stack([tf.reduce_mean(one, axis=[1, 3]) for one in (rows, tf.square(rows))], -1)
        given = self.given[:, len(self.found), :groups]
        self.found.append(tf.pad(own, [[0, 0], [0, self.given.shape[2] - groups], [0, 0]]))
        mean, square = tf.unstack(tf.where(tf.math.is_nan(given), own, given), axis=-1)
        variance = tf.maximum(square - tf.square(mean), 0.0)
        mean, variance = mean[:, None, :, None], variance[:, None, :, None]
        maps = tf.reshape((rows - mean) * tf.math.rsqrt(variance + layer.epsilon), shape)
        if layer.scale:
            maps *= tf.convert_to_tensor(layer.gamma)
        if layer.center:
            maps += tf.convert_to_tensor(layer.beta)
        return tf.cast(maps, inputs.dtype)


def _normalizes(operation: Any) -> bool:
    # Keras's own, and what says of itself that it computes the same.
    return type(operation) is keras.layers.GroupNormalization or getattr(
        operation, "normalizes_groups", False
    )


def _groups(layer: keras.layers.GroupNormalization) -> int:
    # -1 until it is built.
    return layer.groups if layer.groups > 0 else layer.input.shape[-1]
