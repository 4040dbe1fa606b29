"""The Wasserstein distance, averaged over one-dimensional projections."""

import numpy as np

from kgan.metrics.checks import check_rows, check_units, check_whole

DIRECTIONS = 100  # at once, to bound memory


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
    if np.shape(real) != np.shape(fake):
        raise ValueError(
            f"real and fake must have one shape, got {np.shape(real)} and {np.shape(fake)}."
        )
    if len(real) == 0:
        raise ValueError("real and fake must hold at least one sample, got none.")
    check_units(real, fake)
    check_whole(projections, "projections")
    real, fake = check_rows(real, "real", minimum=1), check_rows(fake, "fake", minimum=1)
    directions = np.random.default_rng(seed).standard_normal((real.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    total = 0.0
    for start in range(0, projections, DIRECTIONS):
        part = directions[:, start : start + DIRECTIONS]
        gaps = np.sort(real @ part, axis=0) - np.sort(fake @ part, axis=0)
        total += float(np.mean(gaps**2, axis=0).sum())
    return total / projections
