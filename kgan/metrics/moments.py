"""Mean and covariance of features that arrive in batches."""

from typing import Any

import numpy as np

from kgan.metrics.checks import check_rows


class Moments:
    """Streaming mean and covariance in float64, without keeping the features.

    Each batch is centred before its products are summed, and batches are joined by Chan's formula,
    so a large common offset costs no digits.

    Args:
        features: Optional first batch, (n, d).

    Reference: Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance", eq. 2.1.
    """

    def __init__(self, features: Any = None):
        self.count = 0
        self._mean = np.zeros(0)
        self._scatter = np.zeros((0, 0))
        if features is not None:
            self.update(features)

    def update(self, features: Any) -> "Moments":
        """Adds a batch of shape (n, d); returns itself."""
        features = check_rows(features, "features", minimum=1)
        mean = features.mean(axis=0)
        centred = features - mean
        return self._join(len(features), mean, centred.T @ centred)

    def merge(self, other: "Moments") -> "Moments":
        """Adds all that `other` has seen; returns itself."""
        if other.count:
            self._join(other.count, other._mean, other._scatter)
        return self

    def _join(self, count: int, mean: np.ndarray, scatter: np.ndarray) -> "Moments":
        if self.count == 0:
            self.count, self._mean, self._scatter = count, mean.copy(), scatter.copy()
            return self
        if mean.shape != self._mean.shape:
            raise ValueError(
                f"features must have {len(self._mean)} columns as before, got {len(mean)}."
            )
        total = self.count + count
        gap = mean - self._mean
        self._scatter += scatter + np.outer(gap, gap) * (self.count * count / total)
        self._mean = self._mean + gap * (count / total)
        self.count = total
        return self

    @property
    def mean(self) -> np.ndarray:
        """float64 of shape (d,)."""
        if self.count < 1:
            raise ValueError("a mean needs at least 1 sample, got 0.")
        return self._mean

    @property
    def covariance(self) -> np.ndarray:
        """float64 of shape (d, d), divided by n - 1 as `numpy.cov` does."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 samples, got {self.count}.")
        return self._scatter / (self.count - 1)
