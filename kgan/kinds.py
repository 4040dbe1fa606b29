"""What a sample is. It is declared here once, and nothing works it out from a shape elsewhere.

Outside a model samples are in their kind's own units: images float32 in [0, 1], channels last;
points and tables in the user's units. A kind travels with a `Dataset`, is told by a model, and is
written into the manifest of an export.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import kgan.constraints
import kgan.dates
import kgan.names
from kgan.constraints import Constraint
from kgan.pixels import to_float
from kgan.rows import COLUMNS, Category, Column, Date, Id, Integer, Learnt, Rows

IMAGE_WIDTH = 2.0
"""Width of the interval [-1, 1], for which papers state what concerns images in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """Base of all kinds.

    Attributes:
        name: Name of the kind, as the manifest has it.
        plural: What several samples are called: the name of a signature's input or output.
        published_width: Width of the interval that papers assume for a value whose width here is
            1; a penalty or step size is converted by it.
        bounds: The smallest and the largest value that a sample may hold; `None` where any.
    """

    name: ClassVar[str] = ""
    plural: ClassVar[str] = "samples"
    published_width: ClassVar[float] = 1.0
    bounds: ClassVar[tuple[float, float] | None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        raise NotImplementedError

    def check(self, what: str, samples: Any) -> None:
        """Raises `ValueError` for samples in memory that are not of this kind.

        Args:
            what: Whose samples these are; the error names it.
            samples: All samples, the first axis counting them.
        """
        raise NotImplementedError

    def as_float(self, samples: Any) -> np.ndarray:
        """Samples in memory as float32 in the kind's units."""
        return np.asarray(samples, np.float32)

    def is_finite(self, samples: Any) -> bool:
        """Whether no value of the samples is NaN or infinite."""
        return bool(np.isfinite(samples).all())

    def of_answer(self, answer: Mapping[str, Any]) -> Any:
        """The samples in an endpoint's answer: arrays by name, each with a row a sample."""
        return answer[self.plural]

    def arrays(self, samples: Any) -> dict[str, np.ndarray]:
        """Samples in memory as arrays by name, such as an .npz file holds."""
        return {self.plural: np.asarray(samples)}

    def get_config(self) -> dict[str, Any]:
        """Plain values for JSON, which `from_config` takes back."""
        return {"kind": self.name, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True)
class Images(Kind):
    """Images, float32 in [0, 1], channels last; in memory also uint8 in [0, 255].

    Attributes:
        height: Pixels from top to bottom.
        width: Pixels from left to right.
        channels: 1 is grey, 3 are red, green and blue; any other number has a meaning of its own.
        value_range: Where it was declared, the two values of the source that became 0 and 1, such
            as (-1000.0, 1000.0) of a tomogram.
        shown: Numbers of the channels that a picture shows: one, three, or four of which the last
            is opacity. By default the first three, or the first of one or two.
    """

    height: int
    width: int
    channels: int
    # What is declared besides tells nothing of the shape: kinds are equal without it.
    value_range: tuple[float, float] | None = dataclasses.field(default=None, compare=False)
    shown: tuple[int, ...] | None = dataclasses.field(default=None, compare=False)

    name: ClassVar[str] = "images"
    plural: ClassVar[str] = "images"
    published_width: ClassVar[float] = IMAGE_WIDTH
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def __post_init__(self):
        for name in ("value_range", "shown"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.shown is not None:
            check_shown(self.shown, self.channels)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.height, self.width, self.channels

    @property
    def has_opacity(self) -> bool:
        """Whether the last channel is opacity, as in RGBA."""
        return self.shown is not None and len(self.shown) == 4

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {name: value for name, value in config.items() if value is not None}

    def check(self, what: str, samples: Any) -> None:
        shape = tuple(samples.shape)
        if shape[1:] != self.shape:
            raise ValueError(
                f"images of {what} must have the shape {self.shape}, got {shape[1:]} each."
            )
        if self.channels < 1 or (self.height <= 4 < self.channels):
            raise ValueError(
                f"images of {what} must have their channels last, as in (n, height, width, "
                f"channels), got shape {shape}: transpose them with "
                "np.moveaxis(images, 1, -1)."
            )
        if samples.dtype == np.uint8:
            return
        _check_float(what, samples)
        if not len(samples):
            return
        low, high = float(samples.min()), float(samples.max())
        if not (low >= 0.0 and high <= 1.0):
            remedy = (
                "divide by 255" if high > 2 else "rescale with (x + 1) / 2" if low < 0 else "clip"
            )
            raise ValueError(
                f"float images of {what} must be in [0, 1], got {low:g} to {high:g}: {remedy}."
            )

    def as_float(self, samples: Any) -> np.ndarray:
        return to_float(samples)


def check_shown(shown: Sequence[int], channels: int) -> None:
    """Raises `ValueError` unless these are channels of which a picture can be made.

    Args:
        shown: Numbers of channels.
        channels: How many there are.
    """
    if len(shown) not in (1, 3, 4) or not all(0 <= one < channels for one in shown):
        raise ValueError(
            f"shown_channels must be one or three of the channels 0 to {channels - 1}, "
            f"got {tuple(shown)}."
        )


@dataclasses.dataclass(frozen=True)
class Points(Kind):
    """Points of a space, float32 in the user's units."""

    dimensions: int

    name: ClassVar[str] = "points"
    plural: ClassVar[str] = "points"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.dimensions,)

    def check(self, what: str, samples: Any) -> None:
        if tuple(samples.shape[1:]) != self.shape:
            raise ValueError(
                f"points of {what} must have the shape {self.shape}, "
                f"got {tuple(samples.shape[1:])} each."
            )
        _check_float(what, samples)


@dataclasses.dataclass(frozen=True)
class Table(Kind):
    """Rows of a table, `kgan.rows.Rows`, each column of a type of its own.

    Attributes:
        columns: Of the types in `kgan.rows.COLUMNS`, in the table's order.
        constraints: What holds between them, of the types in `kgan.constraints.CONSTRAINTS`.
    """

    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()

    name: ClassVar[str] = "table"
    plural: ClassVar[str] = "rows"

    def __post_init__(self):
        columns = tuple(_column(one) if isinstance(one, Mapping) else one for one in self.columns)
        object.__setattr__(self, "columns", columns)
        names = [column.name for column in columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            raise ValueError(f"columns of a table must have names that differ, got {names}.")
        constraints = tuple(_constraint(one) for one in self.constraints)
        object.__setattr__(self, "constraints", constraints)
        for one in constraints:
            for name in one.columns:
                kgan.names.check(f"column of the constraint {one.describe()!r}", name, names)
        kgan.constraints.check_together(constraints)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.columns),)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return kgan.names.look_up("column", name, {one.name: one for one in self.columns})

    @property
    def conditions(self) -> tuple[Category, ...]:
        """The categories of two values or more: what a generator can be asked for."""
        return tuple(
            one for one in self.columns if isinstance(one, Category) and len(one.values) > 1
        )

    def check(self, what: str, samples: Any) -> None:
        if not isinstance(samples, Rows):
            raise ValueError(
                f"samples of {what} must be kgan.rows.Rows for a table, got "
                f"{type(samples).__name__}."
            )
        names = [column.name for column in self.columns]
        if list(samples.columns) != names:
            raise ValueError(
                f"rows of {what} must have the columns {', '.join(names)}, got "
                f"{', '.join(samples.columns)}."
            )
        for column in self.columns:
            values, told = samples[column.name], f"column {column.name!r} of {what}"
            if not column.holds(values.dtype):
                raise ValueError(
                    f"{told} must be {column.dtype} for a {column.type}, got {values.dtype}."
                )
            column.check(told, values)

    def as_float(self, samples: Any) -> Any:
        """The rows as they are: their columns are in the user's units already."""
        return samples

    def is_finite(self, samples: Any) -> bool:
        return all(
            (np.isfinite(values) | (column.gone(values) & getattr(column, "missing", False))).all()
            for column in self.columns
            if (values := samples[column.name]).dtype.kind == "f"
        )

    def of_answer(self, answer: Mapping[str, Any]) -> Rows:
        """Rows of a model's answer, in which dates are texts.

        Categories that are texts may be their numbers too, an integer array.
        """
        return Rows({one.name: _answered(one, answer[one.name]) for one in self.columns})

    def arrays(self, samples: Any) -> dict[str, np.ndarray]:
        """The columns; texts as numpy's own str."""
        return {
            name: values.astype(str) if values.dtype == object else values
            for name, values in samples.columns.items()
        }

    @property
    def learnt(self) -> tuple[Learnt, ...]:
        """The columns that are learnt: all but ids."""
        return tuple(one for one in self.columns if not isinstance(one, Id))

    def get_config(self) -> dict[str, Any]:
        columns = [{"type": one.type, **dataclasses.asdict(one)} for one in self.columns]
        found: dict[str, Any] = {"kind": self.name, "columns": columns}
        if self.constraints:
            found["constraints"] = [
                {"type": one.type, **dataclasses.asdict(one)} for one in self.constraints
            ]
        return found


