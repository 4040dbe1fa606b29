"""Checks of arguments, with the same error messages for all attacks."""

from typing import Any

import numpy as np
import tensorflow as tf

PIXEL_AXES = ("height", "width", "channels")


def check_images(images: Any) -> np.ndarray:
    """The images as a float32 array; raises an error that says how to convert other images."""
    if isinstance(images, tf.data.Dataset):
        raise ValueError(
            "images must be an array, got a tf.data.Dataset. kgan.robustness.evaluate takes one; "
            "for an attack, go over its batches."
        )
    array = images.numpy() if isinstance(images, tf.Tensor) else np.asarray(images)
    if array.dtype.name == "bfloat16":  # No floating type of numpy's own.
        array = array.astype(np.float32)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"images must be float32 in [0, 1], got {array.dtype}. "
            'Convert them: images.astype("float32") / 255.'
        )
    if array.ndim < 2:
        raise ValueError(f"images must have a batch axis, got the shape {array.shape}.")
    array = array.astype(np.float32, copy=False)
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        raise ValueError(
            f"images must lie in [0, 1], got values from {array.min():g} to {array.max():g}. "
            "Divide images of 0 to 255 by 255. A model that takes another range is declared, "
            "kgan.attacks.Victim(model, bounds=(0, 255)), or gets a layer in front that makes it, "
            "keras.layers.Rescaling(255.0)."
        )
    return array


def check_norm(norm: str, norms: tuple[str, ...]) -> str:
    if norm not in norms:
        raise ValueError(f"norm must be one of {', '.join(map(repr, norms))}, got {norm!r}.")
    return norm


def check_radius(name: str, value: float, norm: str) -> float:
    """Checks a radius or step for images in [0, 1]; catches 8 in place of 8/255."""
    value = float(value)
    if not value >= 0.0 or np.isinf(value):
        raise ValueError(f"{name} must be a number of at least 0, got {value:g}.")
    if norm == "linf" and value > 1.0:
        raise ValueError(
            f"{name} must be in [0, 1] for images scaled to [0, 1], got {value:g}. "
            f"Did you mean {value:g}/255?"
        )
    return value


def check_count(name: str, value: int, least: int = 1) -> int:
    if isinstance(value, bool) or int(value) != value or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    return int(value)


def has_pixels(shape: tuple[int, ...]) -> bool:
    """Whether an image of this shape has rows and columns of pixels."""
    return len(shape) == len(PIXEL_AXES)


def check_pixels(what: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The height, width and channels of an image; raises `ValueError` for other shapes.

    Args:
        what: Name of the attack that needs pixels; the error begins with it.
        shape: Shape of one image.
    """
    if not has_pixels(shape):
        raise ValueError(f"{what} needs images of ({', '.join(PIXEL_AXES)}), got {shape}.")
    height, width, channels = shape
    return height, width, channels
