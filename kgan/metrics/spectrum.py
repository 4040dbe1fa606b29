"""The distance between mean power spectra, which upsampling in a generator tends to distort."""

from typing import Any

import numpy as np

from kgan.metrics.checks import check_rows
from kgan.pixels import check_images, to_float


def spectral_distance(real: Any, fake: Any) -> float:
    """The root mean square difference, over frequencies, of the mean power spectra in decibels.

    The power of each two-dimensional frequency is averaged over images, channels and then rings of
    equal radius, from 0 to half the sampling rate.

    Args:
        real: (n, height, width, channels) images in [0, 1].
        fake: (m, height, width, channels) images in [0, 1].

    Returns:
        Decibels; 20 log10 c where fakes are real images times c.

    Reference: Durall et al. 2020 (arXiv:2003.01826), section 3.1, for the radial average.
    """
    for name, images in (("real", real), ("fake", fake)):
        check_rows(images, name, minimum=1)
        if np.ndim(images) != 4:
            raise ValueError(
                f"{name} must have shape (n, height, width, channels), got {np.shape(images)}."
            )
        check_images(f"spectral_distance({name})", np.asarray(images))
    if np.shape(real)[1:] != np.shape(fake)[1:]:
        raise ValueError(
            f"real and fake must be images of one shape, got {np.shape(real)[1:]} and "
            f"{np.shape(fake)[1:]}."
        )
    real, fake = (to_float(np.asarray(images)) for images in (real, fake))
    gaps = 10 * (np.log10(_radial_power(real)) - np.log10(_radial_power(fake)))
    return float(np.sqrt(np.mean(gaps**2)))


def _radial_power(images: Any) -> np.ndarray:
    images = np.asarray(images, np.float64)
    height, width = images.shape[1:3]
    total = np.zeros((height, width))
    for start in range(0, len(images), 500):
        transform = np.fft.fft2(images[start : start + 500], axes=(1, 2))
        total += (np.abs(transform) ** 2).mean(axis=3).sum(axis=0)
    power = total / len(images)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    rings = np.rint(radius * min(height, width)).astype(int)
    count = np.bincount(rings.ravel())[: min(height, width) // 2 + 1]
    mean = np.bincount(rings.ravel(), power.ravel())[: len(count)] / count
    # Below rounding there is no signal to compare.
    return np.maximum(mean, 1e-12)
