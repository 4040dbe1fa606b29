"""Noisy counts of columns: the cells, what lies in them, and the nearest shares."""

import numpy as np
import pytest

from kgan.kinds import Table
from kgan.networks.private_counts import cells_of, on_simplex, private_counts
from kgan.rows import Category, Date, Integer, Number, Rows
from tests.networks.quiet import Quiet


@pytest.mark.parametrize(
    ("column", "points", "cells"),
    [
        (Number("x", 0.0, 250.0), [0, 250], 130),
        # 0 is the middle of 128 intervals, and an end of 129.
        (Number("x", -1.0, 1.0), [-1, 0, 1], 131),
        (Number("x", -1.0, 2.0), [-1, 0, 2], 132),
        (Number("x", 5.0, 5.0), [5], 1),
        (Integer("x", 1, 4), [], 4),
        (Integer("x", 0, 127), [], 128),
        (Integer("x", 0, 128), [0, 128], 130),
        (Date("x", 10, 400, 86_400_000_000, "%Y-%m-%d"), [10, 400], 130),
    ],
)
def test_cells_are_told_by_the_declaration(column, points, cells):
    low, high = cells_of(column)
    assert len(low) == cells
    assert low[low == high].tolist() == points
    # Without a gap.
    np.testing.assert_array_equal(high[:-1], low[1:])


def test_every_value_is_counted_where_it_lies():
    random = np.random.default_rng(0)
    given = {
        "x": np.append(random.uniform(-1, 2, 200), [-1, 0, 0, 0, 2]).astype(np.float32),
        "y": np.append(random.integers(0, 1000, 200), [0, 0, 0, 500, 1000]),
        "few": np.append(random.integers(1, 5, 200), [np.nan] * 5),
        "kind": np.array(["a"] * 150 + ["b"] * 55, object),
    }
    table = Table(
        (
            Number("x", -1.0, 2.0),
            Integer("y", 0, 1000),
            Integer("few", 1, 4, True),
            Category("kind", ("a", "b", "c")),
        )
    )
    found = private_counts(table, Rows(given), noise=2.0, random=(quiet := Quiet()))
    # A record adds 1 to one count of each of four columns.
    assert quiet.deviations == [2.0 * 2.0] * 4
    for name in ("x", "y"):
        own = found[name]
        assert (own.low[own.codes] <= given[name]).all()
        assert (given[name] <= own.high[own.codes]).all()
        zero = (own.low == 0) & (own.high == 0)
        assert own.shares[zero] * 205 == pytest.approx((given[name] == 0).sum())
        assert own.shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(found["few"].shares[-1], 5 / 205)
    np.testing.assert_allclose(found["kind"].shares, [150 / 205, 55 / 205, 0])


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ([3, 1, 0], [0.75, 0.25, 0]),
        # All fall by one half; then the last, below 0, is 0.
        ([3.5, 1.5, -2], [0.75, 0.25, 0]),
        ([9, -5, -5], [1, 0, 0]),
        ([-1, -1], [0.5, 0.5]),
    ],
)
def test_the_nearest_shares(counts, shares):
    np.testing.assert_allclose(on_simplex(np.array(counts, float), 4.0), shares)
