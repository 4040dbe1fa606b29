"""Plans the stages between a network's smallest feature map and images of any size."""

import math
from dataclasses import dataclass

from keras import layers

SMALLEST, LARGEST = 8, 1024
_BASE = 4
_MIN_STAGES = 2


@dataclass(frozen=True)
class Resolution:
    """The stages between an image and its smallest feature map.

    Attributes:
        sizes: (height, width) of the image, then of the map after each stage inward; an axis is
            halved, rounding up, until it is at most 4 long.
        strides: (height, width) factors of each stage, from the image inward: 2 or 1.
    """

    sizes: tuple[tuple[int, int], ...]
    strides: tuple[tuple[int, int], ...]

    @property
    def base(self) -> tuple[int, int]:
        """(height, width) of the smallest map."""
        return self.sizes[-1]

    def crop(self, features, stage: int):
        """Cuts what a generator made by undoing `stage` to that stage's size.

        Halving rounds odd sides up, so doubling makes them one too long.

        Args:
            features: A symbolic map whose sides are those of `sizes[stage + 1]` times the strides.
            stage: Index into `strides`.
        """
        sides = zip(features.shape[1:3], self.sizes[stage], strict=True)
        extra = tuple((0, side - wanted) for side, wanted in sides)
        if extra == ((0, 0), (0, 0)):
            return features
        return layers.Cropping2D(extra, dtype=features.dtype)(features)


def channels_at(width: int, stage: int) -> int:
    """Channels of the map inward of a stage: twice as many with each, up to 8 times `width`."""
    return width * min(2**stage, 8)


def check_counts(**counts: int | None) -> None:
    """Raises `ValueError` for a number that is below 1, by its name; `None` is left out."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}.")


def resolution(image_shape: tuple[int, int, int], **counts: int | None) -> Resolution:
    """Plans the stages for images of shape (height, width, channels).

    Args:
        image_shape: The shape.
        **counts: Other numbers that a network is built of, such as `width`, for `check_counts`.

    Raises:
        ValueError: Where the shape is not that of images from 8x8 to 1024x1024, or another number
            is below 1.
    """
    check_counts(**counts)
    if len(image_shape) != 3:
        raise ValueError(f"image_shape must be (height, width, channels), got {image_shape}.")
    height, width, channels = image_shape
    if not all(SMALLEST <= side <= LARGEST for side in (height, width)) or channels < 1:
        raise ValueError(
            f"image_shape must lie between 8x8 and 1024x1024 with at least 1 channel, "
            f"got {image_shape}. Resize the images (--image-size)."
        )
    sizes = [(height, width)]
    strides: list[tuple[int, int]] = []
    while max(sizes[-1]) > _BASE or len(strides) < _MIN_STAGES:
        size = sizes[-1]
        stride = (2 if size[0] > _BASE else 1, 2 if size[1] > _BASE else 1)
        sizes.append((math.ceil(size[0] / stride[0]), math.ceil(size[1] / stride[1])))
        strides.append(stride)
    return Resolution(sizes=tuple(sizes), strides=tuple(strides))
