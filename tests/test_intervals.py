"""Intervals against published tables and their own coverage."""

import numpy as np
import pytest

from kgan.intervals import halves_interval, mean_interval, share_interval


def test_wilsons_interval_of_a_share():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I.
    assert share_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert share_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert share_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert share_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert share_interval(20, 20)[1] == 1.0


def test_student_interval_of_three():
    low, high = mean_interval([1.0, 2.0, 3.0])
    # t of 2 degrees of freedom at 97.5% is 4.302653; the deviation is 1.
    assert (high - low) / 2 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert (high + low) / 2 == pytest.approx(2)
    assert mean_interval([1.0, 2.0]) == (None, None)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).standard_normal((4000, 5))
    ends = np.array([mean_interval(row) for row in draws])
    covered = ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean()
    assert covered == pytest.approx(0.95, abs=0.015)


def test_halves_give_the_standard_error_of_a_mean():
    random = np.random.default_rng(0)
    values = random.standard_normal(400)
    halves = [values[random.permutation(400)[:200]].mean() for _ in range(4000)]
    low, high = halves_interval(values.mean(), halves)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=0.05)
