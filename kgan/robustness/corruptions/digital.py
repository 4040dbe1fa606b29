"""What happens in a camera, an editor or a file: contrast, elastic, pixels, JPEG."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from kgan.pictures.grid import as_picture
from kgan.pixels import to_uint8


def contrast(image: np.ndarray, draw: np.random.Generator, kept: float) -> np.ndarray:
    """Values moved towards the mean of their channel."""
    mean = image.mean(axis=(0, 1), keepdims=True)
    return mean + kept * (image - mean)


def elastic_transform(
    image: np.ndarray, draw: np.random.Generator, strength: float, sigma: float, corners: float
) -> np.ndarray:
    """A random affine map, then a random field of moves that a Gaussian has smoothed.

    Args:
        image: (height, width, channels).
        draw: Source of the moves.
        strength: Length of the field, as a share of the longer side.
        sigma: Deviation of the Gaussian, likewise.
        corners: How far the three points that define the affine map move at most, likewise.

    Reference: Simard et al. 2003, "Best practices for convolutional neural networks".
    """
    side = max(image.shape[:2])
    image = _affine(image, draw, corners * side)
    fields = [
        strength
        * side
        * ndimage.gaussian_filter(
            draw.uniform(-1, 1, size=image.shape[:2]), sigma * side, mode="reflect", truncate=3
        )
        for _ in range(2)
    ]
    there = np.indices(image.shape[:2]) + np.stack(fields)
    return _sampled(image, there, "reflect")


def pixelate(image: np.ndarray, draw: np.random.Generator, share: float) -> np.ndarray:
    """Shrunk to this share of each side by the mean, and enlarged again without smoothing."""
    height, width = image.shape[:2]
    small = (max(1, int(width * share)), max(1, int(height * share)))
    # Each channel for itself, as floats.
    channels = [
        np.asarray(
            Image.fromarray(channel.astype(np.float32))
            .resize(small, Image.Resampling.BOX)
            .resize((width, height), Image.Resampling.BOX)
        )
        for channel in np.moveaxis(image, 2, 0)
    ]
    return np.stack(channels, axis=2)


def jpeg_compression(image: np.ndarray, draw: np.random.Generator, quality: int) -> np.ndarray:
    """Written to JPEG and read."""
    file = io.BytesIO()
    as_picture(to_uint8(image)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32).reshape(image.shape) / 255.0


def _affine(image: np.ndarray, draw: np.random.Generator, reach: float) -> np.ndarray:
    """The affine map that takes three points around the middle to places near them."""
    height, width = image.shape[:2]
    middle = np.array([height // 2, width // 2], float)
    arm = min(height, width) // 3
    before = middle + arm * np.array([[1, 1], [1, -1], [-1, -1]])
    after = before + draw.uniform(-reach, reach, size=before.shape)
    # Where the values come from: the inverse, as a matrix (2, 3) of (row, column, 1).
    inverse = np.linalg.lstsq(np.c_[after, np.ones(3)], before, rcond=None)[0].T
    places = np.indices((height, width)).reshape(2, -1)
    there = inverse @ np.concatenate([places, np.ones((1, height * width))])
    return _sampled(image, there.reshape(2, height, width), "mirror")


def _sampled(image: np.ndarray, places: np.ndarray, mode: str) -> np.ndarray:
    """The image at places (2, height, width) between its pixels, linearly."""
    channels = [
        ndimage.map_coordinates(channel, places, order=1, mode=mode)
        for channel in np.moveaxis(image, 2, 0)
    ]
    return np.stack(channels, axis=2)
