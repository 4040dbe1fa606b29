"""Equalised learning rate: weights of deviation 1 that are scaled where they are used.

Adam's steps have about one size for every weight, so that all of them learn at one relative speed.

Reference: Karras et al. 2018, section 4.1 (arXiv:1710.10196); the gain after the activation and the
multiplier of the learning rate as in Karras et al. 2019 (arXiv:1912.04958).
"""

import math
from typing import Any

import keras
import tensorflow as tf

from kgan.networks.resampling import Strides, filtered


@keras.saving.register_keras_serializable(package="kgan")
class EqualizedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` that computes with its kernel times gain / sqrt(inputs of a unit).

    The kernel is drawn from N(0, 1), and a `kernel_initializer` is refused.

    Args:
        filters: Number of output channels.
        kernel_size: Sides of the kernel.
        gain: What the outputs of a unit are multiplied by at the start; sqrt(2) where a ReLU
            follows that has no gain of its own.
    """

    equalized = True

    def __init__(self, filters: int, kernel_size: Any, *, gain: float = 1.0, **options):
        super().__init__(filters, kernel_size, **_with_initializer(options, 1.0))
        self.gain = gain

    def convolution_op(self, inputs, kernel):
        scale = self.gain / math.sqrt(math.prod(self.kernel.shape[:-1]))
        return super().convolution_op(inputs, kernel * tf.cast(scale, kernel.dtype))

    def get_config(self):
        return {**_without_initializer(super().get_config()), "gain": self.gain}


@keras.saving.register_keras_serializable(package="kgan")
class FilteredConv2D(EqualizedConv2D):
    """An equalised 3x3 convolution with strides, after the filter [1, 3, 3, 1] along those axes.

    Args:
        filters: Number of output channels.
        strides: 1 or 2 for the height and the width; odd sides are rounded up.

    Shapes: (batch, height, width, channels) to (batch, height / strides, width / strides, filters).

    Reference: Karras et al. 2019, appendix B (arXiv:1912.04958).
    """

    def __init__(self, filters: int, *, strides: Strides = (2, 2), **options):
        super().__init__(filters, 3, strides=strides, **{**options, "padding": "valid"})

    def convolution_op(self, inputs, kernel):
        sides = [
            (2, 2 + side % 2) if stride == 2 else (1, 1)
            for stride, side in zip(self.strides, inputs.shape[1:3], strict=True)
        ]
        return super().convolution_op(filtered(inputs, self.strides, *sides), kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, _ = input_shape
        return (batch, -(-height // self.strides[0]), -(-width // self.strides[1]), self.filters)

    def get_config(self):
        config = super().get_config()
        return {name: value for name, value in config.items() if name != "kernel_size"}


@keras.saving.register_keras_serializable(package="kgan")
class EqualizedDense(keras.layers.Dense):
    """`keras.layers.Dense` that computes with its kernel times gain / sqrt(inputs).

    Args:
        units: Number of outputs.
        gain: What the outputs are multiplied by at the start.
        rate_multiplier: How fast it learns beside other layers: the kernel is drawn from
            N(0, 1 / multiplier^2), and kernel and bias are multiplied by it where they are used.
    """

    equalized = True

    def __init__(self, units: int, *, gain: float = 1.0, rate_multiplier: float = 1.0, **options):
        if rate_multiplier <= 0:
            raise ValueError(f"rate_multiplier must be above 0, got {rate_multiplier}.")
        super().__init__(units, **_with_initializer(options, 1.0 / rate_multiplier))
        self.gain = gain
        self.rate_multiplier = rate_multiplier

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        scale = self.gain * self.rate_multiplier / math.sqrt(self.kernel.shape[0])
        kernel = tf.cast(self.kernel, inputs.dtype)
        outputs = tf.linalg.matmul(inputs, kernel * tf.cast(scale, inputs.dtype))
        if self.bias is not None:
            bias = tf.cast(self.bias, outputs.dtype)
            outputs = outputs + bias * tf.cast(self.rate_multiplier, outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self):
        return {
            **_without_initializer(super().get_config()),
            "gain": self.gain,
            "rate_multiplier": self.rate_multiplier,
        }


@keras.saving.register_keras_serializable(package="kgan")
class ScaledLeakyReLU(keras.layers.Layer):
    """A leaky ReLU of slope 0.2, times sqrt(2), so that it keeps the mean square of its inputs."""

    def call(self, inputs: Any) -> Any:
        return tf.nn.leaky_relu(inputs, 0.2) * tf.cast(math.sqrt(2.0), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@keras.saving.register_keras_serializable(package="kgan")
class PixelNormalization(keras.layers.Layer):
    """Divides each vector of features by its root mean square.

    Reference: Karras et al. 2018, section 4.2 (arXiv:1710.10196).
    """

    def call(self, inputs: Any) -> Any:
        values = tf.cast(inputs, "float32")
        squares = tf.reduce_mean(tf.square(values), axis=-1, keepdims=True)
        return tf.cast(values * tf.math.rsqrt(squares + 1e-8), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _with_initializer(options: dict, deviation: float) -> dict:
    if "kernel_initializer" in options:
        raise ValueError(
            "kernel_initializer must be left out of an equalised layer: its weights are drawn from "
            "a normal distribution, and its gain scales them where they are used."
        )
    return {**options, "kernel_initializer": keras.initializers.RandomNormal(stddev=deviation)}


def _without_initializer(config: dict) -> dict:
    return {name: value for name, value in config.items() if name != "kernel_initializer"}
