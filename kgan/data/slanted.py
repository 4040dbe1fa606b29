"""Two domains whose translation is known: handwritten digits, upright and slanted."""

import dataclasses

import numpy as np

from kgan.data.dataset import Dataset
from kgan.data.digits import load_digits
from kgan.data.domains import Domains, Pairs
from kgan.decoding.resize import resize_batch

SLOPE = 0.4
_SIDE = 16


def load_slanted_digits() -> Domains:
    """The training digits at 16x16: every other one is upright, in A; the others slanted, in B.

    No digit is in both, so there is no pair.
    """
    upright = _digits("train")
    rows = np.arange(len(upright))
    return Domains(upright.take(rows[::2]), slanted(upright.take(rows[1::2])))


def load_slanted_pairs() -> Pairs:
    """The test digits at 16x16, each upright and slanted: what a translation should give."""
    upright = _digits("test")
    return Pairs(upright, slanted(upright))


def load_slanted_training_pairs() -> Pairs:
    """The training digits at 16x16, each upright and slanted."""
    upright = _digits("train")
    return Pairs(upright, slanted(upright))


def slanted(dataset: Dataset) -> Dataset:
    """The images leaning to the right, as `slant` makes them."""
    images = slant(dataset.as_float())
    return dataclasses.replace(
        dataset, name=f"slanted {dataset.name}", samples=np.round(images * 255).astype(np.uint8)
    )


def slant(images: np.ndarray, slope: float = SLOPE) -> np.ndarray:
    """Shears images: each row moves to the right by `slope` times its height above the middle.

    Args:
        images: float32 (n, height, width, channels). Black comes in at the edges, and what
            leaves the image is lost.
        slope: Pixels to the right for each pixel up; a negative one undoes it.

    Returns:
        Images of the same shape, interpolated linearly.
    """
    height = images.shape[1]
    result = np.zeros_like(images)
    for row in range(height):
        shift = slope * ((height - 1) / 2 - row)
        whole = int(np.floor(shift))
        share = np.float32(shift - whole)
        moved = [_shifted(images[:, row], whole + extra) for extra in (0, 1)]
        result[:, row] = (1 - share) * moved[0] + share * moved[1]
    return result


def _shifted(rows: np.ndarray, pixels: int) -> np.ndarray:
    """Rows (n, width, channels) moved to the right by whole pixels, zeros behind them."""
    width = rows.shape[1]
    result = np.zeros_like(rows)
    if pixels >= 0:
        result[:, pixels:] = rows[:, : max(width - pixels, 0)]
    else:
        result[:, :pixels] = rows[:, -pixels:]
    return result


def _digits(split: str) -> Dataset:
    digits = load_digits(split)
    images = resize_batch(digits.samples, _SIDE)
    return Dataset("digits", images, digits.labels, digits.class_names)
