"""Columns that are declared in full: nothing of what they may hold is told by their values."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

import kgan.dates
import kgan.names
from kgan.data.columns import OTHER, Typed, values_of
from kgan.rows import COLUMNS, Category, Column, Date, Integer, Number

_EXAMPLES = {
    "number": '{"type": "number", "low": 0, "high": 250}',
    "integer": '{"type": "integer", "low": 0, "high": 120}',
    "date": '{"type": "date", "format": "%Y-%m-%d", "low": "2020-01-01", "high": "2029-12-31"}',
    "category": '{"type": "category", "values": ["blue", "red", "(other)"]}',
    "boolean": '{"type": "boolean", "values": ["no", "yes"]}',
    "id": '{"type": "id"}',
}


def column_of(what: str, name: str, declared: Mapping[str, Any]) -> Column:
    """The column that a declaration describes.

    Args:
        what: Whose column it is; an error names it.
        name: The column's name.
        declared: "type", a key of `kgan.rows.COLUMNS`, and what such a column holds: "low" and
            "high" of numbers, whole numbers and dates (as texts of their "format"), "values" of
            categories; and "missing": true where some may be missing ("" among the values of a
            category says so).

    Raises:
        ValueError: For what is unknown, or not there.
    """
    told = f"column {name!r} of {what}"
    values = dict(declared)
    kind = values.pop("type", None)
    if not isinstance(kind, str):
        raise ValueError(f'{told} must be declared with its "type", such as {_EXAMPLES["number"]}.')
    column = kgan.names.look_up(f"type of {told}", kind, COLUMNS)
    try:
        if column is Date:
            return _date(name, values)
        if issubclass(column, Category):
            values["values"] = tuple(values["values"])
        return _checked(column(name=name, **values))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{told} must be declared as in {_EXAMPLES[kind]}, got {dict(declared)}: {error}"
        ) from None


def declared_values(what: str, column: Column, values: np.ndarray | None, n: int) -> Typed:
    """A declared column and its values, which must be as declared; numbers beyond it are clipped.

    Args:
        what: Whose column it is; an error names it.
        column: From `column_of`.
        values: As for `kgan.data.columns.typed`; `None` for ids that are not there.
        n: How many.

    Raises:
        ValueError: For a value that the column cannot hold.
    """
    found = values_of(column, what, values, n)
    if isinstance(column, Category) and OTHER in column.values:
        known = set(column.values)
        found = np.array([one if one in known else OTHER for one in found.tolist()], object)
    elif isinstance(column, (Number, Integer)):
        found = np.clip(found, column.low, column.high).astype(found.dtype)
    elif isinstance(column, Date):
        ends = (np.array([column.low, column.high]) * column.step).astype(found.dtype)
        found = np.where(np.isnat(found), found, np.clip(found, *ends))
    column.check(f"column {column.name!r} of {what}", found)
    return Typed(column, found)


def undeclared(told: str, names: list[str]) -> str:
    """Why a table whose columns are not all declared in full cannot be learnt from privately."""
    return (
        f"columns must be declared in full with epsilon, as what they may hold is not to be looked "
        f"up in the records; {told} lacks {', '.join(map(repr, names))}. Write, for example, "
        f'{{"{names[0]}": {_EXAMPLES["integer"]}}} or {_EXAMPLES["category"]}.'
    )


def _checked(column: Any) -> Column:
    if isinstance(column, (Number, Integer)) and not column.low <= column.high:
        raise ValueError("low must be at most high")
    if isinstance(column, Integer):
        column = dataclasses.replace(column, low=int(column.low), high=int(column.high))
    return column


def _date(name: str, values: dict[str, Any]) -> Date:
    format = kgan.dates.check_format(values.pop("format"))
    ends = kgan.dates.parse([values.pop("low"), values.pop("high")], format)
    step = kgan.dates.DAY
    if "%f" in format:
        step = 1
    elif "%H" in format:
        step = 1_000_000
    low, high = (int(one) // step for one in ends.astype(np.int64))
    if low > high:
        raise ValueError("low must not be after high")
    return Date(name, low, high, step, format, **values)
