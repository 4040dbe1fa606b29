"""Padding that repeats what is inside."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgan")
class ReflectionPadding2D(keras.layers.Layer):
    """Adds a border in which the image is reflected; its outermost pixels are not repeated.

    In training the border is put on, and its gradient added to what it mirrors, in whole rows and
    columns: TensorFlow's own operation (`MirrorPad`) takes several times as long on a CPU.

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

    def call(self, inputs, training: bool = False):
        sides = inputs.shape[1:3]
        # Borders of both ends that mirror the same pixels are left to TensorFlow.
        apart = None not in sides and min(sides) >= 2 * self.padding + 2
        if training and self.padding and apart:
            return _reflected(inputs, self.padding)
        return _tensorflows(inputs, self.padding)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height + 2 * self.padding, width + 2 * self.padding, channels

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


def _tensorflows(images: tf.Tensor, padding: int) -> tf.Tensor:
    sides = [padding, padding]
    return tf.pad(images, [[0, 0], sides, sides, [0, 0]], mode="REFLECT")


def _reflected(images: tf.Tensor, padding: int) -> tf.Tensor:
    @tf.custom_gradient
    def forwards(images):
        padded = _mirrored_along(_mirrored_along(images, padding, 1), padding, 2)
        return padded, lambda gradient: _folded(gradient, padding)

    return forwards(images)


def _folded(padded: tf.Tensor, padding: int) -> tf.Tensor:
    """The border added onto the pixels that it mirrors: the gradient of `_reflected`, and back."""

    @tf.custom_gradient
    def backwards(padded):
        folded = _folded_along(_folded_along(padded, padding, 2), padding, 1)
        return folded, lambda gradient: _reflected(gradient, padding)

    return backwards(padded)


def _mirrored_along(images: tf.Tensor, padding: int, axis: int) -> tf.Tensor:
    side = images.shape[axis]
    first = _reverse(_cut(images, 1, padding + 1, axis), padding, axis)
    last = _reverse(_cut(images, side - padding - 1, side - 1, axis), padding, axis)
    return tf.concat([first, images, last], axis)


def _folded_along(padded: tf.Tensor, padding: int, axis: int) -> tf.Tensor:
    side = padded.shape[axis] - 2 * padding
    # The first pixel, those that the border mirrors, those in the middle, and so to the last.
    lengths = [padding, 1, padding, side - 2 * padding - 2, padding, 1, padding]
    before, first, near, middle, far, last, after = tf.split(padded, lengths, axis)
    near += _reverse(before, padding, axis)
    far += _reverse(after, padding, axis)
    return tf.concat([first, near, middle, far, last], axis)


def _cut(images: tf.Tensor, first: int, last: int, axis: int) -> tf.Tensor:
    return images[:, first:last] if axis == 1 else images[:, :, first:last]


def _reverse(images: tf.Tensor, padding: int, axis: int) -> tf.Tensor:
    return images if padding == 1 else tf.reverse(images, [axis])