def _answered(column: Column, values: Any) -> Any:
    if isinstance(column, Integer):
        # A list of floats would become float32, which holds no large whole numbers.
        return np.asarray(values, column.dtype)
    if isinstance(column, Category) and column.dtype == object and _are_codes(values):
        return np.array(column.values, object)[values]
    if isinstance(column, Category) and column.dtype == object:
        # Each text is made once, not for each row.
        known: dict[Any, Any] = {str(one).encode(): one for one in column.values}
        found = np.empty(len(values), object)
        found[:] = [known.get(one, one) for one in np.asarray(values).tolist()]
        return found
    if not isinstance(column, Date):
        return values
    texts = [one.decode() if isinstance(one, bytes) else one for one in np.asarray(values).tolist()]
    dates = np.full(len(texts), "NaT", column.dtype)
    there = np.array([text != "" for text in texts], bool)
    dates[there] = kgan.dates.parse([text for text in texts if text], column.format)
    return dates


def _are_codes(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "i"


def _constraint(one: Constraint | Mapping[str, Any]) -> Constraint:
    if not isinstance(one, Mapping):
        return one
    values = dict(one)
    known = kgan.constraints.CONSTRAINTS
    return kgan.names.look_up("type of a constraint", values.pop("type"), known)(**values)


def _column(config: Mapping[str, Any]) -> Column:
    values = dict(config)
    return kgan.names.look_up("type of a column", values.pop("type"), COLUMNS)(**values)


KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (Images, Points, Table)}


