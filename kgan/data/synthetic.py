"""Mixtures of Gaussians in the plane whose modes can be counted."""

from typing import NamedTuple

import numpy as np

from kgan.data.dataset import Dataset

_SIZES = {"train": 100_000, "test": 10_000}


class Mixture(NamedTuple):
    """Equally frequent Gaussians.

    Attributes:
        centres: Means of the Gaussians, float64 (modes, 2).
        deviation: Standard deviation of each Gaussian along each axis.
    """

    centres: np.ndarray
    deviation: float


_ANGLES = 2 * np.pi * np.arange(8) / 8
_AXIS = np.arange(-4.0, 5.0, 2.0)

MIXTURES: dict[str, Mixture] = {
    "ring": Mixture(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), 0.01),
    "grid": Mixture(np.stack(np.meshgrid(_AXIS, _AXIS), axis=-1).reshape(-1, 2), 0.05),
}


def load_ring(split: str = "train") -> Dataset:
    """100,000 points of eight Gaussians with deviation 0.01 on the unit circle.

    Reference: Lin et al. 2018, section 4.1 (arXiv:1712.04086).
    """
    return _load("ring", split)


def load_grid(split: str = "train") -> Dataset:
    """100,000 points of 25 Gaussians with deviation 0.05 on a grid of spacing 2.

    Reference: Lin et al. 2018, section 4.1 (arXiv:1712.04086).
    """
    return _load("grid", split)


def _load(name: str, split: str) -> Dataset:
    if split not in _SIZES:
        raise ValueError(f"split of {name} must be train or test, got {split!r}.")
    centres, deviation = MIXTURES[name]
    random = np.random.default_rng(list(_SIZES).index(split))
    n = _SIZES[split]
    modes = np.arange(n) % len(centres)
    samples = centres[modes] + deviation * random.standard_normal((n, 2))
    names = tuple(f"mode {mode}" for mode in range(len(centres)))
    return Dataset(name, samples.astype(np.float32), modes.astype(np.int32), names)
