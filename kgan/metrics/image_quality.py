"""How near images are to known ones, image by image: PSNR and SSIM."""

import numpy as np

MOST_DECIBELS = 100.0
"""The PSNR of an image that equals the truth."""

_WINDOW, _SIGMA = 11, 1.5


def psnr(images: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Peak signal-to-noise ratio in decibels: 10 log10(1 / mean squared error).

    Args:
        images: float (n, height, width, channels) in [0, 1].
        truth: Of the same shape.
        where: Places that count, bool or 0 and 1 (n, height, width, 1); by default all.

    Returns:
        float64 (n,), at most `MOST_DECIBELS`; of an image without a place that counts that too.
    """
    squares = np.square(np.asarray(images, np.float64) - truth)
    axes = (1, 2, 3)
    if where is None:
        error = squares.mean(axis=axes)
    else:
        count = np.asarray(where, np.float64).sum(axis=axes) * images.shape[-1]
        error = (squares * where).sum(axis=axes) / np.maximum(count, 1)
    return -10.0 * np.log10(np.maximum(error, 10.0 ** (-MOST_DECIBELS / 10)))


def ssim(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity, the mean over all windows and channels.

    Windows are Gaussian, of 11 pixels and a deviation of 1.5, and lie inside the image; smaller
    images have the largest odd window that fits.

    Args:
        images: float (n, height, width, channels) in [0, 1].
        truth: Of the same shape.

    Returns:
        float64 (n,), at most 1.

    Reference: Wang et al. 2004, "Image quality assessment: from error visibility to structural
        similarity", equation 13.
    """
    x, y = np.asarray(images, np.float64), np.asarray(truth, np.float64)
    least = min(_WINDOW, *x.shape[1:3])
    size = least if least % 2 else least - 1
    offsets = np.arange(size) - size // 2
    window = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    window /= window.sum()

    def mean(values: np.ndarray) -> np.ndarray:
        for axis in (1, 2):
            places = values.shape[axis] - size + 1
            parts = [
                weight * np.take(values, range(first, first + places), axis)
                for first, weight in enumerate(window)
            ]
            values = np.sum(parts, axis=0)
        return values

    small, smaller = 0.01**2, 0.03**2
    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    similar = (2 * mean_x * mean_y + small) * (2 * covariance + smaller)
    found = similar / ((mean_x**2 + mean_y**2 + small) * (variances + smaller))
    return found.mean(axis=(1, 2, 3))
