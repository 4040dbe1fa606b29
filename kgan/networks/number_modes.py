"""The modes of a column of numbers, by which a table's networks see it."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture
from threadpoolctl import threadpool_limits

_MOST_MODES = 10
_CONCENTRATION = 0.001
_LEAST_WEIGHT = 0.005
# Published: a value is seen relative to four deviations of its mode.
_DEVIATIONS = 4.0
# A mixture of so many values is as good as one of more, and is fitted in a second.
_MOST_VALUES = 10_000
# A value that so many rows have is a mode of its own, which gives it back exactly.
_POINT_SHARE, _POINT_COUNT = 0.05, 10
# Of a column whose values are not rounded, the part of its spread that can be told apart.
_FINEST = 2.0**-20


class Modes(NamedTuple):
    """Modes of a column, float64 (modes,) each.

    Attributes:
        centers: Where each lies.
        deviations: Standard deviation of each, at least a quarter of the column's step; next to
            nothing for a single frequent value.
        weights: Share of each; 0 for one that only serves values which no other reaches.
        scales: How far each reaches: a value x is seen as (x - center) / scale, in [-1, 1].
    """

    centers: np.ndarray
    deviations: np.ndarray
    weights: np.ndarray
    scales: np.ndarray


def number_modes(values: np.ndarray, *, step: float, whole: bool = False, seed: int = 0) -> Modes:
    """Fits a Gaussian mixture whose number of modes the data decide, at most ten.

    Values that a twentieth of all are equal to, such as 0, are modes of their own beside these.

    Where a value lies beyond four deviations of every mode, one more mode spans the whole range, so
    that each value is within reach of some mode and none is clipped. Centers of whole numbers are
    whole and their scales powers of two: then (x - center) / scale is exact in float64, where x
    and center are at most 2**53 apart.

    Args:
        values: float64 (n,), finite.
        step: Least difference between two values, such as 0.01; 0 where they are not rounded.
        whole: Whether they are whole numbers.
        seed: Seed of the fit.

    Reference: Xu et al. 2019, section 4.2 (arXiv:1907.00503).
    """
    low, high = float(values.min()), float(values.max())
    spread = float(values.std())
    step = step or max(spread, abs(high), abs(low)) * _FINEST
    points, shares, rest = _points(values)
    if spread == 0.0:
        means, deviations, weights = (np.array([one]) for one in (low, 0.0, 1.0))
        points, shares = points[:0], shares[:0]
    elif len(rest):
        means, deviations, weights = _mixture(rest, float(rest.std()), seed)
        weights = weights * (1.0 - shares.sum())
    else:
        means, deviations, weights = np.zeros((3, 0))
    scales = np.maximum(_DEVIATIONS * deviations, step / 2)
    if whole:
        means, scales = np.round(means), _power_of_two(scales)
    deviations = np.maximum(deviations, step / 4)
    # Whatever place is drawn in the mode of a single value, it is rounded to that value.
    own = _power_of_two(step / 4) if whole else step / 4
    means = np.append(means, points)
    scales = np.append(scales, np.full(len(points), own))
    deviations = np.append(deviations, np.full(len(points), step * 2.0**-12))
    weights = np.append(weights, shares)
    reached = (np.abs(values[:, None] - means) <= scales).any(axis=1)
    if not reached.all():
        means = np.append(means, np.round((low + high) / 2) if whole else (low + high) / 2)
        reach = max(high - means[-1], means[-1] - low)
        # The next float, since that difference is rounded.
        scales = np.append(scales, _power_of_two(reach) if whole else np.nextafter(reach, np.inf))
        weights, deviations = np.append(weights, 0.0), np.append(deviations, scales[-1])
    return Modes(means, deviations, weights, scales)


def _points(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values that are modes of their own, their shares, and all other values."""
    distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    frequent = (counts >= _POINT_SHARE * len(values)) & (counts >= _POINT_COUNT)
    return distinct[frequent], counts[frequent] / len(values), values[~frequent[inverse]]


def _mixture(values: np.ndarray, spread: float, seed: int) -> tuple[np.ndarray, ...]:
    """Means, deviations and weights of the modes that are not negligible."""
    if len(values) > _MOST_VALUES:
        values = np.random.default_rng(seed).choice(values, _MOST_VALUES, replace=False)
    middle = float(np.mean(values))
    standard = ((values - middle) / (spread or 1.0))[:, None]
    if len(standard) < 2:
        return values, np.zeros(1), np.ones(1)
    mixture = BayesianGaussianMixture(
        n_components=min(_MOST_MODES, len(np.unique(standard))),
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=_CONCENTRATION,
        random_state=seed,
    )
    # One thread: the same sums on every machine, and for so few values the fastest.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(standard)
    kept = mixture.weights_ > _LEAST_WEIGHT
    shares = mixture.predict_proba(standard)[:, kept]
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    sums = np.maximum(shares.sum(axis=0), 1e-12)
    # Moments anew: the mixture adds to each variance, and a single frequent value has none.
    means = (shares * standard).sum(axis=0) / sums
    deviations = np.sqrt((shares * (standard - means) ** 2).sum(axis=0) / sums)
    return means * spread + middle, deviations * spread, sums / sums.sum()


def _power_of_two(values: np.ndarray | float) -> np.ndarray:
    """The least power of two that is not below each value."""
    return 2.0 ** np.ceil(np.log2(values))
