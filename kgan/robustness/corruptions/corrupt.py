"""The fifteen common corruptions, with the strength of each severity."""

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

import kgan.names
import kgan.pixels
from kgan.attacks.checks import check_count, check_images, check_indices, check_pixels
from kgan.random import check_seed
from kgan.robustness.corruptions import blur, digital, noise, weather

SEVERITIES = (1, 2, 3, 4, 5)
"""The severities, from hardly visible to strong."""

SMALL = 128
"""Images whose longer side is below this many pixels get the strengths of 32x32 pixels."""


@dataclasses.dataclass(frozen=True)
class Corruption:
    """A row of `CORRUPTIONS`.

    Attributes:
        apply: Function of an image (height, width, channels) in [0, 1], a random generator and the
            numbers of a severity; its result is clipped to [0, 1].
        large: The numbers of each severity for images of about 224 pixels (ImageNet-C).
        small: Those for images of about 32 pixels (CIFAR-10-C).
    """

    apply: Callable[..., np.ndarray]
    large: tuple[Any, ...]
    small: tuple[Any, ...]


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption(
        noise.gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38), (0.04, 0.06, 0.08, 0.09, 0.10)
    ),
    "shot_noise": Corruption(noise.shot_noise, (60, 25, 12, 5, 3), (500, 250, 100, 75, 50)),
    "impulse_noise": Corruption(
        noise.impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27), (0.01, 0.02, 0.03, 0.05, 0.07)
    ),
    "defocus_blur": Corruption(
        blur.defocus_blur,
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    ),
    "glass_blur": Corruption(
        blur.glass_blur,
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    ),
    "motion_blur": Corruption(
        blur.motion_blur,
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    ),
    "zoom_blur": Corruption(
        blur.zoom_blur,
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    ),
    "snow": Corruption(
        weather.snow,
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
    ),
    "frost": Corruption(
        weather.frost,
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    ),
    "fog": Corruption(
        weather.fog,
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    ),
    "brightness": Corruption(
        weather.brightness, (0.1, 0.2, 0.3, 0.4, 0.5), (0.05, 0.1, 0.15, 0.2, 0.3)
    ),
    "contrast": Corruption(
        digital.contrast, (0.4, 0.3, 0.2, 0.1, 0.05), (0.75, 0.5, 0.4, 0.3, 0.15)
    ),
    "elastic_transform": Corruption(
        digital.elastic_transform,
        # Published as multiples of 244 for images of 224 pixels.
        tuple(
            tuple(244 / 224 * part for part in row)
            for row in (
                (2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02),
                (0.07, 0.01, 0.02), (0.12, 0.01, 0.02),
            )
        ),
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    ),
    "pixelate": Corruption(
        digital.pixelate, (0.6, 0.5, 0.4, 0.3, 0.25), (0.95, 0.9, 0.85, 0.75, 0.65)
    ),
    "jpeg_compression": Corruption(
        digital.jpeg_compression, (25, 18, 15, 10, 7), (80, 65, 58, 50, 40)
    ),
}  # fmt: skip
"""The corruptions of ImageNet-C and CIFAR-10-C, with their published strengths.

Reference: Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to common
corruptions and perturbations".
"""


def corrupt(
    images: Any, name: str, severity: int, *, seed: int = 0, indices: Any = None
) -> np.ndarray:
    """Corrupts images; the same images, seed and severity give the same result.

    Args:
        images: (n, height, width, channels) in [0, 1] or uint8, grey or RGB.
        name: A key of `CORRUPTIONS`.
        severity: 1 to 5. Its strength is that of ImageNet-C; for images of less than `SMALL`
            pixels that of CIFAR-10-C.
        seed: Seed of all random numbers, an int in [0, 2**31 - 1].
        indices: Number (n,) of each image in its data set, which decides its random numbers;
            0, 1, ... if `None`.

    Returns:
        float32 array of the same shape in [0, 1], not rounded to 8 bits.

    Raises:
        ValueError: For other images, names or severities.
    """
    row = kgan.names.look_up("corruption", name, CORRUPTIONS)
    check_seed(seed)
    if check_count("severity", severity) not in SEVERITIES:
        raise ValueError(f"severity must be in 1 to 5, got {severity}.")
    images = check_images(kgan.pixels.to_float(np.asarray(images)))
    check_corruptible(images.shape[1:])
    strengths = row.small if max(images.shape[1:3]) < SMALL else row.large
    strength = strengths[severity - 1]
    strength = strength if isinstance(strength, tuple) else (strength,)
    numbers = check_indices(indices, len(images)).tolist()
    result = np.empty_like(images)
    for place, (image, number) in enumerate(zip(images, numbers, strict=True)):
        # One stream for each image and corruption: a severity only makes its noise stronger.
        draw = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
        result[place] = np.clip(row.apply(image.astype(np.float64), draw, *strength), 0.0, 1.0)
    return result


def check_corruptible(shape: tuple[int, ...]) -> None:
    """Raises `ValueError` for images that corruptions cannot be made of.

    Args:
        shape: Shape of one image.
    """
    height, width, channels = check_pixels("a corruption", shape)
    if channels not in (1, 3):
        raise ValueError(f"a corruption needs grey images or RGB, got {channels} channels.")
    if min(height, width) < 8:
        raise ValueError(f"a corruption needs images of at least 8x8 pixels, got {shape[:2]}.")
