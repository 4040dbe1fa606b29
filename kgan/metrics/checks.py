"""Checks of arguments, with the same error messages for all metrics."""

from typing import Any

import numpy as np

from kgan.pixels import to_float


def check_rows(values: Any, name: str, *, minimum: int = 2) -> np.ndarray:
    """Returns `values` as float64 of shape (n, d); raises `ValueError` if that is impossible.

    Args:
        values: (n, ...) real numbers, flattened to (n, d).
        name: Name of the argument, for the error.
        minimum: Smallest n that the metric is defined for.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}.")
    if array.ndim < 2:
        raise ValueError(f"{name} must have shape (n, d), got {array.shape}.")
    if len(array) < minimum:
        raise ValueError(f"{name} must hold at least {minimum} samples, got {len(array)}.")
    if not array.size:
        raise ValueError(f"{name} must have at least one feature, got the shape {array.shape}.")
    array = array.reshape(len(array), -1).astype(np.float64, copy=False)
    bad = len(array) - int(np.isfinite(array).all(axis=1).sum())
    if bad:
        raise ValueError(
            f"{name} must be finite, got NaN or infinity in {bad} of {len(array)} rows."
        )
    return array


def check_pair(real: Any, fake: Any, *, minimum: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """`check_rows` of both, which must also agree in d and in units."""
    check_units(real, fake)
    real, fake = (
        check_rows(real, "real", minimum=minimum),
        check_rows(fake, "fake", minimum=minimum),
    )
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"real and fake must have equally many features, got {real.shape[1]} and "
            f"{fake.shape[1]}. Were they made by one extractor?"
        )
    return real, fake


def check_units(first: Any, second: Any, names: str = "real and fake") -> None:
    """Raises `ValueError` where one holds bytes, which are in [0, 255], and the other does not."""
    arrays = (one if hasattr(one, "dtype") else np.asarray(one) for one in (first, second))
    types = [values.dtype for values in arrays]
    if (types[0] == np.uint8) != (types[1] == np.uint8):
        raise ValueError(
            f"{names} must be in the same units, got {types[0]} and {types[1]}: uint8 is in "
            "[0, 255]. Divide it by 255."
        )


def check_answers(answers: Any, truth: np.ndarray, name: str) -> np.ndarray:
    """Images as floats; raises `ValueError` unless they are one for each true one, of its shape.

    Args:
        answers: (n, ...) floats in the units of the truth, or uint8.
        truth: (n, ...).
        name: Name of the argument, for the error.
    """
    array = to_float(np.asarray(answers))
    # numpy would compare one answer, or one channel, with all.
    if array.shape != truth.shape or array.dtype.kind != "f":
        raise ValueError(
            f"{name} must be floats or uint8 of the truth's shape {truth.shape}, got "
            f"{array.dtype} of shape {array.shape}."
        )
    return array


def check_whole(value: int, name: str, *, minimum: int = 1) -> int:
    """Returns `value` as an int, or raises when it is no whole number of at least `minimum`."""
    if isinstance(value, bool) or int(value) != value or value < minimum:
        raise ValueError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")
    return int(value)
