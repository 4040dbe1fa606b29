"""Rows of a table in memory, and what a column of one may hold; no TensorFlow."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

import kgan.dates
import kgan.names


@dataclasses.dataclass(frozen=True)
class Number:
    """A column of numbers, float32.

    Attributes:
        name: The column's name.
        low: The least value that was seen.
        high: The greatest one.
        decimals: Digits after the point that values have, `None` where they are not rounded.
        missing: Whether some are missing, which are NaN.
    """

    name: str
    low: float
    high: float
    decimals: int | None = None
    missing: bool = False

    type: ClassVar[str] = "number"
    dtype: ClassVar[Any] = np.dtype(np.float32)

    def describe(self) -> str:
        """What the column holds, in a few words."""
        digits = "" if self.decimals is None else f", {self.decimals} decimals"
        return f"{self.low:g} to {self.high:g}{digits}{_SOME * self.missing}"

    def holds(self, dtype: np.dtype) -> bool:
        """Whether an array of that type can be of such a column."""
        return dtype in (np.float32, np.float64)

    def gone(self, values: np.ndarray) -> np.ndarray:
        """Of each value whether it is missing, bool (n,)."""
        return np.isnan(values)

    def check(self, what: str, values: np.ndarray) -> None:
        """Raises `ValueError` for values that the column cannot hold.

        Args:
            what: Whose column it is, such as "column 'age' of adult.csv"; the error begins with it.
            values: All values, of the column's dtype.
        """
        missing = int(np.count_nonzero(np.isnan(values)))
        if missing and not self.missing:
            raise ValueError(
                f"{what} has {missing:,} missing values of {len(values):,}, and must have none: "
                "where the data that it was told from had none, none is expected."
            )
        infinite = int(np.count_nonzero(np.isinf(values)))
        if infinite:
            raise ValueError(
                f"{what} has {infinite:,} values that are infinite in float32: remove or clip them."
            )


@dataclasses.dataclass(frozen=True)
class Integer:
    """A column of whole numbers: int64, or float64 where some are missing.

    Attributes:
        name: The column's name.
        low: The least value that was seen.
        high: The greatest one.
        missing: Whether some are missing, which are NaN.
    """

    name: str
    low: int
    high: int
    missing: bool = False

    type: ClassVar[str] = "integer"
    most: ClassVar[int] = 2**53
    """Greatest size of a value: beyond it float64 skips some."""

    @property
    def dtype(self) -> np.dtype:
        """Of the column in memory."""
        return np.dtype(np.float64 if self.missing else np.int64)

    def describe(self) -> str:
        """What the column holds, in a few words."""
        return f"{self.low:,} to {self.high:,}{_SOME * self.missing}"

    def holds(self, dtype: np.dtype) -> bool:
        """Whether an array of that type can be of such a column."""
        return dtype in (self.dtype, np.int64)

    def gone(self, values: np.ndarray) -> np.ndarray:
        """Of each value whether it is missing, bool (n,)."""
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)

    def check(self, what: str, values: np.ndarray) -> None:
        """Raises `ValueError` for values that the column cannot hold; see `Number.check`."""
        there = values[~self.gone(values)]
        if values.dtype.kind == "f" and (there != np.round(there)).any():
            broken = there[there != np.round(there)][0]
            raise ValueError(f"{what} must hold whole numbers, got {broken:g}.")
        low, high = int(there.min(initial=0)), int(there.max(initial=0))
        if low < -self.most or high > self.most:
            raise ValueError(
                f"{what} has values from {low} to {high}; whole numbers must be within 2**53. "
                "Numbers so large are names rather: declare the column categorical, or drop it."
            )


@dataclasses.dataclass(frozen=True)
class Date:
    """A column of dates or times, datetime64[us]; a missing one is NaT.

    Attributes:
        name: The column's name.
        low: The earliest that was seen, in steps since 1970.
        high: The latest one.
        step: Microseconds of a step, such as `kgan.dates.DAY`: all dates are whole steps.
        format: How they are written, as for `kgan.dates.parse`.
        missing: Whether some are missing.
    """

    name: str
    low: int
    high: int
    step: int
    format: str
    missing: bool = False

    type: ClassVar[str] = "date"
    dtype: ClassVar[Any] = kgan.dates.DTYPE

    def describe(self) -> str:
        """What the column holds, in a few words."""
        ends = np.array([self.low, self.high], np.int64) * self.step
        first, last = kgan.dates.spell(ends.astype(self.dtype), self.format)
        return f"{first} to {last}, {self.format}{_SOME * self.missing}"

    def holds(self, dtype: np.dtype) -> bool:
        """Whether an array of that type can be of such a column."""
        return dtype == self.dtype

    def gone(self, values: np.ndarray) -> np.ndarray:
        """Of each value whether it is missing, bool (n,)."""
        return np.isnat(values)

    def check(self, what: str, values: np.ndarray) -> None:
        """Raises `ValueError` for values that the column cannot hold; see `Number.check`."""
        missing = int(np.count_nonzero(np.isnat(values)))
        if missing and not self.missing:
            raise ValueError(
                f"{what} has {missing:,} missing dates of {len(values):,}, and must have none."
            )


@dataclasses.dataclass(frozen=True)
class Category:
    """A column of categories, str or int64.

    Attributes:
        name: The column's name.
        values: All values in their order, either all str or all int. A missing value is "".
    """

    name: str
    values: tuple[str, ...] | tuple[int, ...]

    type: ClassVar[str] = "category"

    def __post_init__(self):
        values = tuple(one if isinstance(one, str) else int(one) for one in self.values)
        object.__setattr__(self, "values", values)
        if len({type(one) for one in values}) > 1 or len(set(values)) < len(values):
            raise ValueError(
                f"values of the category {self.name!r} must differ and be all str or all int, "
                f"got {values[:10]}."
            )
        if not values:
            raise ValueError(f"values of the category {self.name!r} must not be empty.")

    @property
    def dtype(self) -> np.dtype:
        """Of the column in memory."""
        return np.dtype(object if isinstance(self.values[0], str) else np.int64)

    def describe(self) -> str:
        """What the column holds, in a few words."""
        count = len(self.values)
        word = "the one value" if count == 1 else f"{count} values:"
        return f"{word} {', '.join(map(repr, self.values))}"

    def holds(self, dtype: np.dtype) -> bool:
        """Whether an array of that type can be of such a column."""
        return dtype == self.dtype

    def gone(self, values: np.ndarray) -> np.ndarray:
        """Of each value whether it is missing, bool (n,)."""
        if self.dtype != object:
            return np.zeros(len(values), bool)
        return np.array([one == "" for one in values.tolist()], bool)

    def check(self, what: str, values: np.ndarray) -> None:
        """Raises `ValueError` for values that the column cannot hold; see `Number.check`."""
        unknown = sorted(set(values.tolist()) - set(self.values))
        if unknown:
            known = [str(value) for value in self.values]
            hint = kgan.names.suggestion(str(unknown[0]), known)
            raise ValueError(
                f"{what} has values that are none of its {len(self.values)} categories, such as "
                f"{unknown[0]!r}.{hint}"
            )

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The number of each value's category, int32 (n,)."""
        numbers = {value: number for number, value in enumerate(self.values)}
        return np.fromiter(map(numbers.__getitem__, values.tolist()), np.int32, len(values))


