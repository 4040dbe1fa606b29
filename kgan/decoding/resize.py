"""Resizing to one size, always antialiased."""

import numpy as np
from PIL import Image

ImageSize = int | tuple[int, int]
RESIZES = ("crop", "pad", "stretch")

# How many times as large as asked for an image must be after a reduction at decoding.
_LEFT = 2


def as_pair(image_size: ImageSize) -> tuple[int, int]:
    """The size as (height, width); a single number is the side of a square."""
    sides = np.atleast_1d(np.asarray(image_size))
    pair = tuple(sides.tolist()) * (2 if np.ndim(image_size) == 0 else 1)
    if sides.dtype.kind not in "iu" or len(pair) != 2 or min(pair) < 1:
        raise ValueError(
            f"image_size must be a side or (height, width) of at least 1, got {image_size!r}."
        )
    return pair[0], pair[1]


def resize_and_crop(image: Image.Image, image_size: ImageSize) -> Image.Image:
    """Scales the image to cover the size, then cuts its centre, without changing proportions."""
    height, width = as_pair(image_size)
    scale = max(height / image.height, width / image.width)
    # The part of the source that becomes the result; PIL resizes from a fractional box.
    box_height, box_width = height / scale, width / scale
    left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
    # Rounding may put an edge a trifle outside, which PIL refuses.
    box = (
        max(left, 0.0),
        max(top, 0.0),
        min(left + box_width, image.width),
        min(top + box_height, image.height),
    )
    # PIL's filters are scaled with the reduction: this is antialiased.
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def resize_and_pad(
    image: Image.Image, image_size: ImageSize, fill: int | float | tuple[int, ...]
) -> Image.Image:
    """Scales the image to fit into the size, in the middle of a background of that colour."""
    height, width = as_pair(image_size)
    scale = min(height / image.height, width / image.width)
    inner = (
        min(width, max(1, round(image.width * scale))),
        min(height, max(1, round(image.height * scale))),
    )
    result = Image.new(image.mode, (width, height), fill)
    corner = ((width - inner[0]) // 2, (height - inner[1]) // 2)
    result.paste(image.resize(inner, Image.Resampling.BICUBIC), corner)
    return result


def resized(
    image: Image.Image,
    image_size: ImageSize | None,
    how: str = "crop",
    fill: int | float | tuple[int, ...] = 0,
) -> Image.Image:
    """The image at that size.

    Args:
        image: Of any mode of 8 bits a channel, or "F".
        image_size: A side or (height, width); `None` leaves the image as it is.
        how: One of `RESIZES`.
        fill: Colour of padding, as the image's mode has it.
    """
    if image_size is None:
        return image
    if how == "crop":
        return resize_and_crop(image, image_size)
    if how == "pad":
        return resize_and_pad(image, image_size, fill)
    height, width = as_pair(image_size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def resized_planes(
    values: np.ndarray, image_size: ImageSize | None, how: str = "crop"
) -> np.ndarray:
    """An image (height, width, channels) of any values at that size, float32; padding is NaN."""
    planes = [
        np.asarray(
            resized(Image.fromarray(plane.astype(np.float32)), image_size, how, float("nan"))
        )
        for plane in np.moveaxis(values, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def reduction(size: tuple[int, int], image_size: ImageSize, how: str) -> int:
    """By how much an image may be reduced at decoding before it is resized: 8, 4, 2 or 1.

    JPEG's own reductions average whole blocks, which is faster and nearly what resizing does, as
    long as what is left has twice the pixels a side that are asked for: of photographs the result
    is within 10 of 255 levels. One that does not divide both sides would move the picture, and is
    not used.

    Args:
        size: (height, width) of the image.
        image_size: What it is resized to.
        how: One of `RESIZES`.
    """
    height, width = as_pair(image_size)
    scales = height / size[0], width / size[1]
    scale = min(scales) if how == "pad" else max(scales)
    fits = [
        factor
        for factor in (8, 4, 2)
        if factor * scale * _LEFT <= 1 and all(side % factor == 0 for side in size)
    ]
    return max(fits, default=1)


def share_cut(size: tuple[int, int], image_size: ImageSize) -> float:
    """Share of the area of an image (height, width) that `resize_and_crop` cuts away."""
    height, width = as_pair(image_size)
    scale = max(height / size[0], width / size[1])
    return 1.0 - (height / scale) * (width / scale) / (size[0] * size[1])


def resize_batch(
    images: np.ndarray,
    image_size: ImageSize | None,
    how: str = "crop",
    colour: tuple[int, int, int] = (0, 0, 0),
) -> np.ndarray:
    """Resizes uint8 images (n, height, width, 1 or 3); `None` leaves them unchanged.

    Args:
        images: The images.
        image_size: A side or (height, width).
        how: One of `RESIZES`.
        colour: Of padding.
    """
    if image_size is None or images.shape[1:3] == as_pair(image_size):
        return images
    grey = images.shape[-1] == 1
    fill = grey_of(colour) if grey else colour
    done = [
        np.asarray(
            resized(Image.fromarray(image[..., 0] if grey else image), image_size, how, fill)
        )
        for image in images
    ]
    stacked = np.stack(done)
    return stacked[..., None] if grey else stacked


def grey_of(colour: tuple[int, int, int]) -> int:
    """The grey of a colour in [0, 255], by Rec. 601."""
    red, green, blue = colour
    return round(0.299 * red + 0.587 * green + 0.114 * blue)
