"""Channels of images: grey, colour, opacity, or as many as there are."""

import numpy as np
from PIL import Image

from kgan.decoding.image_file import Bytes, Levels, as_mode
from kgan.decoding.reading import CHANNELS, Reading

# Rec. 601, as Pillow makes grey of colour.
_LUMA = np.array([0.299, 0.587, 0.114])


def picture_as(decoded: Bytes, reading: Reading) -> Image.Image:
    """A picture with the channels that are wanted: of mode L, RGB or RGBA."""
    image, grey = decoded.image, decoded.grey
    if reading.channels == "rgba":
        return as_mode(image, "RGBA")
    if decoded.has_opacity:
        background = Image.new("RGBA", image.size, (*reading.colour, 255))
        image = Image.alpha_composite(background, image)
        # On a coloured background a grey picture is no longer grey.
        grey = grey and len(set(reading.colour)) == 1
    if reading.channels is not None:
        grey = reading.channels == "grey"
    return as_mode(image, "L" if grey else "RGB")


def levels_as(levels: Levels, reading: Reading, span: tuple[float, float] | None) -> np.ndarray:
    """Values (height, width, channels) with the channels that are wanted.

    Args:
        levels: The image.
        reading: What is wanted.
        span: The values that stand for 0 and 1, as far as they are known: opacity and background
            are stated in them.
    """
    values, opacity = levels.values, levels.opacity
    if opacity is not None and reading.channels != "rgba":
        low, high = _known(span)
        background = np.array(reading.colour) / 255
        if values.shape[-1] == 1 and len(set(reading.colour)) == 1:
            background = background[:1]
        values = opacity * values + (1 - opacity) * (low + background * (high - low))
    wanted, channels = reading.channels, values.shape[-1]
    if wanted is None:
        return values
    if channels not in (1, 3) and not (wanted == "rgba" and channels == 4):
        raise ValueError(f"has {channels} channels, which cannot be made {wanted}")
    if wanted == "grey":
        return values if channels == 1 else (values @ _LUMA)[..., None]
    if channels == 1:
        values = np.repeat(values, 3, axis=-1)
    if wanted == "rgb" or channels == 4:
        return values
    low, high = _known(span)
    if opacity is None:
        opacity = np.ones((*values.shape[:2], 1))
    return np.concatenate([values, low + opacity * (high - low)], axis=-1)


def _known(span: tuple[float, float] | None) -> tuple[float, float]:
    if span is None:
        raise ValueError("needs --value-range LOW HIGH for its transparency")
    return span


def batch_as(images: np.ndarray, channels: str | None, *, what: str) -> np.ndarray:
    """Images (n, height, width, channels) of an array with the channels that are wanted.

    Args:
        images: uint8, or float32 in [0, 1].
        channels: "grey", "rgb", "rgba" or `None`. Four channels are red, green, blue and opacity
            where this is "rgba".
        what: The data; an error names them.
    """
    have = images.shape[-1]
    if channels is None or have == CHANNELS[channels]:
        return images
    if have not in (1, 3):
        raise ValueError(
            f"channels must be left out for {what}, whose images have {have} channels, "
            f"got {channels!r}."
        )
    if channels == "grey":
        grey = (images @ _LUMA)[..., None]
        whole = images.dtype == np.uint8
        return (np.round(grey) if whole else grey).astype(images.dtype)
    colour = images if have == 3 else np.repeat(images, 3, axis=-1)
    if channels == "rgb":
        return colour
    most = 255 if images.dtype == np.uint8 else 1
    opaque = np.full((*colour.shape[:3], 1), most, images.dtype)
    return np.concatenate([colour, opaque], axis=-1)
