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
    # Of each pixel the four between which it is the first: one gather fetches them all.
    for axis in (1, 2):
        last = images.shape[axis] - 1
        following = tf.gather(images, [*range(1, last + 1), last], axis=axis)
        images = tf.concat([images, following], axis=-1)
    (top, down), (left, right) = _split(rows, height), _split(columns, width)
    # With `batch_dims` a gather takes eight times as long.
    start = tf.range(tf.shape(images)[0])[:, None, None] * (height * width)
    four = tf.gather(tf.reshape(images, [-1, 4 * channels]), start + top * width + left)
    down, right = down[..., None], right[..., None]
    here, below, beside, across = tf.split(four, 4, axis=-1)
    upper = here * (1.0 - right) + beside * right
    lower = below * (1.0 - right) + across * right
    return upper * (1.0 - down) + lower * down


def axis_weights(positions: tf.Tensor, side: int) -> tf.Tensor:
    """What `sample` does along one axis, as matrices: (batch, new_side, side).

    Args:
        positions: Along the axis, as those of `sample`, (batch, new_side).
        side: Pixels of the images along it.
    """
    before, part = _split(positions, side)
    weights = [tf.one_hot(before, side), tf.one_hot(tf.minimum(before + 1, side - 1), side)]
    return weights[0] * (1.0 - part)[..., None] + weights[1] * part[..., None]


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
    y, x = (places(side, unit) for side in size)
    y, x = y[None, :, None], x[None, None]

    def position(row: int, side: int) -> tf.Tensor:
        parts = [inverse[:, row, i, None, None] for i in range(3)]
        return (parts[0] * x + parts[1] * y + parts[2]) * unit + (side - 1) / 2

    return sample(images, position(1, images.shape[1]), position(0, images.shape[2]))


def places(side: int, unit: float) -> tf.Tensor:
    """Where pixels lie from the middle, of which `unit` have a length of 1; (side,)."""
    return (tf.range(side, dtype=tf.float32) - (side - 1) / 2) / unit


def _split(positions: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Folded into [0, side - 1]: whole parts, as int32, and the rest."""
    last = side - 1
    if last == 0:
        return tf.zeros_like(positions, tf.int32), tf.zeros_like(positions)
    folded = last - tf.abs(tf.math.floormod(positions, 2.0 * last) - last)
    whole = tf.floor(folded)
    return tf.cast(whole, tf.int32), folded - whole
