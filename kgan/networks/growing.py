"""Layers of networks that grow: a larger size fades in, and costs nothing before it does.

How far a network has grown is its level: 0 at the smallest map, and one more for each doubling; in
between the larger size fades in. Every layer here keeps the level in a variable that is saved, and
that a model which trains sets by its step (`kgan.models.GAN`, `phase_steps`). A network on its own
is fully grown.

Reference: Karras et al. 2018, section 2 and appendix A (arXiv:1710.10196).
"""

from typing import Any

import keras
import tensorflow as tf

from kgan.networks.equalized import EqualizedConv2D, PixelNormalization
from kgan.networks.resampling import Strides, repeated

_GROWN = 100.0


class _Growing(keras.layers.Layer):
    """A layer that begins to act above a level.

    Args:
        level: The level above which it acts, at least 0.
    """

    def __init__(self, level: int, **options):
        super().__init__(**options)
        if level < 0:
            raise ValueError(f"level must be at least 0, got {level}.")
        self.level = level

    def build(self, input_shape: Any) -> None:
        self.reached = self.add_weight(
            name="reached",
            shape=(),
            initializer=keras.initializers.Constant(_GROWN),
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="only_first_replica",
        )

    def grow(self, reached: tf.Tensor) -> None:
        """Sets the level that the network has reached, a float32 scalar."""
        self.reached.assign(reached)

    def share(self) -> tf.Tensor:
        """How far it has faded in, from 0 to 1."""
        return tf.clip_by_value(tf.convert_to_tensor(self.reached) - self.level, 0.0, 1.0)

    def get_config(self):
        return {**super().get_config(), "level": self.level}


@keras.saving.register_keras_serializable(package="kgan")
class FadeIn(_Growing):
    """Of two maps the first, then both, then the second, as a network grows past a level.

    Shapes: `[smaller, larger]`, both (batch, height, width, channels), to the same.
    """

    def call(self, inputs: Any) -> Any:
        smaller, larger = inputs
        share = tf.cast(self.share(), larger.dtype)
        return (1.0 - share) * smaller + share * larger

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[1]


@keras.saving.register_keras_serializable(package="kgan")
class GrowingConvolutions(_Growing):
    """3x3 convolutions of equalised learning rate, each with a leaky ReLU; zeros before it grows.

    Below its level nothing is computed: `tf.cond` leaves the branch out, forwards and backwards.

    Args:
        level: The level above which it acts, at least 0.
        filters: Channels after each convolution.
        normalise: Whether each vector of features is brought to a mean square of 1, as in a
            generator.
        enlarge: Doubles the map along the axes whose stride is 2, before the convolutions.
        reduce: Halves it, after them; odd sides are rounded up.
        size: (height, width) to which an enlarged map is cut.
    """

    def __init__(
        self,
        level: int,
        filters: tuple[int, ...],
        *,
        normalise: bool = False,
        enlarge: Strides = (1, 1),
        reduce: Strides = (1, 1),
        size: tuple[int, int] | None = None,
        **options,
    ):
        super().__init__(level, **options)
        self.filters = tuple(filters)
        self.normalise = normalise
        self.enlarge: Strides = (enlarge[0], enlarge[1])
        self.reduce: Strides = (reduce[0], reduce[1])
        self.size = None if size is None else (size[0], size[1])

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        policy, channels = self.dtype_policy, input_shape[-1]
        self.convolutions = []
        for number, filters in enumerate(self.filters):
            layer = EqualizedConv2D(
                filters,
                3,
                padding="same",
                gain=2**0.5,
                dtype=policy,
                name=f"convolution_{number}",
            )
            layer.build((None, None, None, channels))
            self.convolutions.append(layer)
            channels = filters
        self.normalization = PixelNormalization(dtype=policy, name="normalization")

    def call(self, inputs: Any) -> Any:
        if self.level == 0 and self.enlarge == self.reduce == (1, 1):
            return self._convolved(inputs)
        shape = self.compute_output_shape(inputs.shape)

        def nothing() -> tf.Tensor:
            return tf.zeros([tf.shape(inputs)[0], *shape[1:]], inputs.dtype)

        return tf.cond(self.share() > 0.0, lambda: self._convolved(inputs), nothing)

    def _convolved(self, features):
        features = repeated(features, self.enlarge)
        if self.size is not None:
            features = features[:, : self.size[0], : self.size[1]]
        for layer in self.convolutions:
            features = tf.nn.leaky_relu(layer(features), 0.2)
            if self.normalise:
                features = self.normalization(features)
        return features if self.reduce == (1, 1) else smaller(features, self.reduce)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *sides, _ = input_shape
        sides = [side * factor for side, factor in zip(sides, self.enlarge, strict=True)]
        sides = list(self.size or sides)
        sides = [-(-side // factor) for side, factor in zip(sides, self.reduce, strict=True)]
        return (batch, *sides, self.filters[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "normalise": self.normalise,
            "enlarge": self.enlarge,
            "reduce": self.reduce,
            "size": self.size,
        }


def smaller(maps: tf.Tensor, strides: Strides) -> tf.Tensor:
    """The means of neighbours along the axes whose stride is 2; odd sides are rounded up."""
    return tf.nn.avg_pool2d(maps, strides, strides, "SAME")
