"""Doubling and halving maps, by repetition or with a filter.

The filter [1, 3, 3, 1] neither aliases nor blurs much, and is made of averages of two neighbours:
[1, 1] three times over is [1, 3, 3, 1].

Reference: Zhang 2019 (arXiv:1904.11486); in generators: Karras et al. 2019, appendix B
(arXiv:1912.04958).
"""

from typing import Any

import keras
import tensorflow as tf

Strides = tuple[int, int]


def repeated(inputs: tf.Tensor, strides: Strides = (2, 2)) -> tf.Tensor:
    """A map whose pixels are repeated along the axes whose stride is 2.

    Sides that are known stay known to whatever reads the graph. Those of `tf.repeat` are
    arithmetic of shapes, which the converter to LiteRT gives up where one side alone is doubled.

    Args:
        inputs: Shape (batch, height, width, channels).
        strides: 1 or 2 for the height and the width.
    """
    found = inputs
    for axis, stride in enumerate(strides, start=1):
        sizes = list(found.shape[1:])
        if stride > 1 and None in sizes:
            found = tf.repeat(found, stride, axis=axis)
        elif stride > 1:
            sizes[axis - 1] *= stride
            counts = [stride if place == axis + 1 else 1 for place in range(5)]
            found = tf.reshape(tf.tile(tf.expand_dims(found, axis + 1), counts), [-1, *sizes])
    return found


def upsample(inputs: tf.Tensor, strides: Strides = (2, 2)) -> tf.Tensor:
    """A map made larger along the axes whose stride is 2, zero beyond its border.

    Args:
        inputs: Shape (batch, height, width, channels).
        strides: 1 or 2 for the height and the width.
    """
    found = repeated(inputs, strides)
    return _averages(_padded(found, *[(stride - 1, stride - 1) for stride in strides]), strides, 2)


def downsample(inputs: tf.Tensor, strides: Strides = (2, 2)) -> tf.Tensor:
    """A map made smaller along the axes whose stride is 2; odd sides are rounded up.

    Args:
        inputs: Shape (batch, height, width, channels).
        strides: 1 or 2 for the height and the width.
    """
    sides = [
        (stride - 1, (stride - 1) * (1 + side % 2))
        for stride, side in zip(strides, inputs.shape[1:3], strict=True)
    ]
    found = _averages(_padded(inputs, *sides), strides, 2)
    return tf.nn.avg_pool2d(found, strides, strides, "VALID")


def filtered(inputs: tf.Tensor, strides: Strides, rows: Strides, columns: Strides) -> tf.Tensor:
    """A map under the filter [1, 3, 3, 1] / 8 along the axes whose stride is 2.

    Args:
        inputs: Shape (batch, height, width, channels).
        strides: 1 or 2 for the height and the width.
        rows: Zeros added above and below; negative ones cut.
        columns: Zeros added left and right; negative ones cut.
    """
    return _averages(_padded(inputs, rows, columns), strides, 3)


def _averages(inputs: tf.Tensor, strides: Strides, times: int) -> tf.Tensor:
    """Averages of two neighbours, along the axes whose stride is 2."""
    for _ in range(times):
        inputs = tf.nn.avg_pool2d(inputs, strides, 1, "VALID")
    return inputs


def _padded(inputs: tf.Tensor, rows: Strides, columns: Strides) -> tf.Tensor:
    cuts = [slice(max(-first, 0), min(last, 0) or None) for first, last in (rows, columns)]
    inputs = inputs[:, cuts[0], cuts[1]]
    sides = [[max(first, 0), max(last, 0)] for first, last in (rows, columns)]
    return tf.pad(inputs, [[0, 0], *sides, [0, 0]]) if any(map(any, sides)) else inputs


class _Resampling(keras.layers.Layer):
    """A resampling as a layer.

    Args:
        strides: 1 or 2 for the height and the width.
    """

    def __init__(self, strides: Strides = (2, 2), **options):
        super().__init__(**options)
        if len(strides) != 2 or not set(strides) <= {1, 2}:
            raise ValueError(f"strides must be two of 1 and 2, got {strides}.")
        self.strides: Strides = (strides[0], strides[1])

    def get_config(self):
        return {**super().get_config(), "strides": self.strides}


@keras.saving.register_keras_serializable(package="kgan")
class RepeatedUpsampling2D(keras.layers.UpSampling2D):
    """Keras's doubling of the sides of a map by repetition, as a graph that other runtimes can run.

    Shapes: (batch, height, width, channels) to (batch, 2 height, 2 width, channels).
    """

    def call(self, inputs: Any) -> Any:
        if self.interpolation != "nearest" or self.data_format != "channels_last":
            return super().call(inputs)
        return repeated(tf.convert_to_tensor(inputs), self.size)


@keras.saving.register_keras_serializable(package="kgan")
class FilteredUpsampling2D(_Resampling):
    """Doubles the sides of a map with the filter [1, 3, 3, 1].

    Shapes: (batch, height, width, channels) to (batch, 2 height, 2 width, channels).
    """

    def call(self, inputs: Any) -> Any:
        return upsample(inputs, self.strides)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, channels = input_shape
        return (batch, height * self.strides[0], width * self.strides[1], channels)


@keras.saving.register_keras_serializable(package="kgan")
class FilteredDownsampling2D(_Resampling):
    """Halves the sides of a map with the filter [1, 3, 3, 1], rounding odd ones up.

    Shapes: (batch, height, width, channels) to (batch, height / 2, width / 2, channels).
    """

    def call(self, inputs: Any) -> Any:
        return downsample(inputs, self.strides)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, channels = input_shape
        return (batch, -(-height // self.strides[0]), -(-width // self.strides[1]), channels)
