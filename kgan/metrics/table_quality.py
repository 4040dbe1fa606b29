"""How well generated rows of a table have the columns, and the pairs of columns, of real ones.

All scores are in [0, 1], and 1 is equality.

Reference: SDMetrics 0.32: KSComplement, TVComplement, CorrelationSimilarity, ContingencySimilarity.
    Its quality report cuts numbers of each table at edges of that table's own, where a shift is not
    seen, and leaves out pairs that hardly depend on each other; here as the metrics themselves do.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from kgan.kinds import Table
from kgan.metrics.table_features import numbers_of
from kgan.rows import Category, Rows

_BINS = 10


class TableQuality(NamedTuple):
    """Scores of a table; the first is the mean of the two others.

    Attributes:
        quality: How alike the tables are.
        column_shapes: Mean score of a column.
        pair_trends: Mean score of a pair of columns; 1 where there is one column.
    """

    quality: float
    column_shapes: float
    pair_trends: float


def table_quality(real: Rows, fake: Rows, *, table: Table) -> TableQuality:
    """The mean scores of the columns and of their pairs.

    Args:
        real: Real rows.
        fake: Generated rows.
        table: The kind of both.

    Returns:
        `TableQuality`: quality, the mean of the two others, and these; each in [0, 1], 1 the best.
    """
    shapes = float(np.mean(list(column_shapes(real, fake, table=table).values())))
    pairs = list(pair_trends(real, fake, table=table).values())
    trends = float(np.mean(pairs)) if pairs else 1.0
    return TableQuality((shapes + trends) / 2, shapes, trends)


def column_shapes(real: Rows, fake: Rows, *, table: Table) -> dict[str, float]:
    """The score of each column; arguments as for `table_quality`.

    Of numbers and dates 1 - the Kolmogorov-Smirnov distance of those that are not missing; of
    categories 1 - the total variation distance. Ids have none.
    """
    _check(real, fake)
    scores = {}
    for column in table.learnt:
        ours, theirs = real[column.name], fake[column.name]
        if isinstance(column, Category):
            size = len(column.values)
            scores[column.name] = 1.0 - _total_variation(
                column.codes(ours), column.codes(theirs), size
            )
        else:
            there = (_there(numbers_of(column, one)) for one in (ours, theirs))
            scores[column.name] = 1.0 - _kolmogorov_smirnov(*there)
    return scores


def pair_trends(real: Rows, fake: Rows, *, table: Table) -> dict[tuple[str, str], float]:
    """The score of each pair of columns.

    Of two numbers 1 - |difference of their Pearson correlations| / 2 over the rows that have both,
    where a constant column has the correlation 0; of other pairs 1 - the total variation distance
    of their contingency tables, numbers cut at ten equal parts of the real column's range.
    Arguments as for `table_quality`.
    """
    _check(real, fake)
    numbers = [one for one in table.learnt if not isinstance(one, Category)]
    ours, theirs = _correlations(real, numbers), _correlations(fake, numbers)
    place = {one.name: number for number, one in enumerate(numbers)}
    cut = {column.name: _cut(column, real, fake) for column in table.learnt}
    scores = {}
    for one, other in itertools.combinations([column.name for column in table.learnt], 2):
        if one in place and other in place:
            apart = abs(ours[place[one], place[other]] - theirs[place[one], place[other]])
            scores[one, other] = 1.0 - apart / 2
        else:
            (a, b, n), (c, d, m) = cut[one], cut[other]
            scores[one, other] = 1.0 - _total_variation(a * m + c, b * m + d, n * m)
    return scores


def independent_columns(rows: Rows, *, seed: int = 0) -> Rows:
    """The rows with each column shuffled for itself: perfect columns, and no trend of pairs.

    What a generator must do better than.

    Args:
        rows: Real rows.
        seed: Seed of the shuffles.
    """
    random = np.random.default_rng(seed)
    return Rows({name: random.permutation(values) for name, values in rows.columns.items()})


def _check(real: Rows, fake: Rows) -> None:
    for name, rows in (("real", real), ("fake", fake)):
        if len(rows) < 2:
            raise ValueError(f"{name} must hold at least 2 rows, got {len(rows)}.")
    if list(real.columns) != list(fake.columns):
        raise ValueError(
            f"real and fake must have the same columns, got {list(real.columns)} and "
            f"{list(fake.columns)}."
        )


def _kolmogorov_smirnov(real: np.ndarray, fake: np.ndarray) -> float:
    """The greatest distance of the two distribution functions; 1 where one set alone is empty."""
    if not len(real) or not len(fake):
        return float(len(real) != len(fake))
    values = np.concatenate([real, fake])
    ours, theirs = (
        np.searchsorted(np.sort(one), values, side="right") / len(one) for one in (real, fake)
    )
    return float(np.abs(ours - theirs).max())


def _total_variation(real: np.ndarray, fake: np.ndarray, size: int) -> float:
    ours, theirs = (np.bincount(one, minlength=size) / len(one) for one in (real, fake))
    return float(np.abs(ours - theirs).sum() / 2)


def _there(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]


def _correlations(rows: Rows, columns: list) -> np.ndarray:
    """Pearson's, (columns, columns), of each pair over the rows that have both."""
    values = np.array([numbers_of(one, rows[one.name]) for one in columns], np.float64)
    values = values.reshape(len(columns), len(rows))
    gone = np.isnan(values)
    if not gone.any():
        return _whole_correlations(values)
    found = np.zeros((len(columns), len(columns)))
    for one, other in itertools.combinations(range(len(columns)), 2):
        both = values[[one, other]][:, ~(gone[one] | gone[other])]
        if both.shape[1] > 1:
            found[one, other] = found[other, one] = _whole_correlations(both)[0, 1]
    return found


def _whole_correlations(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).sum(axis=1))
    # Of equal values the mean is rounded, so that their spread may not be 0.
    constant = (values == values[:, :1]).all(axis=1)
    spread[constant], centred[constant] = 1.0, 0.0
    return (centred / spread[:, None]) @ (centred / spread[:, None]).T


def _cut(column, real: Rows, fake: Rows) -> Any:
    """Numbers of the cells in which the real and the generated values lie, and of how many."""
    ours, theirs = real[column.name], fake[column.name]
    if isinstance(column, Category):
        return column.codes(ours), column.codes(theirs), len(column.values)
    ours, theirs = numbers_of(column, ours), numbers_of(column, theirs)
    there = _there(ours)
    # What lies beyond counts with the ends; what is missing has a cell of its own, the last.
    edges = np.histogram_bin_edges(there if len(there) else [0.0], bins=_BINS)[1:-1]
    cells = (np.where(np.isnan(one), _BINS, np.digitize(one, edges)) for one in (ours, theirs))
    return *cells, _BINS + 1
