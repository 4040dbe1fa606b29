"""Images as bytes and as floats: the one place that divides by 255, or multiplies by it."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def to_float(images: Any) -> np.ndarray:
    """uint8 images as float32 in [0, 1]; images of another dtype as they are."""
    if images.dtype != np.uint8:
        return images
    return np.asarray(images).astype(np.float32) / np.float32(255)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Float images in [0, 1] as uint8, rounded; what is not a number becomes black."""
    return np.round(np.clip(np.nan_to_num(images), 0.0, 1.0) * 255).astype(np.uint8)


def check_images(what: str, images: Any) -> None:
    """Raises `ValueError` for images that are neither uint8 nor floats in [0, 1].

    Args:
        what: Whose images these are; the error names it.
        images: Images in memory (n, ...).
    """
    if images.dtype == np.uint8:
        return
    if np.dtype(images.dtype).kind != "f":
        raise ValueError(
            f"{what} takes images that are uint8 or floats in [0, 1], got {images.dtype}: convert "
            "them with images.astype(np.uint8)."
        )
    if not len(images):
        return
    low, high = float(np.min(images)), float(np.max(images))
    if not (low >= 0.0 and high <= 1.0):
        remedy = (
            "they hold NaN"
            if low != low
            else "divide by 255"
            if low >= 0 and high > 2
            else "rescale with (x + 1) / 2"
            if low >= -1 and high <= 1
            else "rescale or clip them"
        )
        raise ValueError(f"{what} takes float images in [0, 1], got {low:g} to {high:g}: {remedy}.")


def rounded_to_8_bits(images: Any, what: str = "rounding to 8 bits") -> np.ndarray:
    """Images, floats in [0, 1] or uint8, as float32 that are whole multiples of 1/255.

    Args:
        images: The images (n, ...).
        what: Who takes them, for an error.

    Raises:
        ValueError: For images of another type or range; none is clipped.
    """
    check_images(what, images)
    if images.dtype != np.uint8:
        images = np.round(images * 255)
    return np.asarray(images).astype(np.float32) / np.float32(255)


def visible(images: np.ndarray, shown: Sequence[int] | None = None) -> np.ndarray:
    """What a picture shows of images.

    Args:
        images: float (n, height, width, channels) in [0, 1], or uint8.
        shown: Numbers of the channels to show: one, three, or four of which the last is opacity,
            which is laid on white. By default the first three, or the first of one or two.

    Returns:
        Float images of one channel or three.
    """
    images = to_float(images)
    channels = images.shape[-1]
    chosen = list(shown or (range(3) if channels >= 3 else (0,)))
    if chosen == list(range(channels)) and channels in (1, 3):
        return images
    colours = images[..., chosen[:3]]
    if len(chosen) < 4:
        return colours
    opacity = images[..., chosen[3:]]
    return colours * opacity + (1 - opacity)
