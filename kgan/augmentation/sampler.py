"""Bilinear sampling of images by gathering: exact gradients, and gradients of gradients.

`ImageProjectiveTransformV3`, on which `keras.ops.image.affine_transform` and Keras's random affine
layers rest, resamples with the inverse transform where the gradient needs the transpose
(tensorflow/tensorflow#127241): but for shifts, what it tells a generator is wrong.
"""

import tensorflow as tf


def sample(
    images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, *, periodic: bool = False
) -> tf.Tensor:
    """Images at positions between their pixels.

    Args:
        images: Shape (batch, height, width, channels), of static height, width and channels; a
            batch of 1 is sampled at the positions of all.
        rows: Positions in pixels from the middle of the first one, (batch, new_height, new_width).
        columns: Likewise across.
        periodic: Whether images begin anew beyond their edges; else they are reflected at the
            middle of their outermost pixels.

    Returns:
        Shape (batch, new_height, new_width, channels).
    """
    height, width, channels = images.shape[1:]
    top, bottom, down = _neighbours(rows, height, periodic)
    left, right, across = _neighbours(columns, width, periodic)
    # With `batch_dims` a gather takes eight times as long.
    start = tf.range(tf.shape(images)[0])[:, None, None] * (height * width)
    flat = tf.reshape(images, [-1, channels])

    def between(row: tf.Tensor) -> tf.Tensor:
        row = start + row * width
        return _between(tf.gather(flat, row + left), tf.gather(flat, row + right), across)

    return _between(between(top), between(bottom), down)


def sample_rows(matrix: tf.Tensor, positions: tf.Tensor, *, periodic: bool = False) -> tf.Tensor:
    """What `sample` does along one axis, of the rows of one matrix for all images.

    Args:
        matrix: Shape (side, columns).
        positions: As those of `sample`, (batch, new_side).
        periodic: As for `sample`.

    Returns:
        Shape (batch, new_side, columns).
    """
    before, following, part = _neighbours(positions, matrix.shape[0], periodic)
    return _between(tf.gather(matrix, before), tf.gather(matrix, following), part)


def affine(
    images: tf.Tensor,
    inverse: tf.Tensor,
    size: tuple[int, int],
    *,
    unit: float = 1.0,
    middle: tuple[float, float] | None = None,
    periodic: bool = False,
) -> tf.Tensor:
    """Images under affine maps about their middle.

    Args:
        images: Shape (batch, height, width, channels).
        inverse: (batch, 2 or 3, 3): from (x, y, 1) of the result to that of the image, each from
            the middle, to the right and down.
        size: (height, width) of the result.
        unit: How many of the images' pixels a length of 1 in `inverse` has.
        middle: (row, column) of the images' middle, where it is not that of all their pixels.
        periodic: As for `sample`.

    Returns:
        Shape (batch, *size, channels).
    """
    if middle is None:
        middle = (images.shape[1] - 1) / 2, (images.shape[2] - 1) / 2
    y, x = (places(side, unit) for side in size)
    y, x = y[None, :, None], x[None, None]

    def position(row: int, start: float) -> tf.Tensor:
        parts = [inverse[:, row, i, None, None] for i in range(3)]
        return (parts[0] * x + parts[1] * y + parts[2]) * unit + start

    return sample(images, position(1, middle[0]), position(0, middle[1]), periodic=periodic)


def places(side: int, unit: float) -> tf.Tensor:
    """Where pixels lie from the middle, of which `unit` have a length of 1; (side,)."""
    return (tf.range(side, dtype=tf.float32) - (side - 1) / 2) / unit


def _between(here: tf.Tensor, there: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
    return here * (1.0 - part[..., None]) + there * part[..., None]


def _neighbours(
    positions: tf.Tensor, side: int, periodic: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The pixels before and after positions, as int32 in [0, side - 1], and the part between."""
    last = side - 1
    if last == 0:
        zeros = tf.zeros_like(positions)
        return tf.cast(zeros, tf.int32), tf.cast(zeros, tf.int32), zeros
    if periodic:
        folded = tf.math.floormod(positions, float(side))
    else:
        folded = last - tf.abs(tf.math.floormod(positions, 2.0 * last) - last)
    # What is a hair below 0 is rounded to the whole side.
    whole = tf.minimum(tf.floor(folded), float(last))
    before = tf.cast(whole, tf.int32)
    after = (before + 1) % side if periodic else tf.minimum(before + 1, last)
    return before, after, folded - whole
