"""What a column of a table holds, worked out from its values or declared."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

import kgan.dates
import kgan.names
from kgan.data.cells import (
    MISSING,
    as_numbers,
    as_whole,
    decimals,
    is_number,
    is_whole,
    no_number,
    texts_of,
)
from kgan.data.date_columns import are_dates, check_unknown_dates, date_column
from kgan.data.dressed import check_dressed, is_padded
from kgan.rows import YES, Boolean, Category, Column, Date, Id, Integer, Number

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
# A column is dirty, rather than of texts, where so many of its rows are numbers or dates.
_MOSTLY = 0.5
_BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("0", "1"))


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
    average, or zeros before them ("00712"), else an `Integer`; other numbers a `Number`; all else
    is a `Category`, whose missing values are "". Of more than `most` categories the rare ones
    become `OTHER`.

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
        return Typed(*date_column(told, name, values, format))
    if not word and is_padded(values):
        # As numbers they would lose their zeros.
        return _category(told, name, values, most, declared=False)
    numbers = as_numbers(values)
    if word:
        return _declared_numbers(told, name, values, numbers, word)
    if numbers is None:
        texts = texts_of(values)
        there = [text for text in texts if text.strip().lower() not in MISSING]
        if _is_boolean(there):
            return _boolean(told, name, values)
        if there and kgan.dates.formats_of(there[:1]) and are_dates(told, name, there):
            return Typed(*date_column(told, name, values, ""))
        check_unknown_dates(told, name, there)
        check_dressed(told, name, there)
        _check_mixed(told, name, there)
        return _category(told, name, values, most, declared=False)
    if numbers.dtype.kind == "f" and not is_whole(values, numbers):
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
            found[:] = texts_of(texts)
            return found
        numbers = as_numbers(values)
        if numbers is None or np.isnan(numbers.astype(float)).any():
            raise ValueError(f"{told} must hold the whole numbers of its categories.")
        return as_whole(told, numbers).astype(np.int64)
    if isinstance(column, Date):
        if values.dtype.kind == "M":
            return values.astype(kgan.dates.DTYPE)
        return date_column(told, column.name, values, column.format)[1]
    numbers = as_numbers(values)
    if numbers is None:
        raise ValueError(f"{told} must hold numbers, got {no_number(values)!r}.")
    if isinstance(column, Integer):
        whole = as_whole(told, numbers)
        return whole.astype(np.float64) if column.missing else whole
    return numbers.astype(np.float32)


def _declared_numbers(told, name, values, numbers, word: str) -> Typed:
    if numbers is None:
        if all(text.strip().lower() in MISSING for text in texts_of(values)):
            raise ValueError(f"{told} is declared {word}, but holds no number at all: drop it.")
        raise ValueError(f"{told} is declared {word}, but {no_number(values)!r} is no number.")
    if word == "number":
        return _number(told, name, numbers)
    return _integer(told, name, as_whole(told, numbers), declared=True)


def _is_few(numbers: np.ndarray) -> bool:
    there = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
    count = len(np.unique(there))
    return count <= _FEW_VALUES and count <= _FEW_SHARE * len(there)


def _check_mixed(told: str, name: str, texts: list[str]) -> None:
    """Raises where most of the texts are numbers, or dates, and some are not."""
    counts = Counter(texts)
    some = [text for text, _ in counts.most_common()]
    numbers = {text for text in some if is_number(text)}
    if len(numbers) > _FEW_VALUES and sum(counts[one] for one in numbers) > _MOSTLY * len(texts):
        odd = next(text for text in some if text not in numbers)
        raise ValueError(
            f"{told} holds numbers and other texts, such as {odd!r} in {counts[odd]:,} of its "
            f"rows: mend or empty these cells, or declare it: --columns {name!r}=category."
        )


# Kinds of columns, each from its values.


def _category(told: str, name: str, values: np.ndarray, most: int, *, declared: bool) -> Typed:
    if values.dtype.kind in "iu":
        found: Any = values.astype(np.int64)
    else:
        found = np.empty(len(values), object)
        found[:] = texts_of(values)
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
    texts = [text.strip() for text in texts_of(values)]
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
    numbers = as_numbers(values) if values.dtype.kind in "Oiu" else None
    if numbers is not None and numbers.dtype.kind in "iu":
        return Typed(Id(name), np.arange(len(values), dtype=np.int64))
    texts = texts_of(values)
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
    if max(high, -low) > Integer.most:
        # int64 would turn the largest ones of uint64 over.
        raise ValueError(
            f"{told} has values from {low} to {high}; whole numbers must be within 2**53. Numbers "
            "so large are names rather: declare the column categorical, or drop it."
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
    digits, step = decimals(source), float(np.spacing(np.float32(max(-low, high))))
    notes: tuple[str, ...] = ()
    if digits is not None and step > 10.0**-digits:
        notes = (
            f"{name}: its largest numbers are kept in steps of {step:g} (float32), not to {digits} "
            "decimals",
        )
    return Typed(Number(name, low, high, digits, missing), values, notes)
