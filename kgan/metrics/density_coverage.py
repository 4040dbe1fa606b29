"""Density and coverage, which outliers among the samples disturb less."""

from typing import Any, NamedTuple

from kgan.metrics.checks import check_pair, check_whole
from kgan.metrics.neighbours import balls, squared_radii


class DensityCoverage(NamedTuple):
    """Density, at least 0 and 1 for equal laws; coverage in [0, 1]. Higher is better."""

    density: float
    coverage: float


def density_coverage(real: Any, fake: Any, *, k: int = 5) -> DensityCoverage:
    """How many real balls hold a fake, over k, and the share of real balls that hold one.

    A ball reaches to its centre's k-th real neighbour. For equal laws density tends to 1 and
    coverage to 1 - 2^-k (k = 5: 0.969), which is its ceiling rather than 1. Balls are closed (`<=`)
    as in `precision_recall`; prdc leaves the border out.

    Args:
        real: (n, d) features, n > k.
        fake: (m, d) features.
        k: Neighbours.

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
