"""Fourier features, with which a small dense network can tell close points apart."""

import math
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgan")
class FourierFeatures(keras.layers.Layer):
    """Appends sine and cosine of each input at octaves of frequency.

    Args:
        octaves: (first, last), both included: the input is multiplied by pi / 2 * 2^octave. A
            structure of size s is resolved from about the octave -log2(s) on.

    Shapes: (batch, features) to (batch, features * (1 + 2 * octaves)).

    Reference: Tancik et al. 2020, section 6 (arXiv:2006.10739), "positional encoding".
    """

    def __init__(self, octaves: tuple[int, int] = (-2, 5), **options):
        super().__init__(**options)
        first, last = octaves
        if first > last:
            raise ValueError(f"octaves must be (first, last) with first <= last, got {octaves}.")
        self.octaves = (first, last)

    def call(self, inputs: Any) -> Any:
        # In float32: a high octave of a bfloat16 coordinate is noise.
        points = tf.cast(inputs, "float32")
        phases = [
            math.pi / 2 * 2.0**octave * points
            for octave in range(self.octaves[0], self.octaves[1] + 1)
        ]
        features = [points, *map(tf.sin, phases), *map(tf.cos, phases)]
        return tf.cast(tf.concat(features, axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        octaves = self.octaves[1] - self.octaves[0] + 1
        return (*input_shape[:-1], input_shape[-1] * (1 + 2 * octaves))

    def get_config(self):
        return {**super().get_config(), "octaves": list(self.octaves)}
