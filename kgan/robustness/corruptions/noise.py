"""Noise of each value of an image."""

import numpy as np


def gaussian_noise(image: np.ndarray, draw: np.random.Generator, deviation: float) -> np.ndarray:
    """Normal noise, as in poor light."""
    return image + draw.normal(scale=deviation, size=image.shape)


def shot_noise(image: np.ndarray, draw: np.random.Generator, photons: float) -> np.ndarray:
    """Poisson noise: as many photons as white has on average; its variance is image / photons."""
    return draw.poisson(image * photons) / photons


def impulse_noise(image: np.ndarray, draw: np.random.Generator, share: float) -> np.ndarray:
    """Salt and pepper: this share of the values becomes white or black, as often the one."""
    hit = draw.uniform(size=image.shape) < share
    white = draw.uniform(size=image.shape) < 0.5
    return np.where(hit, white, image)
