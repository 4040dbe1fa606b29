"""Padding that repeats what is inside."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgan")
class ReflectionPadding2D(keras.layers.Layer):
    """Adds a border in which the image is reflected; its outermost pixels are not repeated.

    Args:
        padding: Pixels on each side, fewer than the image has.

    Shapes: (batch, height, width, channels) to (batch, height + 2 padding, width + 2 padding,
    channels).
    """

    any_size = True

    def __init__(self, padding: int, **options):
        super().__init__(**options)
        if padding < 0:
            raise ValueError(f"padding must be at least 0, got {padding}.")
        self.padding = padding

    def build(self, input_shape):
        if min(input_shape[1:3]) <= self.padding:
            raise ValueError(
                f"padding must be less than the sides of the map, {tuple(input_shape[1:3])}, "
                f"got {self.padding}."
            )

    def call(self, inputs):
        sides = [self.padding, self.padding]
        return tf.pad(inputs, [[0, 0], sides, sides, [0, 0]], mode="REFLECT")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height + 2 * self.padding, width + 2 * self.padding, channels

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
