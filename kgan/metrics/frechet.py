"""The Fréchet distance between Gaussians fitted to features."""

from typing import Any

import numpy as np

from kgan.metrics.checks import check_pair
from kgan.metrics.moments import Moments


def frechet_distance(real: Any, fake: Any) -> float:
    """The squared Fréchet (2-Wasserstein) distance of two Gaussians with the features' moments.

    |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)), in float64, covariances divided by n - 1.
    Called FID only for the pool3 features of the Inception network of 2015. Its bias is about
    c / n, so scores compare at equal n only.

    The matrix square root is never formed. With at least one of n, m no smaller than d its trace is
    the sum of the roots of the eigenvalues of L^T C_y L, C_x = L L^T (Cholesky, or by eigenvectors
    where C_x is singular); with both smaller, the nuclear norm of the (n, m) products
    of the centred features, which is exact for such covariances and cheaper.

    Args:
        real: (n, d) features, or their `Moments`.
        fake: (m, d) features, or their `Moments`.

    Returns:
        The distance, in squared units of the features; at least 0.

    Raises:
        ValueError: for fewer than 2 samples, numbers that are not finite, or unequal d.

    Reference: Heusel et al. 2017 (arXiv:1706.08500), eq. 6; Dowson and Landau 1982.
    """
    if not isinstance(real, Moments) and not isinstance(fake, Moments):
        real, fake = check_pair(real, fake)
        if max(len(real), len(fake)) < real.shape[1]:
            return _of_few(real, fake)
    real, fake = (x if isinstance(x, Moments) else Moments(x) for x in (real, fake))
    if real.mean.shape != fake.mean.shape:
        raise ValueError(
            f"real and fake must have equally many features, got {len(real.mean)} and "
            f"{len(fake.mean)}. Were they made by one extractor?"
        )
    first, second = real.covariance, fake.covariance
    gap = real.mean - fake.mean
    cross = _trace_of_root(first, second)
    return max(float(gap @ gap + np.trace(first) + np.trace(second) - 2 * cross), 0.0)


def _of_few(real: np.ndarray, fake: np.ndarray) -> float:
    gap = real.mean(axis=0) - fake.mean(axis=0)
    a = (real - real.mean(axis=0)) / np.sqrt(len(real) - 1)
    b = (fake - fake.mean(axis=0)) / np.sqrt(len(fake) - 1)
    nuclear = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(float(gap @ gap + (a**2).sum() + (b**2).sum() - 2 * nuclear), 0.0)


def _trace_of_root(first: np.ndarray, second: np.ndarray) -> float:
    """tr (first second)^(1/2) of two positive semidefinite matrices."""
    try:
        root = np.linalg.cholesky(first)
    except np.linalg.LinAlgError:  # singular, as with features that never fire
        values, vectors = np.linalg.eigh(first)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
    product = root.T @ second @ root
    return float(np.sqrt(np.maximum(np.linalg.eigvalsh(product), 0.0)).sum())
