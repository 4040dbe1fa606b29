"""Where what lies in an encoded row of a table."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

import kgan.names
from kgan.kinds import Table
from kgan.rows import Category

CONDITIONS = ("categories", "modes")
"""What a condition can tell: the category of a column, or also the mode of a number."""


class Told(NamedTuple):
    """The one-hot parts of an encoded row that a condition is made of, side by side.

    Attributes:
        spans: (start, stop) of each in an encoded row, in order.
        parts: Its number among all one-hot parts.
        asked: Of each column of categories that can be asked for, its number among these.
    """

    spans: tuple[tuple[int, int], ...]
    parts: tuple[int, ...]
    asked: tuple[int, ...]

    @property
    def counts(self) -> list[int]:
        """Length of each."""
        return [stop - start for start, stop in self.spans]

    @property
    def size(self) -> int:
        """Length of a condition."""
        return sum(self.counts)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where what lies in an encoded row.

    A number, or a date, takes one value in [-1, 1], its place in its mode, and a one-hot vector of
    its modes, with a place more where some are missing; a category takes a one-hot vector; an id
    takes nothing.

    Attributes:
        sizes: Length of each part, in order.
        one_hot: Of each part whether it is a one-hot vector.
        conditions: (start, stop) of each category with two values or more, by its name: what a
            generator can be asked for.
    """

    sizes: tuple[int, ...]
    one_hot: tuple[bool, ...]
    conditions: Mapping[str, tuple[int, int]]

    @property
    def size(self) -> int:
        """Length of an encoded row."""
        return sum(self.sizes)

    @property
    def condition_size(self) -> int:
        """How many categories can be asked for, of all columns."""
        return sum(stop - start for start, stop in self.conditions.values())

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where each part begins, int (parts,)."""
        return np.cumsum([0, *self.sizes[:-1]])

    @functools.cached_property
    def places(self) -> np.ndarray:
        """Where the places of numbers are, int (numbers,)."""
        return self.starts[~np.array(self.one_hot, bool)]

    @functools.cached_property
    def numbers(self) -> np.ndarray:
        """Which parts are places of numbers, int (numbers,)."""
        return np.flatnonzero(~np.array(self.one_hot, bool))

    @functools.cached_property
    def hot_starts(self) -> np.ndarray:
        """Where each one-hot part begins, int (one-hot parts,)."""
        return self.starts[np.array(self.one_hot, bool)]

    @functools.cached_property
    def hot_sizes(self) -> np.ndarray:
        """Length of each one-hot part, int (one-hot parts,)."""
        return np.array(self.sizes)[np.array(self.one_hot, bool)]

    def told(self, conditions: str) -> "Told":
        """What a condition tells of a row.

        Args:
            conditions: A word of `CONDITIONS`: categories alone, or the modes of numbers too.
        """
        kgan.names.check("conditions", conditions, CONDITIONS)
        ends = (self.hot_starts + self.hot_sizes).tolist()
        spans = list(zip(self.hot_starts.tolist(), ends, strict=True))
        parts = [
            part
            for part, span in enumerate(spans)
            if span in self.conditions.values()
            or (conditions == "modes" and self.hot_sizes[part] > 1)
        ]
        found = [spans[part] for part in parts]
        asked = tuple(found.index(span) for span in self.conditions.values())
        return Told(tuple(found), tuple(parts), asked)


def layout_of(table: Table, modes: tuple[int, ...]) -> Layout:
    """The layout of a table's encoded rows.

    Args:
        table: Their kind.
        modes: How many modes each column of numbers has, in the table's order.
    """
    sizes: list[int] = []
    one_hot: list[bool] = []
    conditions: dict[str, tuple[int, int]] = {}
    counts = iter(modes)
    for column in table.learnt:
        if isinstance(column, Category):
            if len(column.values) > 1:
                start = sum(sizes)
                conditions[column.name] = (start, start + len(column.values))
            sizes.append(len(column.values))
            one_hot.append(True)
        else:
            sizes += [1, next(counts) + column.missing]
            one_hot += [False, True]
    return Layout(tuple(sizes), tuple(one_hot), conditions)
