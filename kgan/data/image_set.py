"""Makes one set of images of many files: of one size, one number of channels, and one scale."""

import dataclasses
from typing import Any

import numpy as np

from kgan.data.channels import levels_as, picture_as
from kgan.data.image_file import BYTE, Bytes, Levels
from kgan.data.reading import Reading
from kgan.data.resize import as_pair, resized, resized_planes, share_cut
from kgan.data.value_range import Span, span_of, told
from kgan.kinds import Images
from kgan.pixels import to_float, to_uint8

_NOTICED_CUT = 0.01


@dataclasses.dataclass(frozen=True)
class Gathered:
    """A set of images.

    Attributes:
        samples: uint8 (n, height, width, channels), or float32 in [0, 1] where the files hold
            floats.
        exact: float32 in [0, 1], where `samples` are rounded to 8 bits; else `None`.
        kind: What an image is.
        notes: What was done to the images that a user should know, a line each.
    """

    samples: np.ndarray
    exact: np.ndarray | None
    kind: Images
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Depth:
    """What files must share to be scaled alike."""

    full: tuple[float, float] | None
    has_spare_bits: bool
    whole: bool


class ImageSet:
    """Collects images, then scales all of them alike.

    Args:
        what: Name of the set; errors name it.
        reading: How images are read, with a size.
    """

    def __init__(self, what: str, reading: Reading):
        assert reading.image_size is not None
        self.what, self.reading = what, reading
        # uint8 as they will be, or other values as they are in the files, with NaN for padding.
        self._images: list[np.ndarray] = []
        self._names: list[str] = []
        self._depths: list[_Depth | None] = []
        self._lows: dict[_Depth, float] = {}
        self._highs: dict[_Depth, float] = {}
        self._cut: list[float] = []
        self._laid = self._squeezed = 0

    def __len__(self) -> int:
        return len(self._images)

    def add(self, name: str, decoded: Bytes | Levels) -> None:
        """Adds an image.

        Raises:
            ValueError: Where it cannot have the channels that are wanted.
        """
        if isinstance(decoded, Bytes):
            has_opacity, size = decoded.has_opacity, decoded.image.size[::-1]
            self._squeezed += decoded.squeezed
        else:
            has_opacity, size = decoded.opacity is not None, decoded.values.shape[:2]
        if isinstance(decoded, Bytes) and self.reading.value_range is None:
            image, depth = self._picture(decoded), None
        else:
            levels = _levels(decoded) if isinstance(decoded, Bytes) else decoded
            depth = _depth(levels)
            image = self._raw(levels, depth)
        self._images.append(image)
        self._names.append(name)
        self._depths.append(depth)
        if self.reading.resize == "crop":
            self._cut.append(share_cut(size, self.reading.image_size))  # type: ignore[arg-type]
        self._laid += has_opacity and self.reading.channels != "rgba"

    def _picture(self, decoded: Bytes) -> np.ndarray:
        """The picture at its size, uint8."""
        reading = self.reading
        picture = picture_as(decoded, reading)
        # What is added to RGBA is transparent.
        fills: dict[str, Any] = {"L": reading.grey, "RGB": reading.colour, "RGBA": (0, 0, 0, 0)}
        done = resized(picture, reading.image_size, reading.resize, fills[picture.mode])
        image = np.asarray(done)
        return image if image.ndim == 3 else image[..., None]

    def _raw(self, levels: Levels, depth: _Depth) -> np.ndarray:
        """The image at its size, in the file's own values, which are counted."""
        declared = self.reading.value_range
        span = declared if isinstance(declared, tuple) else levels.full
        values = levels_as(levels, self.reading, span)
        if self.reading.channels == "rgba" and span is not None:
            low, high = span
            opacity = (values[..., 3:] - low) / (high - low)
            # Colours count as much as they are seen.
            seen = low + (values[..., :3] - low) * opacity
            values = np.concatenate([seen, values[..., 3:]], -1)
        # Of the values themselves: what is laid on a background is lighter or darker.
        low_value, high_value = float(levels.values.min()), float(levels.values.max())
        self._lows[depth] = min(self._lows.get(depth, low_value), low_value)
        self._highs[depth] = max(self._highs.get(depth, high_value), high_value)
        image = resized_planes(values, self.reading.image_size, self.reading.resize)
        if self.reading.channels == "rgba" and span is not None:
            opacity = (image[..., 3:] - low) / (high - low)
            share = np.where(opacity > 0, opacity, 1)
            image = np.concatenate([low + (image[..., :3] - low) / share, image[..., 3:]], -1)
        return image

    def finish(self) -> Gathered:
        """The set.

        Raises:
            ValueError: Where images differ in what cannot be made alike, or where their range has
                to be declared.
        """
        if self.reading.value_range is not None:
            self._check_one_depth()
            # One range for the whole set, whatever else its files differ in.
            low, high = min(self._lows.values()), max(self._highs.values())
            self._lows = dict.fromkeys(self._lows, low)
            self._highs = dict.fromkeys(self._highs, high)
        spans = {
            depth: span_of(
                self.what,
                self._lows[depth],
                self._highs[depth],
                full=depth.full,
                has_spare_bits=depth.has_spare_bits,
                whole=depth.whole,
                declared=self.reading.value_range,
            )
            for depth in dict.fromkeys(self._depths)
            if depth is not None
        }
        self._make_channels_alike()
        samples, exact = self._stacked(spans)
        declared = next(iter(spans.values())) if self.reading.value_range is not None else None
        height, width, channels = samples.shape[1:]
        range_ = None if declared is None else (declared.low, declared.high)
        kind = Images(height, width, channels, value_range=range_, shown=self.reading.shown)
        return Gathered(samples, exact, kind, tuple(self._notes(spans)))

    def _stacked(self, spans: dict[_Depth, Span]) -> tuple[np.ndarray, np.ndarray | None]:
        if not spans:
            return np.stack(self._images), None
        floats = np.stack(
            [
                to_float(image) if depth is None else self._filled(spans[depth].scaled(image))
                for image, depth in zip(self._images, self._depths, strict=True)
            ]
        )
        if all(depth is not None and not depth.whole for depth in self._depths):
            return floats, None
        rounded = to_uint8(floats)
        eight_bits = all(depth is None or depth.full == BYTE for depth in self._depths)
        return rounded, None if eight_bits and self.reading.value_range is None else floats

    def _filled(self, image: np.ndarray) -> np.ndarray:
        """The image, with the background where it was padded."""
        fill = self.reading.fill(image.shape[-1])
        return np.where(np.isnan(image), fill, image)

    def _check_one_depth(self) -> None:
        first: dict[Any, str] = {}
        for name, depth in zip(self._names, self._depths, strict=True):
            assert depth is not None
            first.setdefault((depth.full, depth.whole), name)
        if len(first) > 1:
            one, other = list(first.values())[:2]
            raise ValueError(
                f"value_range must be of one depth, but {one} and {other} of {self.what} differ in "
                "theirs: convert them, or leave it out."
            )

    def _make_channels_alike(self) -> None:
        first: dict[int, str] = {}
        for name, image in zip(self._names, self._images, strict=True):
            first.setdefault(image.shape[-1], name)
        if set(first) == {1, 3}:
            self._images = [
                np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
                for image in self._images
            ]
        elif len(first) > 1:
            told_ = " and ".join(f"{count} in {name}" for count, name in list(first.items())[:2])
            raise ValueError(f"images of {self.what} differ in their channels: {told_}.")

    def _notes(self, spans: dict[_Depth, Span]) -> list[str]:
        notes = []
        for depth, span in list(spans.items())[:1]:
            notes += told(span, self.reading.value_range, self._lows[depth], self._highs[depth])
        cut = [share for share in self._cut if share > _NOTICED_CUT]
        if cut:
            sides = "x".join(map(str, as_pair(self.reading.image_size)))  # type: ignore[arg-type]
            notes.append(
                f"{len(cut)} of {len(self)} images lost their edges when cut to {sides}, up to "
                f"{max(cut):.0%} of their area (--resize pad or stretch keeps all)"
            )
        if self._laid:
            notes.append(
                f"transparency of {self._laid} images is laid on {self.reading.background} "
                "(--background COLOUR; --channels rgba keeps it)"
            )
        if self._squeezed:
            notes.append(
                f"{self._squeezed} compressed TIFF files of 16-bit colour were read with 8 bits "
                "(PNG, .npy or an uncompressed TIFF keeps them)"
            )
        return notes


def _levels(decoded: Bytes) -> Levels:
    """A picture of 8 bits, to be scaled by a declared range."""
    values = np.asarray(decoded.image)
    if decoded.has_opacity:
        colours = values[..., :1] if decoded.grey else values[..., :3]
        return Levels(colours, to_float(values[..., 3:]), full=BYTE)
    return Levels(values if values.ndim == 3 else values[..., None], full=BYTE)


def _depth(levels: Levels) -> _Depth:
    return _Depth(levels.full, levels.has_spare_bits, levels.values.dtype.kind in "iu")
