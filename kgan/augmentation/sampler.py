"""Bilinear sampling of images by gathering: exact gradients, and gradients of gradients.

`ImageProjectiveTransformV3`, on which `keras.ops.image.affine_transform` and Keras's random affine
layers rest, resamples with the inverse transform where the gradient needs the transpose
(tensorflow/tensorflow#127241): but for shifts, what it tells a generator is wrong.
"""

import tensorflow as tf


def sample(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Images at positions between their pixels, reflected at the middle of their outermost ones.

    Args:
        images: Shape (batch, height, width, channels), of static height, width and channels.
        rows: Positions in pixels from the middle of the first one, (batch, new_height, new_width).
        columns: Likewise across.

    Returns:
        Shape (batch, new_height, new_width, channels).
    """
    height, width, channels = images.shape[1:]
    flat = tf.reshape(images, [-1, height * width, channels])
    top, left = tf.floor(rows), tf.floor(columns)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    above, below = (_reflected(top + step, height) for step in (0, 1))
    before, behind = (_reflected(left + step, width) for step in (0, 1))

    def at(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        return tf.gather(flat, row * width + column, axis=1, batch_dims=1)

    upper = at(above, before) * (1.0 - right) + at(above, behind) * right
    lower = at(below, before) * (1.0 - right) + at(below, behind) * right
    return upper * (1.0 - down) + lower * down


def affine(
    images: tf.Tensor, inverse: tf.Tensor, size: tuple[int, int], *, unit: float = 1.0
) -> tf.Tensor:
    """Images under affine maps about their middle.

    Args:
        images: Shape (batch, height, width, channels).
        inverse: (batch, 2 or 3, 3): from (x, y, 1) of the result to that of the image, each from
            the middle, to the right and down.
        size: (height, width) of the result.
        unit: How many of the images' pixels a length of 1 in `inverse` has.

    Returns:
        Shape (batch, *size, channels).
    """
    y, x = (tf.range(side, dtype=tf.float32) - (side - 1) / 2 for side in size)
    y, x = (axis[None] / unit for axis in (y[:, None], x[None]))

    def position(row: int, side: int) -> tf.Tensor:
        parts = [inverse[:, row, i, None, None] for i in range(3)]
        return (parts[0] * x + parts[1] * y + parts[2]) * unit + (side - 1) / 2

    return sample(images, position(1, images.shape[1]), position(0, images.shape[2]))


def _reflected(index: tf.Tensor, side: int) -> tf.Tensor:
    """Whole numbers folded into [0, side - 1], as int32."""
    last = side - 1
    if last == 0:
        return tf.zeros_like(index, tf.int32)
    return tf.cast(last - tf.abs(tf.math.floormod(index, 2.0 * last) - last), tf.int32)