@dataclasses.dataclass(frozen=True)
class Boolean(Category):
    """A category of two texts that mean no and yes, in that order; a third may be "" for missing.

    Parquet files and frames hold it as booleans.
    """

    type: ClassVar[str] = "boolean"

    def __post_init__(self):
        super().__post_init__()
        if len([one for one in self.values if one != ""]) > 2 or self.dtype != object:
            raise ValueError(
                f"values of the boolean {self.name!r} must be two texts, got {self.values}."
            )

    @property
    def yes(self) -> str | None:
        """The text that means yes; `None` where no value does."""
        return next((str(one) for one in self.values if str(one).lower() in YES), None)


@dataclasses.dataclass(frozen=True)
class Id:
    """A column of ids, of which nothing is learnt: new rows get new ones, int64 or str.

    Attributes:
        name: The column's name.
        prefix: What begins each text; `None` where ids are whole numbers.
    """

    name: str
    prefix: str | None = None

    type: ClassVar[str] = "id"

    @property
    def dtype(self) -> np.dtype:
        """Of the column in memory."""
        return np.dtype(np.int64 if self.prefix is None else object)

    def describe(self) -> str:
        """What the column holds, in a few words."""
        return "made anew: " + ("whole numbers" if self.prefix is None else f"{self.prefix}...")

    def holds(self, dtype: np.dtype) -> bool:
        """Whether an array of that type can be of such a column."""
        return dtype == self.dtype

    def gone(self, values: np.ndarray) -> np.ndarray:
        """Of each value whether it is missing, bool (n,): none is."""
        return np.zeros(len(values), bool)

    def check(self, what: str, values: np.ndarray) -> None:
        """Any value is an id."""


