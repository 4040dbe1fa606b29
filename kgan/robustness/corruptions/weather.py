"""Weather: snow, frost, fog and bright light."""

import numpy as np

from kgan.robustness.corruptions.motion import trailed
from kgan.robustness.corruptions.plasma import plasma, power_of_two
from kgan.robustness.corruptions.zoom import enlarged

_GREY = np.array([0.299, 0.587, 0.114])
# The tint of ice and the size of its crystals, as a share of the image's longer side.
_ICE = np.array([0.86, 0.93, 1.0])
_NEEDLE = 0.12


def snow(
    image: np.ndarray,
    draw: np.random.Generator,
    mean: float,
    deviation: float,
    size: float,
    threshold: float,
    radius: float,
    sigma: float,
    kept: float,
) -> np.ndarray:
    """Enlarged noise above a threshold as flakes that fall and leave trails, on a paler image."""
    layer = enlarged(draw.normal(mean, deviation, size=image.shape[:2])[..., None], size)
    flakes = np.clip(np.where(layer < threshold, 0.0, layer), 0.0, 1.0)
    flakes = trailed(flakes, radius=radius, sigma=sigma, angle=draw.uniform(-135, -45))
    paler = np.maximum(image, 1.5 * _grey(image) + 0.5)
    other = flakes[::-1, ::-1]
    return kept * image + (1.0 - kept) * paler + flakes + other


def frost(image: np.ndarray, draw: np.random.Generator, kept: float, strength: float) -> np.ndarray:
    """A pane with ice before the image: `kept * image + strength * ice`.

    The published images have photographs of frost. Here the ice is made: needles that grow in a
    few directions where plasma is dense. So this row is no measure of the published one.
    """
    height, width, channels = image.shape
    side = power_of_two(max(height, width))
    dense = plasma(side, draw, 1.6)
    seeds = np.where(draw.uniform(size=(side, side)) < 0.02, draw.uniform(size=(side, side)), 0.0)
    needles = np.zeros((side, side, 1))
    reach = max(2.0, _NEEDLE * max(height, width))
    for angle in draw.uniform(0, 360, size=5):
        one = trailed(seeds[..., None], radius=reach, sigma=reach, angle=angle)
        needles = np.maximum(needles, one)
    # A small pane may have no needle at all.
    needles = np.sqrt(needles[..., 0] / max(needles.max(), 1e-12))
    ice = np.clip(0.15 + 0.35 * dense + 0.9 * needles * dense, 0.0, 1.0)
    top, left = draw.integers(side - height + 1), draw.integers(side - width + 1)
    ice = ice[top : top + height, left : left + width, None]
    return kept * image + strength * ice * (_ICE if channels == 3 else 1.0)


def fog(image: np.ndarray, draw: np.random.Generator, strength: float, decay: float) -> np.ndarray:
    """Plasma added, and the whole scaled so that the brightest stays."""
    height, width = image.shape[:2]
    clouds = plasma(power_of_two(max(height, width)), draw, decay)[:height, :width, None]
    brightest = image.max()
    return (image + strength * clouds) * brightest / (brightest + strength)


def brightness(image: np.ndarray, draw: np.random.Generator, more: float) -> np.ndarray:
    """The value of HSV raised; hue and saturation stay, so black becomes grey."""
    value = image.max(axis=2, keepdims=True)
    raised = np.clip(value + more, 0.0, 1.0)
    # Hue and saturation of a pixel are those of its values' ratios.
    ratio = np.divide(image, value, out=np.ones_like(image), where=value > 0)
    return raised * ratio


def _grey(image: np.ndarray) -> np.ndarray:
    """The luma of a colour image; a grey one as it is."""
    return image if image.shape[2] == 1 else (image @ _GREY)[..., None]
