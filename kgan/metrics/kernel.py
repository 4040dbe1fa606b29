"""The kernel distance: an unbiased maximum mean discrepancy of features."""

from typing import Any, NamedTuple

import numpy as np

from kgan.metrics.checks import check_pair, check_whole
from kgan.random import check_seed


class KernelDistance(NamedTuple):
    """Mean and standard deviation over subsets. Subsets overlap: `std` is no standard error."""

    mean: float
    std: float


def kernel_distance(
    real: Any, fake: Any, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """The squared maximum mean discrepancy with the kernel (x·y / d + 1)^3, averaged over subsets.

    Unbiased: zero in the mean for equal laws, and below zero for about half of such samples.

    Args:
        real: (n, d) features.
        fake: (m, d) features.
        subsets: Number of random subsets.
        subset_size: Samples in each, drawn without replacement; at most n and m.
        seed: Seed of the subsets.

    Returns:
        `KernelDistance`, in units of the kernel.

    Raises:
        ValueError: as `frechet_distance`, and for a subset larger than a set.

    Reference: Bińkowski et al. 2018 (arXiv:1801.01401), eq. 4 and section 4.
    """
    check_whole(subsets, "subsets")
    check_whole(subset_size, "subset_size", minimum=2)
    real, fake = check_pair(real, fake)
    if subset_size > min(len(real), len(fake)):
        raise ValueError(
            f"subset_size must be at most the number of samples, got {subset_size} for {len(real)} "
            f"real and {len(fake)} fake ones."
        )
    random = np.random.default_rng(check_seed(seed))
    distances = [
        squared_discrepancy(
            real[random.choice(len(real), subset_size, replace=False)],
            fake[random.choice(len(fake), subset_size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def squared_discrepancy(real: np.ndarray, fake: np.ndarray) -> float:
    """The unbiased estimate for two whole sets, float64 of shapes (n, d) and (m, d)."""

    def kernel(x, y):
        base = x @ y.T / x.shape[1] + 1.0
        return base * base * base  # A power takes six times as long.

    def within(x):
        values = kernel(x, x)
        return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))

    return float(within(real) + within(fake) - 2.0 * kernel(real, fake).mean())
