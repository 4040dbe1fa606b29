"""Precision, recall, density and coverage together, sharing the passes over the features."""

from typing import Any, NamedTuple

from kgan.metrics.checks import check_pair, check_whole
from kgan.metrics.neighbours import balls, nearest_others, squared_radii


class PRDC(NamedTuple):
    """See `precision_recall` and `density_coverage`."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Any, fake: Any, *, k: int = 3, density_k: int = 5) -> PRDC:
    """`precision_recall` with `k` and `density_coverage` with `density_k`, each as published.

    Args:
        real: (n, d) features.
        fake: (m, d) features.
        k: Number of neighbours for precision and recall.
        density_k: Number of neighbours for density and coverage.

    Returns:
        `PRDC`.
    """
    most = max(check_whole(k, "k"), check_whole(density_k, "density_k"))
    real, fake = check_pair(real, fake, minimum=most + 1)
    squared = nearest_others(real, k=most).squared
    precision = (balls(real, squared[:, k - 1], fake).counts > 0).mean()
    recall = (balls(fake, squared_radii(fake, k=k), real).counts > 0).mean()
    found = balls(real, squared[:, density_k - 1], fake)
    return PRDC(
        float(precision),
        float(recall),
        float(found.counts.mean() / density_k),
        float(found.occupied.mean()),
    )
