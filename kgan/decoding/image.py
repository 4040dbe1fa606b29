"""Reads one image as it is declared, and says what only the whole set can tell by."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kgan.decoding.channels import levels_as, picture_as
from kgan.decoding.image_file import BYTE, Bytes, Levels, decode
from kgan.decoding.reading import Reading
from kgan.decoding.resize import resized, resized_planes, share_cut
from kgan.pixels import to_float

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What a file that cannot be read raises."""


@dataclasses.dataclass(frozen=True)
class Depth:
    """What files must share to be scaled alike.

    Attributes:
        full: The values that stand for 0 and 1, as the file says; `None` where it does not.
        has_spare_bits: Whether the values may use fewer bits than the file's type has.
        whole: Whether the values are whole numbers.
    """

    full: tuple[float, float] | None
    has_spare_bits: bool
    whole: bool


@dataclasses.dataclass(frozen=True)
class Facts:
    """What an image adds to the knowledge about its set.

    Attributes:
        channels: How many it has.
        depth: `None` of a picture of 8 bits that needs no scaling.
        low: Smallest value of the file, where it has a depth.
        high: Its largest.
        cut: Share of the area that was cut away.
        laid: Whether transparency was laid on the background.
        squeezed: Whether the file has more bits, which were dropped.
    """

    channels: int
    depth: Depth | None = None
    low: float = 0.0
    high: float = 0.0
    cut: float = 0.0
    laid: bool = False
    squeezed: bool = False

    def as_list(self) -> list[Any]:
        """Plain values for JSON, which `from_list` takes back."""
        depth = None if self.depth is None else list(dataclasses.astuple(self.depth))
        return [self.channels, depth, self.low, self.high, self.cut, self.laid, self.squeezed]

    @classmethod
    def from_list(cls, values: list[Any]) -> "Facts":
        channels, depth, *rest = values
        if depth is not None:
            full, *others = depth
            depth = Depth(None if full is None else tuple(full), *others)
        return cls(channels, depth, *rest)


def read_image(path: str | Path, reading: Reading) -> tuple[np.ndarray, Facts]:
    """An image at its size.

    Args:
        path: The file.
        reading: How images are read, with a size.

    Returns:
        The image (height, width, channels), and its facts. It is uint8 as it will be where it has
        no depth; else float32, in the values of the file, with NaN for padding.

    Raises:
        One of `UNREADABLE`: Where the file cannot be read, or cannot have these channels.
    """
    # The values of a file whose range is declared or measured are read as they are.
    size = reading.image_size if reading.value_range is None else None
    return image_of(decode(Path(path), size, reading.resize), reading)


def image_of(decoded: Bytes | Levels, reading: Reading) -> tuple[np.ndarray, Facts]:
    """The same of a file that was decoded."""
    size = (
        decoded.image.size[::-1] if isinstance(decoded, Bytes) else decoded.values.shape[:2]
    )  # (height, width)
    if isinstance(decoded, Bytes) and reading.value_range is None:
        image = _picture(decoded, reading)
        facts = Facts(image.shape[-1])
    else:
        levels = _levels(decoded) if isinstance(decoded, Bytes) else decoded
        image = _raw(levels, reading)
        # Of the values themselves: what is laid on a background is lighter or darker.
        low, high = float(levels.values.min()), float(levels.values.max())
        facts = Facts(image.shape[-1], _depth(levels), low, high)
    has_opacity = decoded.has_opacity if isinstance(decoded, Bytes) else decoded.opacity is not None
    cut = 0.0
    if reading.resize == "crop":
        cut = share_cut(size, reading.image_size)  # type: ignore[arg-type]
    return image, dataclasses.replace(
        facts,
        cut=cut,
        laid=has_opacity and reading.channels != "rgba",
        squeezed=isinstance(decoded, Bytes) and decoded.squeezed,
    )


def _picture(decoded: Bytes, reading: Reading) -> np.ndarray:
    """The picture at its size, uint8."""
    picture = picture_as(decoded, reading)
    # What is added to RGBA is transparent.
    fills: dict[str, Any] = {"L": reading.grey, "RGB": reading.colour, "RGBA": (0, 0, 0, 0)}
    done = resized(picture, reading.image_size, reading.resize, fills[picture.mode])
    image = np.asarray(done)
    return image if image.ndim == 3 else image[..., None]


def _raw(levels: Levels, reading: Reading) -> np.ndarray:
    """The image at its size, in the file's own values."""
    declared = reading.value_range
    span = declared if isinstance(declared, tuple) else levels.full
    values = levels_as(levels, reading, span)
    if reading.channels == "rgba" and span is not None:
        low, high = span
        opacity = (values[..., 3:] - low) / (high - low)
        # Colours count as much as they are seen.
        seen = low + (values[..., :3] - low) * opacity
        values = np.concatenate([seen, values[..., 3:]], -1)
    image = resized_planes(values, reading.image_size, reading.resize)
    if reading.channels == "rgba" and span is not None:
        opacity = (image[..., 3:] - low) / (high - low)
        share = np.where(opacity > 0, opacity, 1)
        image = np.concatenate([low + (image[..., :3] - low) / share, image[..., 3:]], -1)
    return image


def _levels(decoded: Bytes) -> Levels:
    """A picture of 8 bits, to be scaled by a declared range."""
    values = np.asarray(decoded.image)
    if decoded.has_opacity:
        colours = values[..., :1] if decoded.grey else values[..., :3]
        return Levels(colours, to_float(values[..., 3:]), full=BYTE)
    return Levels(values if values.ndim == 3 else values[..., None], full=BYTE)


def _depth(levels: Levels) -> Depth:
    return Depth(levels.full, levels.has_spare_bits, levels.values.dtype.kind in "iu")
