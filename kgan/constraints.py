"""What holds between the columns of a table, in every row that was learnt and in every new one."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from kgan.rows import Category, Column, Date, Id, Rows


@dataclasses.dataclass(frozen=True)
class AtMost:
    """One number, or date, is at most another: `low <= high`, wherever both are there.

    The higher column is learnt as its distance from the lower one, so no row has to be thrown away.

    Attributes:
        low: Name of the lower column.
        high: Name of the higher column.
        most: The greatest distance that was seen, in the columns' units, or in steps of dates.
    """

    low: str
    high: str
    most: float = 0.0

    type: ClassVar[str] = "at_most"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it is about."""
        return (self.low, self.high)

    def describe(self) -> str:
        """As the command line has it."""
        return f"{self.low}<={self.high}"


@dataclasses.dataclass(frozen=True)
class Together:
    """Categories of several columns come in the combinations that were seen, and in no others.

    Each column after the first is drawn among what was seen beside the ones before it.

    Attributes:
        columns: Names of the columns.
        seen: The combinations, as numbers of the columns' categories.
    """

    columns: tuple[str, ...]
    seen: tuple[tuple[int, ...], ...] = ()

    type: ClassVar[str] = "together"

    def __post_init__(self):
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "seen", tuple(tuple(map(int, one)) for one in self.seen))

    def describe(self) -> str:
        """As the command line has it."""
        return "&".join(self.columns)


@dataclasses.dataclass(frozen=True)
class Within:
    """A number lies within bounds; new rows keep to what was seen, which is within these.

    Attributes:
        column: Name of the column.
        low: The least value that is allowed.
        high: The greatest one.
    """

    column: str
    low: float = -np.inf
    high: float = np.inf

    type: ClassVar[str] = "within"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it is about."""
        return (self.column,)

    def describe(self) -> str:
        """As the command line has it."""
        bounds = ((">=", self.low), ("<=", self.high))
        return ", ".join(f"{self.column}{sign}{at:g}" for sign, at in bounds if np.isfinite(at))


Constraint = AtMost | Together | Within
CONSTRAINTS: dict[str, Any] = {one.type: one for one in (AtMost, Together, Within)}


def parsed(text: str, names: list[str]) -> Constraint:
    """A constraint of its text: "a<=b", "a<b" is none; "a&b&c"; "a>=18", "a<=99".

    Args:
        text: The text.
        names: The columns of the table.

    Raises:
        ValueError: Says what a constraint may be.
    """
    for sign in ("<=", ">="):
        first, found, second = (part.strip() for part in text.partition(sign))
        if not found:
            continue
        if first in names and second in names:
            return AtMost(first, second) if sign == "<=" else AtMost(second, first)
        if first in names:
            try:
                bound = float(second)
            except ValueError:
                break
            if not np.isfinite(bound):
                break
            return Within(first, high=bound) if sign == "<=" else Within(first, low=bound)
    parts = tuple(part.strip() for part in text.split("&"))
    if len(parts) > 1 and set(parts) <= set(names) and len(set(parts)) == len(parts):
        return Together(parts)
    raise ValueError(
        "a constraint must be COLUMN<=COLUMN, COLUMN>=NUMBER, COLUMN<=NUMBER or COLUMN&COLUMN "
        f"(combinations that were seen), of the columns {', '.join(names)}, got {text!r}."
    )


def fitted(constraint: Constraint, columns: dict[str, Column], rows: Rows, what: str) -> Constraint:
    """The constraint with what it has to know of the data, which obey it.

    Args:
        constraint: From `parsed`.
        columns: The columns by name.
        rows: The data.
        what: Their name, for an error.

    Raises:
        ValueError: For columns that it cannot be about, or rows that break it.
    """
    told = f"constraint {constraint.describe()!r} of {what}"
    if isinstance(constraint, Together):
        for name in constraint.columns:
            if not isinstance(columns[name], Category):
                raise ValueError(
                    f"{told} must be of categories, and {name!r} is a {columns[name].type}."
                )
        codes = np.stack([columns[n].codes(rows[n]) for n in constraint.columns], axis=1)  # type: ignore[union-attr]
        return Together(constraint.columns, tuple(map(tuple, np.unique(codes, axis=0).tolist())))
    for name in constraint.columns:
        if isinstance(columns[name], (Category, Id)):
            raise ValueError(
                f"{told} must be of numbers or dates, and {name!r} is a {columns[name].type}."
            )
    values = [counts_of(columns[name], rows[name]) for name in constraint.columns]
    if isinstance(constraint, Within):
        if isinstance(columns[constraint.column], Date):
            raise ValueError(f"{told} must be of a number, and {constraint.column!r} is a date.")
        bad = (values[0] < constraint.low) | (values[0] > constraint.high)
    else:
        dates = [isinstance(columns[name], Date) for name in constraint.columns]
        steps = {getattr(columns[name], "step", 0) for name in constraint.columns}
        if len(set(dates)) > 1 or len(steps) > 1:
            raise ValueError(f"{told} must be of two numbers, or of two dates of the same steps.")
        bad = values[0] > values[1]
    if bad.any():
        raise ValueError(
            f"{told} is broken by {int(bad.sum()):,} of its {len(rows):,} rows, the first of them "
            f"row {int(bad.argmax()) + 1}: mend them, or leave the constraint out."
        )
    if isinstance(constraint, Within):
        return constraint
    apart = distances(columns[constraint.low], values[0], values[1])
    return dataclasses.replace(constraint, most=float(np.nanmax(apart, initial=0.0)))


def distances(low: Any, lower: np.ndarray, higher: np.ndarray) -> np.ndarray:
    """How far the higher column lies above the lower one, or above its least value if missing."""
    return higher - np.where(np.isnan(lower), float(low.low), lower)


def counts_of(column: Any, values: np.ndarray) -> np.ndarray:
    """Numbers, or steps of dates, float64 (n,), NaN for what is missing."""
    if isinstance(column, Date):
        steps = values.astype(np.int64) // column.step
        return np.where(np.isnat(values), np.nan, steps.astype(np.float64))
    return values.astype(np.float64)


def check_together(constraints: tuple[Constraint, ...]) -> None:
    """Raises `ValueError` where constraints of one table get in each other's way."""
    highs = [one.high for one in constraints if isinstance(one, AtMost)]
    groups = [name for one in constraints if isinstance(one, Together) for name in one.columns]
    for names, what in ((highs, "above one other column"), (groups, "in one combination")):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"column {twice!r} must be {what} at most: constraints name it twice.")
    below = {one.high: one.low for one in constraints if isinstance(one, AtMost)}
    for name in below:
        at, steps = name, 0
        while at in below:
            at, steps = below[at], steps + 1
            if at == name or steps > len(below):
                raise ValueError(f"constraints must not go in a circle, as those of {name!r} do.")
