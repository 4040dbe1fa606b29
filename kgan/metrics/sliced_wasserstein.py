"""The Wasserstein distance, averaged over one-dimensional projections."""

import numpy as np


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
        seed: Of the directions.

    Returns:
        The square root of the mean over directions of W2 squared, in the samples' units. For equal
        laws that differ by a shift of length m it tends to m / sqrt(d).

    Reference: Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures".
    """
    if real.shape != fake.shape:
        raise ValueError(f"real and fake must have one shape, got {real.shape} and {fake.shape}.")
    if len(real) == 0:
        raise ValueError("real and fake must hold at least one sample, got none.")
    real, fake = (values.reshape(len(values), -1).astype(np.float64) for values in (real, fake))
    directions = np.random.default_rng(seed).standard_normal((real.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    gaps = np.sort(real @ directions, axis=0) - np.sort(fake @ directions, axis=0)
    return float(np.sqrt(np.mean(gaps**2)))
