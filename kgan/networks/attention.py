"""Attention between all places of a map."""

from typing import Any

import keras
import tensorflow as tf

from kgan.networks.spectral import SpectralConv2D


@keras.saving.register_keras_serializable(package="kgan")
class SelfAttention(keras.layers.Layer):
    """Adds to each place what it finds at all others, times a learned strength that starts at 0.

    Places look with an eighth of the channels and find half of them, on a map of half the sides.

    Args:
        spectral: Whether its four kernels are spectrally normalised.

    Shapes: (batch, height, width, channels), unchanged; sides and channels of at least 2 and 8.

    Reference: Zhang et al. 2019, section 3 (arXiv:1805.08318); halved maps and channels: the
    authors' code of Brock et al. 2019 (arXiv:1809.11096).
    """

    def __init__(self, *, spectral: bool = True, **options):
        super().__init__(**options)
        self.spectral = spectral

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        if channels < 8:
            raise ValueError(f"channels must be at least 8 for attention, got {channels}.")

        def pointwise(name: str, filters: int, inputs: int) -> keras.layers.Layer:
            convolution = SpectralConv2D if self.spectral else keras.layers.Conv2D
            made = convolution(filters, 1, use_bias=False, dtype=self.dtype_policy, name=name)
            made.build((None, *input_shape[1:3], inputs))
            return made

        self.query = pointwise("query", channels // 8, channels)
        self.key = pointwise("key", channels // 8, channels)
        self.value = pointwise("value", channels // 2, channels)
        self.output_map = pointwise("output_map", channels, channels // 2)
        self.strength = self.add_weight(name="strength", shape=(), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        batch = tf.shape(inputs)[0]

        def rows(features: tf.Tensor) -> tf.Tensor:
            return tf.reshape(features, [batch, -1, features.shape[-1]])

        query = rows(self.query(inputs))
        key, value = (
            rows(tf.nn.max_pool2d(one(inputs), 2, 2, "VALID")) for one in (self.key, self.value)
        )
        weights = tf.nn.softmax(tf.cast(tf.matmul(query, key, transpose_b=True), "float32"))
        found = tf.matmul(tf.cast(weights, value.dtype), value)
        found = tf.reshape(found, [batch, *inputs.shape[1:3], value.shape[-1]])
        return inputs + tf.cast(self.strength, inputs.dtype) * self.output_map(found)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self):
        return {**super().get_config(), "spectral": self.spectral}
