"""Moments against numpy, and the Fréchet distance against closed forms of Gaussians."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgan.metrics import Moments, frechet_distance


def normal(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def with_moments(n, mean, covariance, seed=0):
    """n rows whose sample mean and covariance are the given ones, to rounding."""
    centred = normal(n, len(mean), seed)
    centred -= centred.mean(axis=0)
    q, _ = np.linalg.qr(centred)
    values, vectors = np.linalg.eigh(covariance)
    return np.sqrt(n - 1) * q @ (np.sqrt(np.maximum(values, 0)) * vectors).T + mean


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 10**6))
def test_merged_moments_are_numpy_s(n, first, second, seed):
    first, second = sorted((min(first, n), min(second, n)))
    features = normal(n, 4, seed) * [1, 10, 0.1, 1] + [1e4, 0, -3, 5]
    parts = [Moments(x) if len(x) else Moments() for x in np.split(features, [first, second])]
    merged = parts[2].merge(parts[0]).merge(parts[1])
    assert merged.count == n
    np.testing.assert_allclose(merged.mean, features.mean(axis=0), rtol=1e-12, atol=1e-12)
    expected = np.cov(features, rowvar=False)
    np.testing.assert_allclose(merged.covariance, expected, rtol=1e-9, atol=1e-9)


def test_merging_leaves_the_other_as_it_was():
    first, second = Moments(normal(9, 3)), Moments(normal(7, 3, seed=1))
    before = second.covariance.copy()
    Moments().merge(second).merge(first)
    assert np.array_equal(second.covariance, before)
    assert second.count == 7


def test_moments_of_too_little():
    with pytest.raises(ValueError, match="a mean needs at least 1 sample, got 0"):
        _ = Moments().mean
    with pytest.raises(ValueError, match="a covariance needs at least 2 samples, got 1"):
        _ = Moments(np.zeros((1, 3))).covariance
    with pytest.raises(ValueError, match="features must have 3 columns as before, got 2"):
        Moments(np.zeros((4, 3))).update(np.zeros((4, 2)))


@pytest.mark.parametrize("deviations", [[1.0, 2.0, 0.5, 3.0], [1.0, 2.0, 0.0, 0.0]])
def test_commuting_covariances(deviations):
    turn = np.linalg.qr(normal(4, 4))[0]
    a, b = np.array(deviations), np.array([2.0, 0.0, 0.0, 1.0])
    real = with_moments(50, np.zeros(4), turn @ np.diag(a**2) @ turn.T)
    fake = with_moments(60, np.array([1.0, 2.0, 0, 2.0]), turn @ np.diag(b**2) @ turn.T, seed=1)
    assert frechet_distance(real, fake) == pytest.approx(9 + ((a - b) ** 2).sum(), rel=1e-6)


def test_covariances_that_do_not_commute():
    # In two dimensions tr (A B)^(1/2) is the root of tr AB + 2 (det AB)^(1/2).
    a, b = np.array([[4.0, 1.0], [1.0, 1.0]]), np.array([[1.0, -0.5], [-0.5, 2.0]])
    cross = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = 25 + np.trace(a) + np.trace(b) - 2 * cross
    real, fake = with_moments(30, np.zeros(2), a), with_moments(40, np.array([3.0, 4.0]), b, 1)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(Moments(real), Moments(fake)) == pytest.approx(expected, rel=1e-12)


def test_fewer_samples_than_features():
    real = normal(8, 30)
    # A shift and a scale: covariances commute, and are singular.
    fake = 3 * (real - real.mean(axis=0)) + real.mean(axis=0) + 0.5
    expected = 30 * 0.25 + 4 * np.trace(np.cov(real, rowvar=False))
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-12)
    # The roots of eigenvalues that are zero but for rounding cost digits.
    assert frechet_distance(Moments(real), Moments(fake)) == pytest.approx(expected, rel=1e-6)


def test_both_branches_agree_where_only_one_set_is_small():
    real, fake = normal(40, 30), normal(20, 30, seed=1)
    a, b = (x - x.mean(axis=0) for x in (real, fake))
    cross = np.linalg.svd(a @ b.T / np.sqrt(39 * 19), compute_uv=False).sum()
    gap = real.mean(axis=0) - fake.mean(axis=0)
    expected = gap @ gap + (a**2).sum() / 39 + (b**2).sum() / 19 - 2 * cross
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(fake, real) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(80, 6), (5, 40)])
def test_never_negative_and_zero_for_equal_sets(shape):
    for seed in range(5):
        real, fake = normal(*shape, seed), normal(*shape, seed + 100)
        scale = np.trace(np.cov(real, rowvar=False))
        assert 0 <= frechet_distance(real, real) < 1e-10 * scale
        assert frechet_distance(real, fake) > 1e-3 * scale
    constant = np.ones(shape)
    assert frechet_distance(constant, constant) == 0.0
    assert frechet_distance(constant, constant + 2) == pytest.approx(4 * shape[1])


def test_float32_features_are_summed_in_float64():
    real, fake = (normal(500, 8, s).astype("float32") + 1000 for s in (0, 1))
    expected = frechet_distance(*(x.astype(np.float64) for x in (real, fake)))
    assert frechet_distance(real, fake) == expected


def test_moments_of_different_extractors():
    with pytest.raises(ValueError, match="equally many features, got 3 and 4"):
        frechet_distance(Moments(normal(9, 3)), Moments(normal(9, 4)))