_SOME = ", some missing"
YES = frozenset(("true", "yes", "t", "y", "1"))
"""Texts that mean yes in a column of booleans, in lower case."""

Learnt = Number | Integer | Date | Category
Column = Learnt | Id
COLUMNS: dict[str, Any] = {
    column.type: column for column in (Number, Integer, Date, Category, Boolean, Id)
}


class Rows:
    """Rows of a table: one-dimensional arrays of equal length, by the names of the columns.

    `rows["age"]` is a column, `rows[:10]` and `rows[[3, 1]]` are rows, `len(rows)` counts them.

    Args:
        columns: Arrays or lists by name, in the table's order. Floats become float32, but arrays of
            float64 stay so; whole numbers int64; dates datetime64[us]; texts (str, or bytes of
            UTF-8) an object array of str.

    Attributes:
        columns: float32, float64, int64, datetime64[us] or object arrays by name.
    """

    def __init__(self, columns: Mapping[str, Any]):
        if not columns:
            raise ValueError("columns must not be empty.")
        self.columns = {str(name): _as_column(name, values) for name, values in columns.items()}
        lengths = {name: len(values) for name, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns must have equal lengths, got {lengths}.")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self), len(self.columns)

    def __getitem__(self, key: Any) -> Any:
        """A column by its name; else the rows of a slice, of row numbers or of a mask."""
        if isinstance(key, str):
            return kgan.names.look_up("column", key, self.columns)
        if np.ndim(key) == 0 and not isinstance(key, slice):
            key = [key]
        return Rows({name: values[key] for name, values in self.columns.items()})

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as a dict of plain values."""
        values = [column.tolist() for column in self.columns.values()]
        return (dict(zip(self.columns, row, strict=True)) for row in zip(*values, strict=True))

    def __repr__(self) -> str:
        return f"Rows({len(self):,} of {', '.join(self.columns)})"

    @property
    def arrays(self) -> Sequence[np.ndarray]:
        """Names and values as arrays of numbers, equal where the rows are: what a hash is of."""
        found = [_as_bytes(list(self.columns))]
        for values in self.columns.values():
            if values.dtype == object:
                texts = values.tolist()
                found += [_as_bytes(texts), np.array([len(text) for text in texts], np.int64)]
            elif values.dtype.kind == "M":
                found.append(values.astype(np.int64))
            else:
                found.append(values)
        return found

    @staticmethod
    def joined(parts: Sequence["Rows"]) -> "Rows":
        """The rows of all parts, which have the same columns, one part after the other."""
        first = parts[0].columns
        return Rows({name: np.concatenate([one.columns[name] for one in parts]) for name in first})


def _as_column(name: str, values: Any) -> np.ndarray:
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.ndim == 1:
        return values
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"column {name!r} must have one dimension, got the shape {array.shape}.")
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind == "M":
        return array.astype(kgan.dates.DTYPE, copy=False)
    if array.dtype.kind == "i" or (array.dtype.kind == "u" and array.max(initial=0) < 2**63):
        return array.astype(np.int64, copy=False)
    if array.dtype.kind in "USO":
        texts = array.tolist()
        if bytes in set(map(type, texts)):
            texts = [one.decode() if isinstance(one, bytes) else one for one in texts]
        if set(map(type, texts)) <= {str}:
            column = np.empty(len(texts), object)
            column[:] = texts
            return column
    raise ValueError(
        f"column {name!r} must hold floats, whole numbers, dates or texts, got {array.dtype}; "
        "texts and other values must not be mixed."
    )


class EncodedRows(NamedTuple):
    """Rows as networks are fed with them, before any one-hot vector is made.

    Attributes:
        places: Of each row the place of each number in its mode, float32 (n, numbers).
        codes: Of each row which place of each one-hot part is 1, int32 (n, parts).
    """

    places: Any
    codes: Any


def _as_bytes(texts: Sequence[str]) -> np.ndarray:
    return np.frombuffer("\0".join(texts).encode("utf-8", "surrogatepass"), np.uint8)
