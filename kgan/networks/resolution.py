"""How a network gets from its smallest feature map to any image size, square or not."""

import math
from dataclasses import dataclass

SMALLEST, LARGEST = 8, 256
_MIN_STAGES = 2


@dataclass(frozen=True)
class Resolution:
    """The stages between an image and its smallest feature map.

    Attributes:
        base: (height, width) of the smallest map.
        strides: (height, width) factors of each stage, from the image inward: 2 where an axis is
            still at least 8 long, else 1.
        crop: ((top, bottom), (left, right)) that a generator cuts from `base` times all strides.
    """

    base: tuple[int, int]
    strides: tuple[tuple[int, int], ...]
    crop: tuple[tuple[int, int], tuple[int, int]]


def resolution(image_shape: tuple[int, int, int]) -> Resolution:
    """Plans the stages for images of shape (height, width, channels).

    Raises:
        ValueError: Where the shape is not that of images from 8x8 to 256x256.
    """
    if len(image_shape) != 3:
        raise ValueError(f"image_shape must be (height, width, channels), got {image_shape}.")
    height, width, channels = image_shape
    if not all(SMALLEST <= side <= LARGEST for side in (height, width)) or channels < 1:
        raise ValueError(
            f"image_shape must lie between 8x8 and 256x256 with at least 1 channel, "
            f"got {image_shape}. Resize the images (--image-size)."
        )
    size = (height, width)
    strides: list[tuple[int, int]] = []
    while max(size) >= 8 or len(strides) < _MIN_STAGES:
        stride = (2 if size[0] >= 8 else 1, 2 if size[1] >= 8 else 1)
        size = (math.ceil(size[0] / stride[0]), math.ceil(size[1] / stride[1]))
        strides.append(stride)
    crop = []
    for axis, wanted in enumerate((height, width)):
        extra = size[axis] * math.prod(stride[axis] for stride in strides) - wanted
        crop.append((extra // 2, extra - extra // 2))
    return Resolution(base=size, strides=tuple(strides), crop=(crop[0], crop[1]))
