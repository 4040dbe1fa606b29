"""Doubling and halving images with an orthogonal wavelet, which undo each other exactly.

An image that is doubled, resampled and halved keeps its sharpness, and one that is resampled at
its own pixels comes back as it was.

Reference: Karras et al. 2020, appendix C.2 (arXiv:2006.06676); the filter: Daubechies 1992, the
"symlet" of six vanishing moments.
"""

import functools

import numpy as np
import tensorflow as tf

SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
"""The low-pass filter; its coefficients sum to sqrt(2)."""

NEEDED = 5
"""Pixels beyond each border of a doubled image that halving needs."""


def double(images: tf.Tensor) -> tf.Tensor:
    """Images (batch, h, w, c), reflected at their borders without end, at twice their resolution.

    They repeat themselves then, so a period of it is all: (batch, 4 h - 4, 4 w - 4, c), which
    begins with the first pixel.
    """
    return along_both(images, *(tf.constant(doubling(side)) for side in images.shape[1:3]))


def halve(images: tf.Tensor) -> tf.Tensor:
    """Images (batch, 2 h + 10, 2 w + 10, c) as (batch, h, w, c): the opposite of `double`."""
    return along_both(images, *(tf.constant(halving(side)) for side in images.shape[1:3]))


def along_both(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Maps (new_height, height) and (new_width, width), or one for each image, of both axes."""
    batch = "b" if len(rows.shape) == 3 else ""
    images = tf.einsum(f"{batch}ih,bhwc->biwc", rows, images)
    return tf.einsum(f"{batch}jw,biwc->bijc", columns, images)


@functools.cache
def doubling(side: int) -> np.ndarray:
    """(4 side - 4, side): zeros between the pixels, then the filter turned round, times sqrt(2)."""
    last = max(side - 1, 1)
    found = np.zeros((4 * last, side), np.float64)
    for row in range(len(found)):
        for tap, weight in enumerate(reversed(SYM6)):
            source = row + tap - len(SYM6) // 2
            if source % 2 == 0:
                reflected = last - abs(source // 2 % (2 * last) - last)
                found[row, min(reflected, side - 1)] += weight * np.sqrt(2.0)
    return found.astype(np.float32)


@functools.cache
def halving(doubled: int) -> np.ndarray:
    """(side, 2 side + 2 needed): the filter at every second place, over sqrt(2)."""
    side = (doubled - 2 * NEEDED) // 2
    found = np.zeros((side, doubled), np.float64)
    for row in range(side):
        found[row, 2 * row : 2 * row + len(SYM6)] = np.array(SYM6) / np.sqrt(2.0)
    return found.astype(np.float32)
