"""Rows of a table in memory, and what a column of one may hold; no TensorFlow."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import kgan.names


@dataclasses.dataclass(frozen=True)
class Number:
    """A column of numbers, float32.

    Attributes:
        name: The column's name.
        low: The least value that was seen.
        high: The greatest one.
        decimals: Digits after the point that values have, `None` where they are not rounded.
    """

    name: str
    low: float
    high: float
    decimals: int | None = None

    type: ClassVar[str] = "number"
    dtype: ClassVar[Any] = np.dtype(np.float32)

    def describe(self) -> str:
        """What the column holds, in a few words."""
        digits = "" if self.decimals is None else f", {self.decimals} decimals"
        return f"{self.low:g} to {self.high:g}{digits}"

    def check(self, what: str, values: np.ndarray) -> None:
        """Raises `ValueError` for values that the column cannot hold.

        Args:
            what: Whose column it is, such as "column 'age' of adult.csv"; the error begins with it.
            values: All values, of the column's dtype.
        """
        missing = int(np.count_nonzero(np.isnan(values)))
        if missing:
            raise ValueError(
                f"{what} has {missing:,} missing values of {len(values):,}, and numbers must all "
                "be there: fill them, remove their rows, or drop the column."
            )
        infinite = int(np.count_nonzero(np.isinf(values)))
        if infinite:
            raise ValueError(
                f"{what} has {infinite:,} values that are infinite in float32: remove or clip them."
            )


@dataclasses.dataclass(frozen=True)
class Integer:
    """A column of whole numbers, int64.

    Attributes:
        name: The column's name.
        low: The least value that was seen.
        high: The greatest one.
    """

    name: str
    low: int
    high: int

    type: ClassVar[str] = "integer"
    dtype: ClassVar[Any] = np.dtype(np.int64)
    most: ClassVar[int] = 2**53
    """Greatest size of a value: beyond it float64 skips some."""

    def describe(self) -> str:
        """What the column holds, in a few words."""
        return f"{self.low:,} to {self.high:,}"

    def check(self, what: str, values: np.ndarray) -> None:
        """Raises `ValueError` for values that the column cannot hold; see `Number.check`."""
        low, high = int(values.min(initial=0)), int(values.max(initial=0))
        if low < -self.most or high > self.most:
            raise ValueError(
                f"{what} has values from {low} to {high}; whole numbers must be within 2**53. "
                "Numbers so large are names rather: declare the column categorical, or drop it."
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
        return f"{len(self.values)} values: {', '.join(map(repr, self.values))}"

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


Column = Number | Integer | Category
COLUMNS: dict[str, type[Number] | type[Integer] | type[Category]] = {
    column.type: column for column in (Number, Integer, Category)
}


class Rows:
    """Rows of a table: one-dimensional arrays of equal length, by the names of the columns.

    `rows["age"]` is a column, `rows[:10]` and `rows[[3, 1]]` are rows, `len(rows)` counts them.

    Args:
        columns: Arrays or lists by name, in the table's order. Floats become float32, whole numbers
            int64, texts (str, or bytes of UTF-8) an object array of str.

    Attributes:
        columns: float32, int64 or object arrays by name.
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
            else:
                found.append(values)
        return found

    @staticmethod
    def joined(parts: Sequence["Rows"]) -> "Rows":
        """The rows of all parts, which have the same columns, one part after the other."""
        first = parts[0].columns
        return Rows({name: np.concatenate([one.columns[name] for one in parts]) for name in first})


def _as_column(name: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"column {name!r} must have one dimension, got the shape {array.shape}.")
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind == "i" or (array.dtype.kind == "u" and array.max(initial=0) < 2**63):
        return array.astype(np.int64, copy=False)
    if array.dtype.kind in "USO":
        texts = [one.decode() if isinstance(one, bytes) else one for one in array.tolist()]
        if all(type(one) is str for one in texts):
            column = np.empty(len(texts), object)
            column[:] = texts
            return column
    raise ValueError(
        f"column {name!r} must hold floats, whole numbers or texts, got {array.dtype}; "
        "texts and other values must not be mixed."
    )


def _as_bytes(texts: Sequence[str]) -> np.ndarray:
    return np.frombuffer("\0".join(texts).encode("utf-8", "surrogatepass"), np.uint8)
