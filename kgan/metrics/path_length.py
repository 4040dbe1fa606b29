"""Perceptual path length: how much a generator's output changes for a small step of the latent."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kgan.latents import INTERPOLATIONS
from kgan.metrics.checks import check_whole
from kgan.random import check_seed, normal, step_seed, uniform


def perceptual_path_length(
    generate: Callable[[Any], Any],
    *,
    features: Callable[[Any], Any],
    latent_dim: int,
    samples: int = 10_000,
    epsilon: float = 1e-4,
    interpolation: str = "spherical",
    keep: tuple[float, float] = (1.0, 99.0),
    batch_size: int = 100,
    seed: int = 0,
) -> float:
    """E d(G(z_t), G(z_(t + epsilon))) / epsilon^2 over random pairs of latents and t in [0, 1].

    d is the squared Euclidean distance of features. Published figures use LPIPS on VGG: only scores
    of the same features compare. Images must stay float; uint8 steps would be all that is measured.

    Args:
        generate: Function from float32 latents (n, latent_dim) to samples.
        features: Function from samples to (n, d) features.
        latent_dim: Length of a latent vector, drawn from N(0, 1).
        samples: Number of pairs of latents.
        epsilon: Length of the step, as a share of the path.
        interpolation: "spherical" for Gaussian latents, "linear" for a mapped space (w).
        keep: Percentiles between which distances count.
        batch_size: Number of pairs computed at a time.
        seed: Seed of latents and positions.

    Raises:
        ValueError: for samples that are no floats, features that are not finite or not one row a
            sample, and percentiles that leave nothing.

    Returns:
        The mean, in squared units of the features.

    Reference: Karras et al. 2019 (arXiv:1812.04948), section 4.1, eq. 2.
    """
    check_whole(samples, "samples")
    check_whole(latent_dim, "latent_dim")
    check_whole(batch_size, "batch_size")
    check_seed(seed)
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon must be in (0, 1), a share of the path, got {epsilon}.")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation must be one of {sorted(INTERPOLATIONS)}, got {interpolation!r}."
        )
    if not 0 <= keep[0] < keep[1] <= 100:
        raise ValueError(f"keep must be two percentiles, the lower first, got {keep}.")
    between, distances = INTERPOLATIONS[interpolation], []
    for batch in range(-(-samples // batch_size)):
        shape = [batch_size, latent_dim]
        start = normal(step_seed(seed, batch, "path start"), shape)
        end = normal(step_seed(seed, batch, "path end"), shape)
        share = uniform(step_seed(seed, batch, "path share"), [batch_size])
        near, far = (
            _checked(features(_unrounded(generate(between(start, end, t)))), batch_size)
            for t in (share, share + epsilon)
        )
        gap = (near - far).reshape(batch_size, -1)
        distances.append((gap**2).sum(axis=1) / epsilon**2)
    found = np.concatenate(distances)[:samples]
    if not np.isfinite(found).all():
        raise ValueError("features of generated samples must be finite, got NaN or infinity.")
    low, high = np.percentile(found, keep)
    kept = found[(found >= low) & (found <= high)]
    if not len(kept):
        raise ValueError(
            f"keep must leave some of {samples} distances, got {keep}, which leave none."
        )
    return float(kept.mean())


def _unrounded(samples: Any) -> Any:
    if (dtype := np.dtype(np.asarray(samples).dtype)).kind != "f":
        raise ValueError(
            f"generate must return floats, got {dtype}: of rounded samples a small step is 0, or "
            "the rounding's."
        )
    return samples


def _checked(features: Any, n: int) -> np.ndarray:
    values = np.asarray(features, np.float64)
    if values.shape[:1] != (n,):
        raise ValueError(f"features must be of {n} samples, got the shape {values.shape}.")
    return values