def from_config(config: Mapping[str, Any]) -> Kind:
    """The kind that `Kind.get_config` described."""
    values = dict(config)
    return KINDS[values.pop("kind")](**values)


def of_array(what: str, shape: Sequence[int]) -> Kind:
    """The kind of an array whose source says no more than its shape.

    Four axes are images, three are grey images, two are points. Only what comes without a
    declaration ends here: a bare array of a user's, or a model of an earlier version.

    Args:
        what: Whose array it is; the error names it.
        shape: Shape of the whole array, the first axis counting samples.
    """
    if len(shape) in (3, 4):
        height, width, channels = (*shape[1:], 1)[:3]
        return Images(int(height), int(width), int(channels))
    if len(shape) == 2:
        return Points(int(shape[1]))
    raise ValueError(
        f"samples of {what} must be images (n, height, width, channels) or points (n, features), "
        f"got shape {tuple(shape)}."
    )


def _check_float(what: str, samples: Any) -> None:
    if samples.dtype != np.float32:
        raise ValueError(
            f"samples of {what} must be uint8 in [0, 255] or floats in [0, 1], got {samples.dtype}."
        )
    bad = int(np.count_nonzero(~np.isfinite(samples)))
    if bad:
        raise ValueError(f"samples of {what} hold {bad} values that are NaN or infinite.")
