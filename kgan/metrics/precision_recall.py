"""Precision and recall of a generator, by balls around features."""

from typing import Any, NamedTuple

from kgan.metrics.checks import check_pair, check_whole
from kgan.metrics.neighbours import balls, squared_radii


class PrecisionRecall(NamedTuple):
    """Precision and recall, both in [0, 1]; higher is better."""

    precision: float
    recall: float


def precision_recall(real: Any, fake: Any, *, k: int = 3) -> PrecisionRecall:
    """The share of fakes in the manifold of real samples, and of real samples in that of fakes.

    A manifold is a union of balls, one around each sample, whose radius is the distance to the k-th
    neighbour (not counting the sample). Balls are closed (`<=`), as published and as in
    torch-fidelity; those of the package prdc are open, which makes a difference if samples
    coincide, as rectified features do at zero.

    Args:
        real: (n, d) features, n > k.
        fake: (m, d) features, m > k.
        k: Number of neighbours in a ball.

    Returns:
        `PrecisionRecall`.

    Raises:
        ValueError: for n or m <= k, numbers that are not finite, or unequal d.

    Reference: Kynkäänniemi et al. 2019 (arXiv:1904.06991), eqs. 1 and 2.
    """
    check_whole(k, "k")
    real, fake = check_pair(real, fake, minimum=k + 1)
    precision = (balls(real, squared_radii(real, k=k), fake).counts > 0).mean()
    recall = (balls(fake, squared_radii(fake, k=k), real).counts > 0).mean()
    return PrecisionRecall(float(precision), float(recall))
