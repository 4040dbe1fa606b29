"""The distance between mean power spectra, which upsampling in a generator tends to distort."""

from typing import Any

import numpy as np

from kgan.metrics.checks import check_rows
from kgan.pixels import check_images, to_float
from kgan.portions import portions

_VALUES = 2**24


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
    real, fake = (one if hasattr(one, "shape") else np.asarray(one) for one in (real, fake))
    for name, images in (("real", real), ("fake", fake)):
        if len(images.shape) != 4:
            raise ValueError(
                f"{name} must have shape (n, height, width, channels), got {tuple(images.shape)}."
            )
        check_rows(images[:1], name, minimum=1)
        for some in portions(images):
            check_rows(some, name, minimum=1)
            check_images(f"spectral_distance({name})", some)
    if tuple(real.shape[1:]) != tuple(fake.shape[1:]):
        raise ValueError(
            f"real and fake must be images of one shape, got {tuple(real.shape[1:])} and "
            f"{tuple(fake.shape[1:])}."
        )
    gaps = 10 * (np.log10(_radial_power(real)) - np.log10(_radial_power(fake)))
    return float(np.sqrt(np.mean(gaps**2)))


def _radial_power(images: Any) -> np.ndarray:
    height, width = images.shape[1:3]
    total = np.zeros((height, width))
    size = max(1, min(500, _VALUES // int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), size):
        some = to_float(np.asarray(images[start : start + size])).astype(np.float64)
        transform = np.fft.fft2(some, axes=(1, 2))
        total += (np.abs(transform) ** 2).mean(axis=3).sum(axis=0)
    power = total / len(images)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    rings = np.rint(radius * min(height, width)).astype(int)
    count = np.bincount(rings.ravel())[: min(height, width) // 2 + 1]
    mean = np.bincount(rings.ravel(), power.ravel())[: len(count)] / count
    # Below rounding there is no signal to compare.
    return np.maximum(mean, 1e-12)
