"""Mixtures of Gaussians in the plane whose modes can be counted."""

import numpy as np

from kgan.data.dataset import Dataset

_SIZES = {"train": 100_000, "test": 10_000}

RING_DEVIATION = 0.01
GRID_DEVIATION = 0.05


def ring_centres() -> np.ndarray:
    """Eight points on the unit circle, (8, 2)."""
    angles = 2 * np.pi * np.arange(8) / 8
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid_centres() -> np.ndarray:
    """{-4, -2, 0, 2, 4} squared, (25, 2)."""
    axis = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def load_ring(split: str = "train") -> Dataset:
    """100,000 points of eight Gaussians with deviation 0.01 on the unit circle.

    Reference: Lin et al. 2018, section 4.1 (arXiv:1712.04086).
    """
    return _mixture("ring", split, ring_centres(), RING_DEVIATION)


def load_grid(split: str = "train") -> Dataset:
    """100,000 points of 25 Gaussians with deviation 0.05 on a grid of spacing 2.

    Reference: Lin et al. 2018, section 4.1 (arXiv:1712.04086).
    """
    return _mixture("grid", split, grid_centres(), GRID_DEVIATION)


def _mixture(name: str, split: str, centres: np.ndarray, deviation: float) -> Dataset:
    if split not in _SIZES:
        raise ValueError(f"split of {name} must be train or test, got {split!r}.")
    random = np.random.default_rng(list(_SIZES).index(split))
    n = _SIZES[split]
    modes = np.arange(n) % len(centres)
    samples = centres[modes] + deviation * random.standard_normal((n, 2))
    names = tuple(f"mode {mode}" for mode in range(len(centres)))
    return Dataset(name, samples.astype(np.float32), modes.astype(np.int32), names)
