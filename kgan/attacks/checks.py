"""Checks of arguments, with the same error messages for all attacks."""

import math
import numbers
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
    if unknown := int(np.isnan(array).sum()):
        raise ValueError(f"images must be numbers, got NaN for {unknown} of {array.size} values.")
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        raise ValueError(
            f"images must lie in [0, 1], got values from {array.min():.9g} to {array.max():.9g}. "
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
    if np.ndim(value) > 0:
        raise ValueError(f"{name} must be one number here, got an array of {np.shape(value)}.")
    return float(check_radii(name, value, norm))


def check_radii(name: str, value: Any, norm: str) -> float | np.ndarray:
    """Checks a radius or step as `check_radius` does; it may also be an array of them.

    Returns:
        A float, or a float64 array of the shape that was given; `as_rows` says which shapes fit.
    """
    if hasattr(value, "numpy"):  # A tensor or a variable.
        value = value.numpy()
    try:
        if value is None or np.asarray(value).dtype == bool:
            # As a number, True would be the whole range.
            raise ValueError
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a number, or an array of numbers, got {value!r}."
        ) from None
    wrong = array[~((array >= 0.0) & (array < np.inf))]
    if wrong.size:
        raise ValueError(f"{name} must be a number of at least 0, got {wrong[0]:g}.")
    if norm == "linf" and array.size and array.max() > 1.0:
        raise ValueError(
            f"{name} must be in [0, 1] for images scaled to [0, 1], got {array.max():g}. "
            f"Did you mean {array.max():g}/255?"
        )
    return array if array.ndim else float(array)


def as_rows(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array of numbers, or a mask, arranged by example.

    An array with one axis has a value for each of the n images. One with the axes of an image
    (two or more) is broadcast against each image; one with those and a batch axis against all.

    Args:
        name: What the array is called; errors begin with it.
        array: The array.
        shape: Shape of the images, (n, ...).

    Returns:
        Shape (n,) if all values of an image share one, else (n, ...) with the axes of the images,
        each as long as the images' or of length 1.
    """
    n, axes = shape[0], len(shape)
    arranged = array
    if array.ndim == 1:
        arranged = array.reshape(-1, *[1] * (axes - 1))
    elif array.ndim == axes - 1:
        arranged = array[None]
    # A single row serves all images only if it was not given as one row for each.
    rows = (n,) if array.ndim == 1 else (1, n)
    fits = arranged.ndim == axes and arranged.shape[0] in rows
    if not fits or any(
        have not in (1, want) for have, want in zip(arranged.shape[1:], shape[1:], strict=True)
    ):
        raise ValueError(
            f"{name} must be one for each of the {n} images, of the shape ({n},), or broadcast "
            f"against the images' shape {shape}, got the shape {array.shape}."
        )
    if math.prod(arranged.shape[1:]) == 1:
        arranged = arranged.reshape(-1)
    return np.broadcast_to(arranged, (n, *arranged.shape[1:]))


def check_mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A mask as a bool array of the images' full shape (n, ...); True where they may change."""
    array = np.asarray(mask)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise ValueError("mask must be True (or 1) where images may change, and False (or 0) else.")
    rows = as_rows("mask", array.astype(bool), shape)
    if rows.ndim == 1:
        rows = rows.reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(rows, shape)


def check_indices(indices: Any, n: int) -> np.ndarray:
    """The index of each of n images in its data set; 0, 1, ... if None."""
    array = np.arange(n) if indices is None else np.asarray(indices)
    if array.shape != (n,):
        raise ValueError(f"indices must have the shape ({n},), got {array.shape}.")
    if n and (array.dtype.kind not in "iu" or array.min() < 0):
        raise ValueError(f"indices must be whole numbers of at least 0, got {array[:3]}, ...")
    return array


def check_count(name: str, value: int, least: int = 1) -> int:
    is_number = isinstance(value, numbers.Real) or hasattr(value, "__index__")
    if not is_number or isinstance(value, bool) or value % 1 != 0 or value < least:
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
