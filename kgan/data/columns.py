"""What a column of a table holds, worked out from its values or declared."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

import kgan.dates
import kgan.names
from kgan.rows import YES, Boolean, Category, Column, Date, Id, Integer, Number

MISSING = frozenset(("", "na", "n/a", "nan", "nat", "null", "none", "?"))
"""Texts that stand for a missing number or date, in lower case."""

OTHER = "(other)"
"""The category that stands for all rare ones of a column that has too many."""

MOST_CATEGORIES = 250
"""Categories of a column, where nothing else is asked for; rarer ones are `OTHER`."""

DECLARED = {
    "number": "numbers",
    "integer": "whole numbers",
    "category": "one of some values, kept as they are written",
    "boolean": "yes or no, as true/false, yes/no, t/f, y/n or 1/0",
    "date": "dates or times; date:%d/%m/%Y tells how they are written",
    "id": "a name of its own for each row: nothing is learnt, and new rows get new ones",
    "drop": "left out",
}
"""What a column may be declared as, and what that means."""

# Whole numbers of so few different values, each so frequent, count nothing: they name something.
_FEW_VALUES, _FEW_SHARE = 10, 0.05
# In fewer rows all values may differ by chance.
_FEWEST_IDS = 20
_MOST_DECIMALS = 12
# A column is dirty, rather than of texts, where so many of its rows are numbers or dates.
_MOSTLY = 0.5
_BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("0", "1"))
# The greatest whole number up to which float32 has all.
_WHOLE_FLOATS = 2**24


class Typed(NamedTuple):
    """A column, its values as `kgan.rows.Rows` holds them, and what was done to them, told."""

    column: Column
    values: np.ndarray
    notes: tuple[str, ...] = ()


def typed(
    what: str,
    name: str,
    values: np.ndarray,
    declared: str | None = None,
    *,
    most: int = MOST_CATEGORIES,
) -> Typed:
    """What a column holds, and its values.

    Where nothing is declared: dates are a `Date`; true and false a `Boolean`; whole numbers a
    `Category` where they have at most 10 different values, each in a twentieth of the rows on
    average, else an `Integer`; other numbers a `Number`; all else is a `Category`, whose missing
    values are "". Of more than `most` categories the rare ones become `OTHER`.

    Args:
        what: Whose column it is; an error names it.
        name: The column's name.
        values: Numbers, booleans, datetime64 or an object array of str; numbers may be texts,
            missing ones `None`.
        declared: What it is by the user's word, a key of `DECLARED`; dates with their format.
        most: How many categories a column may have.

    Raises:
        ValueError: For a column that is none of these, or would be of no use; the text says why.
    """
    told = f"column {name!r} of {what}"
    word, _, format = (declared or "").partition(":")
    if declared is not None:
        kgan.names.check(f"kind of {told}", word, DECLARED)
    if word == "id":
        return _id(told, name, values)
    if word == "category":
        return _category(told, name, values, most, declared=True)
    if values.dtype.kind == "b" or word == "boolean":
        return _boolean(told, name, values)
    if values.dtype.kind == "M" or word == "date":
        return _date(told, name, values, format)
    numbers = _as_numbers(values)
    if word:
        return _declared_numbers(told, name, values, numbers, word)
    if numbers is None:
        texts = _texts(values)
        there = [text for text in texts if text.strip().lower() not in MISSING]
        if _is_boolean(there):
            return _boolean(told, name, values)
        if there and kgan.dates.formats_of(there[:1]) and _are_dates(told, name, there):
            return _date(told, name, values, "")
        _check_mixed(told, name, there)
        return _category(told, name, values, most, declared=False)
    if numbers.dtype.kind == "f" and not _is_whole(values, numbers):
        return _number(told, name, numbers)
    if _is_few(numbers):
        # With missing ones among them they are texts, of which "" is one.
        kept = numbers if numbers.dtype.kind == "i" else values
        return _category(told, name, kept, most, declared=False)
    return _integer(told, name, numbers, declared=False)


def values_of(column: Column, what: str, values: np.ndarray | None, n: int) -> np.ndarray:
    """Values of a column that is known already, as `kgan.rows.Rows` holds them.

    Args:
        column: The column.
        what: Whose it is; an error names it.
        values: As for `typed`; `None` for ids that are not there.
        n: How many.
    """
    told = f"column {column.name!r} of {what}"
    if isinstance(column, Id):
        if column.prefix is None:
            return np.arange(n, dtype=np.int64)
        return np.array([f"{column.prefix}{one}" for one in range(n)], object)
    assert values is not None
    if isinstance(column, Category):
        texts = values
        if isinstance(column, Boolean) and values.dtype.kind == "b":
            no = next((one for one in column.values if one not in ("", column.yes)), "False")
            texts = np.where(values, column.yes or "True", no).astype(object)
        if column.dtype == object:
            found = np.empty(n, object)
            found[:] = _texts(texts)
            return found
        numbers = _as_numbers(values)
        if numbers is None or np.isnan(numbers.astype(float)).any():
            raise ValueError(f"{told} must hold the whole numbers of its categories.")
        return _whole(told, numbers).astype(np.int64)
    if isinstance(column, Date):
        if values.dtype.kind == "M":
            return values.astype(kgan.dates.DTYPE)
        return _date(told, column.name, values, column.format).values
    numbers = _as_numbers(values)
    if numbers is None:
        raise ValueError(f"{told} must hold numbers, got {_no_number(values)!r}.")
    if isinstance(column, Integer):
        whole = _whole(told, numbers)
        return whole.astype(np.float64) if column.missing else whole
    return numbers.astype(np.float32)


def _declared_numbers(told, name, values, numbers, word: str) -> Typed:
    if numbers is None:
        if all(text.strip().lower() in MISSING for text in _texts(values)):
            raise ValueError(f"{told} is declared {word}, but holds no number at all: drop it.")
        raise ValueError(f"{told} is declared {word}, but {_no_number(values)!r} is no number.")
    if word == "number":
        return _number(told, name, numbers)
    return _integer(told, name, _whole(told, numbers), declared=True)


def _texts(values: np.ndarray) -> list[str]:
    return ["" if _is_missing(one) else str(one) for one in values.tolist()]


def _as_numbers(values: np.ndarray) -> np.ndarray | None:
    """int64 where all are whole; float64 with NaN for missing ones; `None` where they are texts."""
    if values.dtype.kind != "O":
        return values
    texts = [text.strip() for text in _texts(values)]
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


def _is_whole(values: np.ndarray, numbers: np.ndarray) -> bool:
    """Whether numbers with missing ones are whole ones, by how they are written.

    Floats of a file are numbers, however whole; but those that float32 could not tell apart are
    whole numbers, which became floats for their missing ones.
    """
    there = numbers[~np.isnan(numbers)]
    if len(there) == len(numbers) or not np.isfinite(there).all() or (there % 1 != 0).any():
        return False
    if values.dtype.kind == "O":
        return not any("." in text or "e" in text.lower() for text in _numerals(values))
    return float(np.abs(there).max(initial=0.0)) > _WHOLE_FLOATS


def _numerals(values: np.ndarray) -> list[str]:
    return [text for text in _texts(values) if text.strip().lower() not in MISSING]


def _is_number(text: str) -> bool:
    return "_" not in text and _as_numbers(np.array([text], object)) is not None


def _no_number(values: np.ndarray) -> Any:
    """The first of the values that is no number."""
    return next((one for one in _numerals(values) if not _is_number(one)), "")


def _is_few(numbers: np.ndarray) -> bool:
    there = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
    count = len(np.unique(there))
    return count <= _FEW_VALUES and count <= _FEW_SHARE * len(there)


def _check_mixed(told: str, name: str, texts: list[str]) -> None:
    """Raises where most of the texts are numbers, or dates, and some are not."""
    counts = Counter(texts)
    some = [text for text, _ in counts.most_common()]
    numbers = {text for text in some if _is_number(text)}
    if len(numbers) > _FEW_VALUES and sum(counts[one] for one in numbers) > _MOSTLY * len(texts):
        odd = next(text for text in some if text not in numbers)
        raise ValueError(
            f"{told} holds numbers and other texts, such as {odd!r} in {counts[odd]:,} of its "
            f"rows: mend or empty these cells, or declare it: --columns {name!r}=category."
        )


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


# Kinds of columns, each from its values.


def _category(told: str, name: str, values: np.ndarray, most: int, *, declared: bool) -> Typed:
    if values.dtype.kind in "iu":
        found: Any = values.astype(np.int64)
    else:
        found = np.empty(len(values), object)
        found[:] = _texts(values)
    counts = Counter(found.tolist())
    distinct = sorted(counts)
    remedy = f"Leave it out: --drop {name!r}; or let it be made anew: --columns {name!r}=id."
    if len(distinct) == len(found) >= _FEWEST_IDS and not declared:
        raise ValueError(
            f"{told} is another text in each of its {len(found):,} rows, as an id or a name: there "
            f"is nothing to learn from it. {remedy}"
        )
    if len(distinct) <= most:
        return Typed(Category(name, tuple(distinct)), found)
    texts = np.empty(len(found), object)
    texts[:] = [str(one) for one in found.tolist()]
    # Of equally frequent ones the first in their order, so that every machine keeps the same.
    frequent = sorted(Counter(texts.tolist()).items(), key=lambda one: (-one[1], one[0]))
    kept = {text for text, _ in frequent[: most - 1]}
    share = sum(count for _, count in frequent[: most - 1]) / len(texts)
    if share < _MOSTLY and not declared:
        raise ValueError(
            f"{told} has {len(distinct):,} different texts, and the {most - 1} most frequent are "
            f"those of {share:.1%} of the rows: it is free text, or names. {remedy} Or declare it, "
            f"--columns {name!r}=category, which joins all others."
        )
    texts[:] = [one if one in kept else OTHER for one in texts.tolist()]
    note = (
        f"column {name!r}: of {len(distinct):,} categories the {most - 1} most frequent are kept, "
        f"{share:.1%} of the rows; the others are {OTHER!r}"
    )
    return Typed(Category(name, tuple(sorted(kept | {OTHER}))), texts, (note,))


def _boolean(told: str, name: str, values: np.ndarray) -> Typed:
    if values.dtype.kind == "b":
        values = np.where(values, "True", "False").astype(object)
    texts = [text.strip() for text in _texts(values)]
    texts = ["" if text.lower() in MISSING else text for text in texts]
    there = sorted({text for text in texts if text})
    lower = {text.lower() for text in there}
    if not lower or not any(lower <= set(pair) for pair in _BOOLEANS) or len(there) > 2:
        shown = ", ".join(map(repr, there[:5]))
        raise ValueError(
            f"{told} is declared boolean, which is true/false, yes/no, t/f, y/n or 1/0; it holds "
            f"{shown or 'nothing'}."
        )
    found = np.empty(len(texts), object)
    found[:] = texts
    ordered = sorted(there, key=lambda one: one.lower() in YES)
    return Typed(Boolean(name, (*([""] if "" in texts else []), *ordered)), found)


def _is_boolean(texts: list[str]) -> bool:
    """Whether they are true and false; other pairs of words are categories."""
    distinct = {text.strip() for text in texts}
    return 0 < len(distinct) <= 2 and {text.lower() for text in distinct} <= {"true", "false"}


def _id(told: str, name: str, values: np.ndarray) -> Typed:
    numbers = _as_numbers(values) if values.dtype.kind in "Oiu" else None
    if numbers is not None and numbers.dtype.kind in "iu":
        return Typed(Id(name), np.arange(len(values), dtype=np.int64))
    texts = _texts(values)
    prefix = texts[0]
    for text in texts:
        while not text.startswith(prefix):
            prefix = prefix[:-1]
    # What counts is no part of the name before it.
    prefix = prefix.rstrip("0123456789")
    found = np.empty(len(texts), object)
    found[:] = [f"{prefix}{number}" for number in range(len(texts))]
    return Typed(Id(name, prefix), found)


def _integer(told: str, name: str, numbers: np.ndarray, *, declared: bool) -> Typed:
    gone = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(len(numbers), bool)
    there = numbers[~gone]
    low, high = (int(there.min()), int(there.max())) if len(there) else (0, 0)
    n = len(there)
    if not declared and n >= _FEWEST_IDS and high - low == n - 1 == len(np.unique(there)) - 1:
        raise ValueError(
            f"{told} counts the rows, {low} to {high}: there is nothing to learn from it. Leave it "
            f"out: --drop {name!r}; let it be made anew: --columns {name!r}=id; or, where it means "
            f"something, declare it: --columns {name!r}=integer."
        )
    missing = bool(gone.any())
    return Typed(Integer(name, low, high, missing), numbers.astype(float if missing else np.int64))


def _number(told: str, name: str, numbers: np.ndarray) -> Typed:
    source = numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)
    with np.errstate(over="ignore"):
        values = source.astype(np.float32)
    infinite = int(np.count_nonzero(np.isinf(values)))
    if infinite:
        raise ValueError(
            f"{told} has {infinite:,} values that are infinite in float32: remove or clip them."
        )
    finite = np.isfinite(source)
    before, after = len(np.unique(source[finite])), len(np.unique(values[finite]))
    if 2 * after < before:
        raise ValueError(
            f"{told} has {before:,} different numbers, so near each other that float32 keeps "
            f"{after:,} of them: subtract their mean, or declare whole numbers, "
            f"--columns {name!r}=integer."
        )
    seen = values[np.isfinite(values)].astype(float)
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
    missing = bool(np.isnan(values).any())
    if missing and not len(seen):
        # Nothing but missing ones: a category of that one value.
        return _category(told, name, np.full(len(values), None, object), 1, declared=True)
    return Typed(Number(name, low, high, decimals(source), missing), values)


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


def _date(told: str, name: str, values: np.ndarray, format: str) -> Typed:
    if values.dtype.kind == "M":
        dates = values.astype(kgan.dates.DTYPE)
        if format:
            kgan.dates.check_format(format)
    else:
        texts = [text.strip() for text in _texts(values)]
        gone = np.array([text.lower() in MISSING for text in texts])
        there = [text for text, missing in zip(texts, gone, strict=True) if not missing]
        if not there:
            raise ValueError(f"{told} is declared a date, but holds none at all: drop it.")
        format = kgan.dates.check_format(format) if format else _format_of(told, name, there)
        dates = np.full(len(texts), "NaT", kgan.dates.DTYPE)
        try:
            dates[~gone] = kgan.dates.parse(there, format)
        except ValueError:
            odd = next(text for text in there if not _fits(text, format))
            raise ValueError(
                f"{told} is declared a date as {format}, but {odd!r} is none."
            ) from None
    seen = dates[~np.isnat(dates)]
    if not len(seen):
        raise ValueError(f"{told} holds no date at all: drop it.")
    step = kgan.dates.step_of(dates)
    counts = seen.astype(np.int64) // step
    column = Date(
        name,
        int(counts.min()),
        int(counts.max()),
        step,
        format or kgan.dates.usual_format(step),
        bool(len(seen) < len(dates)),
    )
    return Typed(column, dates)


def _fits(text: str, format: str) -> bool:
    try:
        kgan.dates.parse([text], format)
    except ValueError:
        return False
    return True


def _are_dates(told: str, name: str, texts: list[str]) -> bool:
    """Whether all are dates; raises where most are and some are not."""
    if kgan.dates.formats_of(texts):
        return True
    counts = Counter(texts)
    for format in kgan.dates.formats_of([counts.most_common(1)[0][0]]):
        good = {text for text in counts if _fits(text, format)}
        if sum(counts[one] for one in good) > _MOSTLY * len(texts):
            odd = next(text for text in texts if text not in good)
            raise ValueError(
                f"{told} holds dates as {format} and other texts, such as {odd!r}: mend or empty "
                f"these cells, or declare it: --columns {name!r}=category."
            )
    return False


def _format_of(told: str, name: str, texts: list[str]) -> str:
    formats = kgan.dates.formats_of(texts)
    if not formats:
        raise ValueError(
            f"{told} is declared a date, but {next(iter(texts), '')!r} is written in none of the "
            f"known ways: say which, such as --columns {name!r}=date:%d.%m.%Y."
        )
    if len(formats) > 1:
        raise ValueError(
            f"{told} holds dates that may be {' or '.join(formats)}, such as {texts[0]!r}: say "
            f"which, --columns {name!r}=date:{formats[0]}."
        )
    return formats[0]
