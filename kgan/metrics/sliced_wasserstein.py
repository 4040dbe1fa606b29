"""The Wasserstein distance, averaged over one-dimensional projections."""

from typing import Any

import numpy as np

from kgan.metrics.checks import check_rows, check_units, check_whole
from kgan.portions import portions

# At once, to bound memory: directions, and values of samples.
DIRECTIONS, VALUES = 100, 2**25


def sliced_wasserstein(
    real: np.ndarray, fake: np.ndarray, *, projections: int = 256, seed: int = 0
) -> float:
    """The sliced 2-Wasserstein distance between two samples of the same size.

    Each sample is projected on random unit directions; in one dimension the optimal transport pairs
    sorted values. No features are needed, so it serves points and small images as they are.

    Args:
        real: (n, ...), flattened to (n, d).
        fake: (n, ...) of the same shape.
        projections: Number of directions.
        seed: Seed of the directions.

    Returns:
        The square root of the mean over directions of W2 squared, in the samples' units. For equal
        laws that differ by a shift of length m it tends to m / sqrt(d).

    Reference: Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures".
    """
    return float(np.sqrt(_mean_of_squares(real, fake, projections, seed)))


def mind(real: np.ndarray, fake: np.ndarray, *, projections: int = 1000, seed: int = 0) -> float:
    """3 d times the mean over directions of the sliced W2 squared, on features.

    It needs fewer samples than the Fréchet distance and assumes no Gaussian. For laws that differ
    by a shift of mu in each of d features it tends to 3 d mu^2.

    Args:
        real: (n, d) features.
        fake: (n, d) features, equally many.
        projections: Number of directions.
        seed: Seed of the directions.

    Returns:
        The distance, in squared units of the features.

    Reference: "Monge Inception Distance", MIND.
    """
    return 3.0 * np.prod(np.shape(real)[1:]) * _mean_of_squares(real, fake, projections, seed)


def _mean_of_squares(real: np.ndarray, fake: np.ndarray, projections: int, seed: int) -> float:
    real, fake = (one if hasattr(one, "shape") else np.asarray(one) for one in (real, fake))
    if tuple(real.shape) != tuple(fake.shape):
        raise ValueError(
            f"real and fake must have one shape, got {tuple(real.shape)} and {tuple(fake.shape)}."
        )
    if len(real) == 0:
        raise ValueError("real and fake must hold at least one sample, got none.")
    check_units(real, fake)
    check_whole(projections, "projections")
    size = int(np.prod(real.shape[1:], dtype=np.int64))
    directions = np.random.default_rng(seed).standard_normal((size, projections))
    directions /= np.linalg.norm(directions, axis=0)
    total = 0.0
    for start in range(0, projections, DIRECTIONS):
        some = directions[:, start : start + DIRECTIONS]
        gaps = _sorted(real, "real", some) - _sorted(fake, "fake", some)
        total += float(np.mean(gaps**2, axis=0).sum())
    return total / projections


def _sorted(samples: Any, name: str, directions: np.ndarray) -> np.ndarray:
    """The values of all samples along each direction, sorted: (n, directions)."""
    most = max(1, VALUES * samples.dtype.itemsize)
    projected = [
        check_rows(one, name, minimum=1) @ directions for one in portions(samples, most=most)
    ]
    return np.sort(np.concatenate(projected), axis=0)
