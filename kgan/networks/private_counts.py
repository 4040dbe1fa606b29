"""How often each column of a table holds what, counted with noise: differentially private.

What a column may hold is declared. Nothing else is known of it, so the counts, and all that is made
of them, tell no more of a record than their noise allows.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from kgan.constraints import counts_of
from kgan.kinds import Table
from kgan.rows import Category, Column, Number, Rows

# Intervals of a number's range that are counted.
_INTERVALS = 128


class Counted(NamedTuple):
    """What is known of a column.

    Attributes:
        shares: Of each cell the share of the rows, (cells,); of categories a cell is a value, and
            the last one of a number that may be missing is that.
        low: Of a number, where each cell begins, rising, (cells that are not missing,).
        high: Where it ends; where it begins for a single value.
        codes: In which cell each row lies, int (n,): not private.
    """

    shares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    codes: np.ndarray


def private_counts(
    table: Table, rows: Rows, *, noise: float, random: np.random.Generator | None = None
) -> dict[str, Counted]:
    """Counts each column once, with normal noise.

    Categories are counted by their values, whole numbers of at most 128 likewise, other numbers
    and dates by equal intervals of what they may hold. What is at an end, or 0, is counted for
    itself: values are clipped to the ends, and 0 often stands for "none". A record is in one count
    of each column, so it moves all counts together by at most the root of the number of columns:
    the sensitivity. How many rows there are is taken as known: the promise is to a record that is
    there or left blank.

    Args:
        table: The kind of the rows, declared without looking at them.
        rows: The rows, at most within what is declared.
        noise: Standard deviation of the noise over the sensitivity, above 0: what
            `kgan.privacy.epsilon_of` takes as `released`.
        random: Where the noise comes from; by default the operating system.

    Reference: Dwork & Roth 2014, "The algorithmic foundations of differential privacy", A.1.
    """
    random = random or np.random.default_rng()
    deviation = _checked(noise) * math.sqrt(len(table.learnt))
    return _counted(table, rows, deviation, float(len(rows)), random)


class ByClass(NamedTuple):
    """What is known of each class of rows, and of the classes.

    Attributes:
        classes: How often each class is.
        totals: About how many rows each class has, at least 1, (classes,).
        counted: Of each class what is known of the other columns.
    """

    classes: Counted
    totals: np.ndarray
    counted: list[dict[str, Counted]]


def private_counts_by_class(
    table: Table,
    rows: Rows,
    target: str,
    *,
    noise: float,
    random: np.random.Generator | None = None,
) -> ByClass:
    """`private_counts` of the rows of each category of `target`, which is counted too.

    A record is in one class, and there in one count of each other column: the sensitivity is that
    of `private_counts`.

    Args:
        table: As for `private_counts`, as are the others.
        rows: The rows.
        target: A column of categories.
        noise: Of the counts.
        random: Where the noise comes from.
    """
    random = random or np.random.default_rng()
    deviation = _checked(noise) * math.sqrt(len(table.learnt))
    column = table.column(target)
    own = Table((column,))
    classes = _counted(own, rows, deviation, float(len(rows)), random)[target]
    totals = np.maximum(classes.shares * len(rows), 1.0)
    others = without(table, target)
    counted = [
        _counted(others, rows[classes.codes == number], deviation, float(total), random)
        for number, total in enumerate(totals)
    ]
    return ByClass(classes, totals, counted)


def without(table: Table, target: str) -> Table:
    """The columns that are learnt, but for one."""
    return Table(tuple(one for one in table.learnt if one.name != target))


def _checked(noise: float) -> float:
    if not noise > 0:
        raise ValueError(f"noise must be above 0, got {noise}.")
    return noise


def _counted(
    table: Table, rows: Rows, deviation: float, total: float, random: np.random.Generator
) -> dict[str, Counted]:
    """Each column's counts with noise of this deviation, which add up to `total`."""
    found = {}
    for column in table.learnt:
        if isinstance(column, Category):
            low, high = np.zeros((2, 0))
            codes, cells = column.codes(rows[column.name]), len(column.values)
        else:
            values = counts_of(column, rows[column.name])
            low, high = cells_of(column)
            codes = np.where(np.isnan(values), len(low), _cell(values, low, high))
            cells = len(low) + column.missing
        counts = np.bincount(codes, minlength=cells)
        noisy = counts + random.normal(0.0, deviation, cells)
        found[column.name] = Counted(on_simplex(noisy, total), low, high, codes)
    return found


def on_simplex(counts: np.ndarray, total: float) -> np.ndarray:
    """The shares nearest to noisy counts: at least 0, and 1 together.

    All counts are lowered by the same number, and what falls below 0 is 0.

    Args:
        counts: (k,).
        total: What they would add up to without noise, above 0.

    Reference: Held, Wolfe & Crowder 1974, "Validation of subgradient optimization".
    """
    falling = np.sort(counts)[::-1]
    above = (np.cumsum(falling) - total) / np.arange(1, len(counts) + 1)
    lowered = above[np.flatnonzero(falling > above)[-1]]
    return np.maximum(counts - lowered, 0.0) / total


def cells_of(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Where the cells of a number begin and end, float64 (cells,); by its declaration alone."""
    low, high = float(column.low), float(column.high)  # type: ignore[union-attr]
    if isinstance(column, Number):
        # As the column holds them.
        low, high = (float(np.float32(one)) for one in (low, high))
    elif high - low < _INTERVALS:
        # Each whole number lies in the middle of its interval.
        edges = np.arange(low - 0.5, high + 1.0)
        return edges[:-1], edges[1:]
    points = sorted({low, high} | ({0.0} if low < 0 < high else set()))
    if len(points) == 1:
        return np.array(points), np.array(points)
    edges = np.unique(np.append(np.linspace(low, high, _INTERVALS + 1), points))
    both = [(one, one) for one in points] + list(itertools.pairwise(edges))
    cells = np.array(sorted(both))
    return cells[:, 0], cells[:, 1]


def _cell(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The cell of each value, int (n,); that of a single value goes before an interval's."""
    known = np.where(np.isnan(values), low[0], np.clip(values, low[0], high[-1]))
    # The last cell that begins at or before it; a point comes before the interval it begins.
    found = np.searchsorted(low, known, side="right") - 1
    before = np.maximum(found - 1, 0)
    point = (low[before] == known) & (high[before] == known)
    return np.where(point, before, found)
