"""Nearest neighbours and balls against sums of squared differences."""

import numpy as np
import pytest

from kgan.metrics import neighbours
from kgan.metrics.neighbours import (
    balls,
    nearest,
    nearest_in_parts,
    nearest_others,
    squared_radii,
)


def squared_distances(x, y):
    return np.stack([((y - row) ** 2).sum(axis=1) for row in x])


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS", 30)
    monkeypatch.setattr(neighbours, "COLUMNS", 47)
    monkeypatch.setattr(neighbours, "PAIRS", 100)


@pytest.fixture(params=["spread", "far from zero", "on a lattice", "all equal"])
def points(request):
    random = np.random.default_rng(0)
    spread = random.standard_normal((211, 5))
    return {
        "spread": spread,
        "far from zero": spread + 1e6,
        # Many ties, at distances whose squares have no exact root.
        "on a lattice": random.integers(0, 4, (211, 3)) * 0.125 + 0.5,
        "all equal": np.full((90, 4), 0.1),
    }[request.param]


def test_neighbours_are_at_the_exact_distances(points):
    queries = points[:70]
    found = nearest(queries, points, k=6)
    exact = squared_distances(queries, points)
    assert np.array_equal(found.squared, np.sort(exact, axis=1)[:, :6])
    assert np.array_equal(found.squared, np.take_along_axis(exact, found.indices, axis=1))
    assert np.array_equal(found.distances, np.sqrt(found.squared))


@pytest.mark.parametrize("size", [3, 50, 1000])
def test_points_in_parts_are_the_points(points, size):
    queries = points[:30]
    parts = (points[start : start + size] for start in range(0, len(points), size))
    found = nearest_in_parts(queries, parts, k=5)
    whole = nearest(queries, points, k=5)
    assert np.array_equal(found.squared, whole.squared)
    exact = squared_distances(queries, points)
    assert np.array_equal(found.squared, np.take_along_axis(exact, found.indices, axis=1))


def test_of_fewer_points_than_asked_for_all_are_found():
    found = nearest_in_parts(np.zeros((2, 1)), iter([np.ones((1, 1)), np.zeros((1, 1))]), k=5)
    assert found.indices.tolist() == [[1, 0], [1, 0]]
    assert found.squared.tolist() == [[0, 1], [0, 1]]


def test_points_that_nearly_coincide_keep_their_digits():
    one = np.array([[1.0, 1.0], [1.0, 1.0 + 2**-20]], np.float32)
    assert nearest_others(one).distances[:, 0] == pytest.approx([2**-20] * 2, rel=1e-12)


def test_others_leave_out_the_point_but_not_its_equals(points):
    found = nearest_others(points, k=4)
    exact = squared_distances(points, points)
    np.fill_diagonal(exact, np.inf)
    assert np.array_equal(found.squared, np.sort(exact, axis=1)[:, :4])
    assert (found.indices != np.arange(len(points))[:, None]).all()
    assert np.array_equal(squared_radii(points, k=4), found.squared[:, -1])


@pytest.mark.parametrize("closed", [True, False])
def test_balls_decide_the_border_exactly(points, closed):
    # Each k-th neighbour lies exactly on a border.
    radii = squared_radii(points, k=3)
    exact = squared_distances(points, points)
    inside = exact <= radii[:, None] if closed else exact < radii[:, None]
    found = balls(points, radii, points, closed=closed)
    assert np.array_equal(found.counts, inside.sum(axis=0))
    assert np.array_equal(found.occupied, inside.any(axis=1))


def test_k_beyond_the_samples():
    with pytest.raises(ValueError, match=r"k must be in \[1, 4\] for 5 samples, got 5. Lower k"):
        nearest_others(np.zeros((5, 2)), k=5)
