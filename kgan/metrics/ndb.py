"""The number of statistically different bins."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans

from kgan.intervals import NORMAL_QUANTILE
from kgan.metrics.checks import check_pair, check_whole
from kgan.metrics.neighbours import nearest
from kgan.random import check_seed

BINS = 100
"""Bins of the published measure."""


class NDB(NamedTuple):
    """Share of bins that differ (about 0.05 for equal laws), and the Jensen-Shannon divergence."""

    share: float
    jensen_shannon: float


def ndb(real: Any, fake: Any, *, bins: int = BINS, seed: int = 0) -> NDB:
    """The share of k-means bins of the real data that fakes fill differently at the 5% level.

    Each bin's two shares meet in a two-proportion z test with pooled variance. The bins were fitted
    to `real`, so the rate on equal laws is a little over 5% unless n is much larger than `bins`.

    Args:
        real: (n, ...) samples or features, n >= bins; the bins are fitted to them.
        fake: (m, ...), flattened to the same d.
        bins: Number of bins.
        seed: Seed of k-means.

    Returns:
        `NDB`; the divergence in nats, in [0, log 2].

    Reference: Richardson and Weiss 2018 (arXiv:1805.12462), section 2.
    """
    check_whole(bins, "bins", minimum=2)
    real, fake = check_pair(real, fake)
    if len(real) < bins:
        raise ValueError(
            f"real must hold at least {bins} samples for {bins} bins, got {len(real)}."
        )
    fitted = KMeans(bins, n_init=1, random_state=check_seed(seed)).fit(real)
    p = np.bincount(fitted.labels_, minlength=bins) / len(real)
    which = nearest(fake, fitted.cluster_centers_).indices[:, 0]
    q = np.bincount(which, minlength=bins) / len(fake)
    pooled = (p * len(real) + q * len(fake)) / (len(real) + len(fake))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(real) + 1 / len(fake)))
    different = np.abs(p - q) > NORMAL_QUANTILE * error
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return NDB(float(different.mean()), divergence)


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    some = p > 0
    return float((p[some] * np.log(p[some] / q[some])).sum())
