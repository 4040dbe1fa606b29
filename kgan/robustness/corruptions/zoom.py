"""Enlarging the middle of an image, which two corruptions share."""

import math

import numpy as np
from scipy import ndimage


def enlarged(image: np.ndarray, factor: float) -> np.ndarray:
    """The middle of an image, enlarged linearly to the image's size.

    Args:
        image: (height, width, channels).
        factor: How much larger it becomes, at least 1.
    """
    size = image.shape[:2]
    inner = [math.ceil(side / factor) for side in size]
    rows, columns = (
        slice((side - part) // 2, (side - part) // 2 + part)
        for side, part in zip(size, inner, strict=True)
    )
    large = ndimage.zoom(image[rows, columns], (factor, factor, 1), order=1)
    # Rounding may leave a pixel too many, or one too few.
    short = [max(side - have, 0) for side, have in zip(size, large.shape[:2], strict=True)]
    large = np.pad(large, [(0, short[0]), (0, short[1]), (0, 0)], mode="edge")
    top, left = ((have - side) // 2 for have, side in zip(large.shape[:2], size, strict=True))
    return large[top : top + size[0], left : left + size[1]]
