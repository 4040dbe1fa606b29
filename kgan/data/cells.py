"""The cells of a column as texts and as numbers, before it is known what the column holds."""

from typing import Any

import numpy as np

from kgan.rows import Integer

MISSING = frozenset(("", "na", "n/a", "nan", "nat", "null", "none", "?"))
"""Texts that stand for a missing number or date, in lower case."""

_MOST_DECIMALS = 12
# In units of the last place of float64: what a few operations leave.
_LAST_DIGITS = 4
# The greatest whole number up to which float32 has all.
_WHOLE_FLOATS = 2**24


def is_missing(value: Any) -> bool:
    """Whether a cell of an object array is empty: `None` or NaN."""
    return value is None or (isinstance(value, float) and np.isnan(value))


def texts_of(values: np.ndarray) -> list[str]:
    """Cells as texts, missing ones ""."""
    return ["" if is_missing(one) else str(one) for one in values.tolist()]


def as_numbers(values: np.ndarray) -> np.ndarray | None:
    """int64 where all are whole; float64 with NaN for missing ones; `None` where they are texts."""
    if values.dtype.kind != "O":
        return values
    texts = [text.strip() for text in texts_of(values)]
    # Python reads 1_000 as a number; nobody writes one so.
    if any("_" in text for text in texts):
        return None
    try:
        return np.array([int(one) for one in texts], np.int64)
    except (ValueError, OverflowError):
        pass
    missing = [one.lower() in MISSING for one in texts]
    try:
        found = np.array(
            [np.nan if gone else float(one) for one, gone in zip(texts, missing, strict=True)]
        )
    except ValueError:
        return None
    # Without a single number they are texts, such as "none".
    return None if all(missing) else found


def is_whole(values: np.ndarray, numbers: np.ndarray) -> bool:
    """Whether floats are whole numbers, by how they are written: for missing ones, or their size.

    Floats of a file are numbers, however whole; but those that float32 could not tell apart are
    whole numbers, which became floats for their missing ones.
    """
    there = numbers[~np.isnan(numbers)]
    if not np.isfinite(there).all() or (there % 1 != 0).any():
        return False
    if values.dtype.kind == "O":
        return not any("." in text or "e" in text.lower() for text in numerals(values))
    return len(there) < len(numbers) and float(np.abs(there).max(initial=0.0)) > _WHOLE_FLOATS


def numerals(values: np.ndarray) -> list[str]:
    """The cells that are not missing, as texts."""
    return [text for text in texts_of(values) if text.strip().lower() not in MISSING]


def is_number(text: str) -> bool:
    """Whether a text is written as a number."""
    return "_" not in text and as_numbers(np.array([text], object)) is not None


def no_number(values: np.ndarray) -> Any:
    """The first of the values that is no number."""
    return next((one for one in numerals(values) if not is_number(one)), "")


def as_whole(told: str, numbers: np.ndarray) -> np.ndarray:
    """Numbers as int64, or as float64 where some are missing."""
    if numbers.dtype.kind != "f":
        return numbers
    there = numbers[~np.isnan(numbers)]
    if np.isinf(there).any():
        raise ValueError(f"{told} is declared integer, but has values that are infinite.")
    broken = there[there != np.round(there)]
    if len(broken):
        raise ValueError(f"{told} is declared integer, but {broken[0]:g} is no whole number.")
    if np.abs(there).max(initial=0.0) > Integer.most:
        raise ValueError(f"{told} is declared integer, but its numbers go beyond 2**53.")
    return numbers.astype(np.float64) if len(there) < len(numbers) else numbers.astype(np.int64)


def decimals(numbers: np.ndarray) -> int | None:
    """The least count of digits after the point with which all finite numbers can be written.

    Of float64 what arithmetic leaves in the last digits, as in 0.1 + 0.2, counts for nothing.

    Args:
        numbers: float32 or float64 (n,).

    Returns:
        At most 12; `None` where that is not enough.
    """
    finite = numbers[np.isfinite(numbers)]
    wide = finite.astype(np.float64)
    noise = _LAST_DIGITS * np.spacing(np.abs(wide)) if finite.dtype == np.float64 else 0.0
    for digits in range(_MOST_DECIMALS + 1):
        factor = 10.0**digits
        if np.abs(wide).max(initial=0.0) * factor > 2**53:
            return None
        # Division rounds correctly: the nearest float to the decimal number.
        rounded = (np.round(wide * factor) / factor).astype(finite.dtype)
        if (np.abs(rounded - finite) <= np.minimum(noise, 1e-3 / factor)).all():
            return digits
    return None
