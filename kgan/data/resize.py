"""Resizing to one size, always antialiased."""

import numpy as np
from PIL import Image

ImageSize = int | tuple[int, int]


def as_pair(image_size: ImageSize) -> tuple[int, int]:
    """The size as (height, width); a single number is the side of a square."""
    pair = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(pair) != 2 or any(side < 1 for side in pair):
        raise ValueError(
            f"image_size must be a side or (height, width) of at least 1, got {image_size}."
        )
    return pair[0], pair[1]


def resize_and_crop(image: Image.Image, image_size: ImageSize) -> Image.Image:
    """Scales the image to cover the size, then cuts its centre, without changing proportions."""
    height, width = as_pair(image_size)
    scale = max(height / image.height, width / image.width)
    # The part of the source that becomes the result; PIL resizes from a fractional box.
    box_height, box_width = height / scale, width / scale
    left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
    box = (left, top, left + box_width, top + box_height)
    # PIL's filters are scaled with the reduction: this is antialiased.
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def resize_batch(images: np.ndarray, image_size: ImageSize | None) -> np.ndarray:
    """Resizes uint8 images (n, height, width, channels); `None` leaves them unchanged."""
    if image_size is None or images.shape[1:3] == as_pair(image_size):
        return images
    grey = images.shape[-1] == 1
    resized = [
        np.asarray(resize_and_crop(Image.fromarray(image[..., 0] if grey else image), image_size))
        for image in images
    ]
    stacked = np.stack(resized)
    return stacked[..., None] if grey else stacked
