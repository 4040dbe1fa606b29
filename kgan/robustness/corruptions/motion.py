"""A trail in one direction, which two corruptions share."""

import math

import numpy as np


def trailed(image: np.ndarray, *, radius: float, sigma: float, angle: float) -> np.ndarray:
    """The mean of the image and copies moved along a line, with the weights of half a Gaussian.

    Args:
        image: (height, width, channels); its edges are repeated outside.
        radius: Half of the number of copies.
        sigma: Deviation of the Gaussian, in pixels.
        angle: Direction of the line, in degrees from the horizontal.
    """
    steps = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2.0 * sigma**2))
    weights /= weights.sum()
    along = math.radians(angle)
    # Rounded as ImageMagick does, by which the published images were made.
    down = np.ceil(steps * math.sin(along) - 0.5).astype(int)
    right = np.ceil(steps * math.cos(along) - 0.5).astype(int)
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) + down[:, None], 0, height - 1)
    columns = np.clip(np.arange(width) + right[:, None], 0, width - 1)
    result = np.zeros(image.shape)
    for weight, row, column in zip(weights, rows, columns, strict=True):
        result += weight * image[row][:, column]
    return result
