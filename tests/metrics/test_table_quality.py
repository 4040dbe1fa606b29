"""Scores of tables against scipy, closed forms and rows whose faults are known."""

import numpy as np
import pytest
import scipy.stats

from kgan.data.table import table
from kgan.kinds import Table
from kgan.metrics.table_quality import (
    column_shapes,
    independent_columns,
    pair_trends,
    table_quality,
)
from kgan.metrics.table_utility import table_utility
from kgan.rows import Category, Integer, Number, Rows

KIND = Table(
    (
        Number("x", -10.0, 10.0),
        Integer("count", 0, 100),
        Category("colour", ("blue", "green", "red")),
        Category("grade", (1, 2)),
    )
)


def rows(n, seed, *, slope=1.0, weights=(0.5, 0.3, 0.2)):
    random = np.random.default_rng(seed)
    x = random.normal(0, 2, n)
    return Rows(
        {
            "x": x,
            "count": np.clip(np.round(50 + 10 * slope * x + 5 * random.normal(size=n)), 0, 100)
            .astype(int),
            "colour": random.choice(["blue", "green", "red"], n, p=weights).astype(object),
            "grade": np.where(x + random.normal(size=n) > 0, 2, 1),
        }
    )  # fmt: skip


def test_equal_tables_have_every_score_at_one():
    ours = rows(500, 0)
    assert table_quality(ours, ours, table=KIND) == (1.0, 1.0, 1.0)


def test_columns_and_pairs_are_scored_by_their_formulas():
    ours, theirs = rows(700, 0), rows(400, 1, slope=0.4, weights=(0.2, 0.2, 0.6))
    shapes = column_shapes(ours, theirs, table=KIND)
    for name in ("x", "count"):
        expected = 1 - scipy.stats.ks_2samp(ours[name], theirs[name]).statistic
        assert shapes[name] == pytest.approx(expected, abs=1e-12)
    shares = [
        [np.mean(one["colour"] == c) for c in ("blue", "green", "red")] for one in (ours, theirs)
    ]
    assert shapes["colour"] == pytest.approx(1 - np.abs(np.subtract(*shares)).sum() / 2)
    pairs = pair_trends(ours, theirs, table=KIND)
    assert len(pairs) == 6
    correlations = [
        scipy.stats.pearsonr(one["x"], one["count"]).statistic for one in (ours, theirs)
    ]
    assert pairs["x", "count"] == pytest.approx(1 - abs(np.subtract(*correlations)) / 2)

    def cells(one, edges):
        table, *_ = np.histogram2d(
            np.digitize(one["x"], edges), one["grade"], bins=[np.arange(13) - 0.5, [0.5, 1.5, 2.5]]
        )
        return table / len(one)

    edges = np.histogram_bin_edges(ours["x"].astype(float), bins=10)
    apart = np.abs(cells(ours, edges) - cells(theirs, edges)).sum() / 2
    assert pairs["x", "grade"] == pytest.approx(1 - apart)
    quality = table_quality(ours, theirs, table=KIND)
    assert quality.column_shapes == pytest.approx(np.mean(list(shapes.values())))
    assert quality.pair_trends == pytest.approx(np.mean(list(pairs.values())))
    assert quality.quality == pytest.approx((quality.column_shapes + quality.pair_trends) / 2)


def test_shuffled_columns_keep_their_shapes_and_lose_their_trends():
    ours = rows(20_000, 0)
    shuffled = independent_columns(ours, seed=1)
    quality = table_quality(ours, shuffled, table=KIND)
    assert quality.column_shapes == 1.0
    pairs = pair_trends(ours, shuffled, table=KIND)
    assert pairs["x", "count"] == pytest.approx(0.5, abs=0.03)  # From about 1 to about 0.
    assert pairs["x", "colour"] > 0.95  # There was none.
    again = independent_columns(ours, seed=1)
    assert all((again[name] == shuffled[name]).all() for name in ours.columns)


def test_a_constant_column_has_no_trend_and_no_nan():
    # The mean of many 0.1 is not 0.1.
    flat = Rows({"a": np.full(1001, 0.1), "b": np.arange(1001.0)})
    slope = Rows({"a": np.arange(1001.0), "b": np.arange(1001.0)})
    kind = Table((Number("a", 0.0, 1.0), Number("b", 0.0, 1.0)))
    assert table_quality(flat, flat, table=kind) == (1.0, 1.0, 1.0)
    assert pair_trends(flat, slope, table=kind)["a", "b"] == pytest.approx(0.5)


def test_what_cannot_be_compared_is_named():
    ours = rows(50, 0)
    with pytest.raises(ValueError, match="fake must hold at least 2 rows, got 1"):
        table_quality(ours, ours[:1], table=KIND)
    fewer = Rows({name: values for name, values in ours.columns.items() if name != "x"})
    with pytest.raises(ValueError, match="the same columns"):
        table_quality(ours, fewer, table=KIND)


def test_utility_is_that_of_what_was_learnt():
    data, test = rows(1200, 0), rows(1500, 1)
    real = table_utility(test, data, table=KIND, target="grade")
    # The best that can be told of x and its noisy copy: P(sign(x) = sign(x + noise)).
    best = 0.5 + np.arctan(2.0) / np.pi
    assert real.utility_logistic == pytest.approx(best, abs=0.03)
    assert real.utility == pytest.approx(best, abs=0.05)
    shuffled = table_utility(test, independent_columns(data), table=KIND, target="grade")
    # Of labels that depend on nothing, any direction is learnt.
    assert max(shuffled) < best - 0.15
    one = Rows({**data.columns, "grade": np.full(len(data), 2)})
    share = float(np.mean(test["grade"] == 2))
    assert table_utility(test, one, table=KIND, target="grade") == (share, share)
    with pytest.raises(ValueError, match="target must be a category, got 'x', a number"):
        table_utility(test, data, table=KIND, target="x")
    with pytest.raises(ValueError, match=r"column must be one of .*'grad'"):
        table_utility(test, data, table=KIND, target="grad")


def test_a_table_of_one_column_has_no_pairs():
    data = table("x", {"a": np.arange(30) * 0.5})
    assert table_quality(data.samples, data.samples, table=data.kind).pair_trends == 1.0
