"""Density and coverage, which depend less on outliers than precision and recall do."""

from typing import Any, NamedTuple

from kgan.metrics.checks import check_pair, check_whole
from kgan.metrics.neighbours import balls, squared_radii


class DensityCoverage(NamedTuple):
    """Density (at least 0, about 1 for equal distributions) and coverage (in [0, 1])."""

    density: float
    coverage: float


def density_coverage(real: Any, fake: Any, *, k: int = 5) -> DensityCoverage:
    """The number of real balls that contain a fake, over k, and the share that contain any.

    The radius of a ball is the distance from its centre to the k-th real neighbour. For equal
    distributions density tends to 1 and coverage to 1 - 2^-k (0.969 for k = 5). Balls are closed
    (`<=`) as in `precision_recall`; those of the package prdc are open.

    Args:
        real: (n, d) features, n > k.
        fake: (m, d) features.
        k: Number of neighbours in a ball.

    Returns:
        `DensityCoverage`.

    Raises:
        ValueError: for n or m <= k, numbers that are not finite, or unequal d.

    Reference: Naeem et al. 2020 (arXiv:2002.09797), eqs. 4 and 6.
    """
    check_whole(k, "k")
    real, fake = check_pair(real, fake, minimum=k + 1)
    found = balls(real, squared_radii(real, k=k), fake)
    return DensityCoverage(float(found.counts.mean() / k), float(found.occupied.mean()))
