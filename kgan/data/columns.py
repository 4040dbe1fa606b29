"""What a column of a table holds, worked out from its values or declared."""

from typing import Any, Literal

import numpy as np

from kgan.rows import Category, Column, Integer, Number

Declared = Literal["number", "integer", "category"] | None

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
"""Texts that stand for a missing number, in lower case."""

_MOST_CATEGORIES = 1000
# Whole numbers of so few different values, each so frequent, count nothing: they name something.
_FEW_VALUES, _FEW_SHARE = 10, 0.05
# In fewer rows all values may differ by chance.
_FEWEST_IDS = 20
_MOST_DECIMALS = 12


def typed(
    what: str, name: str, values: np.ndarray, declared: Declared = None
) -> tuple[Column, np.ndarray]:
    """A column, and its values as `kgan.rows.Rows` holds them.

    Whole numbers are a `Category` where they have at most 10 different values, each in a twentieth
    of the rows on average; else an `Integer`. Other numbers are a `Number`; all else is a
    `Category`, whose missing values are "".

    Args:
        what: Whose column it is; an error names it.
        name: The column's name.
        values: float64, int64 or object array of str; numbers may be texts, missing ones `None`.
        declared: What it is by the user's word.

    Raises:
        ValueError: For a column that is none of these, or would be of no use; the text says why.
    """
    told = f"column {name!r} of {what}"
    if declared == "category":
        return _category(told, name, values, declared=True)
    numbers = _as_numbers(values)
    if numbers is None:
        if declared is not None:
            raise ValueError(
                f"{told} is declared {declared}, but {_no_number(values)!r} is no number."
            )
        return _category(told, name, values, declared=False)
    if declared == "integer" and numbers.dtype.kind == "f":
        numbers = _whole(told, numbers)
    if declared == "number" or numbers.dtype.kind == "f":
        return _number(told, name, numbers)
    if declared is None and _is_few(numbers):
        return _category(told, name, numbers, declared=False)
    return _integer(told, name, numbers, declared=declared is not None)


def _as_numbers(values: np.ndarray) -> np.ndarray | None:
    """int64 where all are whole; float64 with NaN for missing ones; `None` where they are texts."""
    if values.dtype.kind != "O":
        return values
    texts = ["" if one is None else str(one).strip() for one in values.tolist()]
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


def _no_number(values: np.ndarray) -> Any:
    """The first of the values that is no number."""
    texts = (one for one in values.tolist() if str(one).strip().lower() not in MISSING)
    return next((one for one in texts if _as_numbers(np.array([one], object)) is None), "")


def _is_few(numbers: np.ndarray) -> bool:
    count = len(np.unique(numbers))
    return count <= _FEW_VALUES and count <= _FEW_SHARE * len(numbers)


def _category(
    told: str, name: str, values: np.ndarray, *, declared: bool
) -> tuple[Category, np.ndarray]:
    if values.dtype.kind in "iu":
        found: Any = values.astype(np.int64)
    else:
        found = np.empty(len(values), object)
        found[:] = ["" if _is_missing(one) else str(one) for one in values.tolist()]
    distinct = sorted(set(found.tolist()))
    remedy = f"Leave it out: --drop {name!r}."
    if len(distinct) == len(found) >= _FEWEST_IDS and not declared:
        raise ValueError(
            f"{told} is another text in each of its {len(found):,} rows, as an id or a name: there "
            f"is nothing to learn from it. {remedy}"
        )
    if len(distinct) > _MOST_CATEGORIES:
        raise ValueError(
            f"{told} has {len(distinct):,} different texts, and a category may have at most "
            f"{_MOST_CATEGORIES:,}. {remedy} Or join rare ones, or write dates as numbers."
        )
    return Category(name, tuple(distinct)), found


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _integer(
    told: str, name: str, numbers: np.ndarray, *, declared: bool
) -> tuple[Integer, np.ndarray]:
    n = len(numbers)
    low, high = (int(numbers.min()), int(numbers.max())) if n else (0, 0)
    if not declared and n >= _FEWEST_IDS and high - low == n - 1 == len(np.unique(numbers)) - 1:
        raise ValueError(
            f"{told} counts the rows, {low} to {high}: there is nothing to learn from it. Leave it "
            f"out: --drop {name!r}; or, where it means something, declare it: --integer {name!r}."
        )
    return Integer(name, low, high), numbers.astype(np.int64)


def _number(told: str, name: str, numbers: np.ndarray) -> tuple[Number, np.ndarray]:
    source = numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)
    with np.errstate(over="ignore"):
        values = source.astype(np.float32)
    before, after = len(np.unique(source)), len(np.unique(values))
    if 2 * after < before:
        raise ValueError(
            f"{told} has {before:,} different numbers, so near each other that float32 keeps "
            f"{after:,} of them: subtract their mean, or declare whole numbers, --integer {name!r}."
        )
    seen = values[np.isfinite(values)].astype(float)
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
    return Number(name, low, high, decimals(source)), values


def decimals(numbers: np.ndarray) -> int | None:
    """The least count of digits after the point with which all finite numbers can be written.

    Args:
        numbers: float32 or float64 (n,).

    Returns:
        At most 12; `None` where that is not enough.
    """
    finite = numbers[np.isfinite(numbers)]
    wide = finite.astype(np.float64)
    for digits in range(_MOST_DECIMALS + 1):
        factor = 10.0**digits
        if np.abs(wide).max(initial=0.0) * factor > 2**53:
            return None
        # Division rounds correctly: the nearest float to the decimal number.
        if np.array_equal((np.round(wide * factor) / factor).astype(finite.dtype), finite):
            return digits
    return None


def _whole(told: str, numbers: np.ndarray) -> np.ndarray:
    Number("", 0.0, 0.0).check(told, numbers)
    broken = numbers[numbers != np.round(numbers)]
    if len(broken):
        raise ValueError(f"{told} is declared integer, but {broken[0]:g} is no whole number.")
    if np.abs(numbers).max(initial=0.0) > Integer.most:
        raise ValueError(f"{told} is declared integer, but its numbers go beyond 2**53.")
    return numbers.astype(np.int64)
