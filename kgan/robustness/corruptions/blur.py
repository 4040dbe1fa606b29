"""Blurs: out of focus, frosted glass, motion and zoom."""

import numpy as np
from scipy import ndimage

from kgan.robustness.corruptions.motion import trailed
from kgan.robustness.corruptions.zoom import enlarged


def defocus_blur(
    image: np.ndarray, draw: np.random.Generator, radius: float, softness: float
) -> np.ndarray:
    """The mean over a disk whose edge is softened by a Gaussian of 3x3 pixels (5x5 above 8)."""
    reach = max(8, int(radius))
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (down**2 + right**2 <= radius**2).astype(float)
    taps = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    bell = np.exp(-(taps**2) / (2.0 * softness**2))
    bell /= bell.sum()
    kernel = disk / disk.sum()
    for axis in (0, 1):
        kernel = ndimage.correlate1d(kernel, bell, axis=axis, mode="constant")
    return ndimage.correlate(image, kernel[..., None], mode="mirror")


def glass_blur(
    image: np.ndarray, draw: np.random.Generator, sigma: float, reach: int, rounds: int
) -> np.ndarray:
    """Blurred, each pixel in turn replaced by one nearby, and blurred again.

    The paper speaks of a local shuffle; the code that made the published images copies the one
    pixel where it means to swap the two, and so does this function.
    """
    height, width = image.shape[:2]
    blurred = _gaussian(image, sigma)
    # A pixel's number in the blurred image.
    source = list(range(height * width))
    for _ in range(rounds):
        moves = draw.integers(-reach, reach, size=(height, width, 2)).tolist()
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                if row >= height or column >= width:
                    continue
                right, down = moves[row][column]
                source[row * width + column] = source[(row + down) * width + column + right]
    return _gaussian(blurred.reshape(height * width, -1)[source].reshape(image.shape), sigma)


def motion_blur(
    image: np.ndarray, draw: np.random.Generator, radius: float, sigma: float
) -> np.ndarray:
    """A trail in a direction within 45 degrees of the horizontal."""
    return trailed(image, radius=radius, sigma=sigma, angle=draw.uniform(-45, 45))


def zoom_blur(image: np.ndarray, draw: np.random.Generator, end: float, step: float) -> np.ndarray:
    """The mean of the image and its enlargements by 1, 1 + step, ... below `end`."""
    factors = np.arange(1, end, step)
    total = image + sum(enlarged(image, factor) for factor in factors)
    return total / (len(factors) + 1)


def _gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest")
