"""The sliced Wasserstein distance against closed forms."""

import numpy as np
import pytest

from kgan.metrics import sliced_wasserstein

RANDOM = np.random.default_rng(0)


def test_a_shift_gives_its_length_over_the_root_of_the_dimension():
    points = RANDOM.standard_normal((500, 6))
    shift = np.array([3.0, 0, 0, 4.0, 0, 0])
    # Exact in the mean over directions; 20,000 directions leave about 1%.
    distance = sliced_wasserstein(points, points + shift, projections=20_000)
    assert distance == pytest.approx(5 / np.sqrt(6), rel=0.02)


def test_one_dimension_is_the_sorted_difference():
    real, fake = RANDOM.standard_normal((2, 100, 1))
    expected = np.sqrt(np.mean((np.sort(real[:, 0]) - np.sort(fake[:, 0])) ** 2))
    assert sliced_wasserstein(real, fake) == pytest.approx(expected)


def test_order_does_not_matter_and_equal_samples_have_distance_zero():
    real, fake = RANDOM.random((2, 50, 4, 4, 1))
    assert sliced_wasserstein(real, real[::-1]) == pytest.approx(0, abs=1e-12)
    assert sliced_wasserstein(real, fake[::-1]) == pytest.approx(sliced_wasserstein(real, fake))


def test_bad_shapes():
    with pytest.raises(ValueError, match=r"must have one shape, got \(3, 2\) and \(4, 2\)"):
        sliced_wasserstein(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="at least one sample, got none"):
        sliced_wasserstein(np.zeros((0, 2)), np.zeros((0, 2)))
