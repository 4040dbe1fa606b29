"""What many images have in common: one number of channels, and one scale."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgan.decoding.image import Depth, Facts
from kgan.decoding.image_file import BYTE
from kgan.decoding.reading import Reading
from kgan.decoding.resize import as_pair
from kgan.decoding.value_range import Span, span_of, told
from kgan.kinds import Images
from kgan.pixels import to_float, to_uint8

_NOTICED_CUT = 0.01


class ImageSet:
    """The facts of all images of a set, which decide how each of them is scaled.

    Args:
        what: Name of the set; errors name it.
        reading: How images are read, with a size.
        facts: Of each image, by its name.

    Raises:
        ValueError: Where images differ in what cannot be made alike, or where their range has to be
            declared.
    """

    def __init__(self, what: str, reading: Reading, facts: Mapping[str, Facts]):
        self.what, self.reading, self._facts = what, reading, facts
        self.channels = common_channels(what, {n: one.channels for n, one in facts.items()})
        self._lows: dict[Depth, float] = {}
        self._highs: dict[Depth, float] = {}
        for one in facts.values():
            if one.depth is not None:
                self._lows[one.depth] = min(self._lows.get(one.depth, one.low), one.low)
                self._highs[one.depth] = max(self._highs.get(one.depth, one.high), one.high)
        if reading.value_range is not None:
            self._check_one_depth()
            # One range for the whole set, whatever else its files differ in.
            self._lows = dict.fromkeys(self._lows, min(self._lows.values()))
            self._highs = dict.fromkeys(self._highs, max(self._highs.values()))
        self.spans: dict[Depth, Span] = {
            depth: span_of(
                what,
                self._lows[depth],
                self._highs[depth],
                full=depth.full,
                has_spare_bits=depth.has_spare_bits,
                whole=depth.whole,
                declared=reading.value_range,
            )
            for depth in self._lows
        }

    @property
    def kind(self) -> Images:
        """What an image is."""
        height, width = as_pair(self.reading.image_size)  # type: ignore[arg-type]
        declared = None
        if self.reading.value_range is not None:
            span = next(iter(self.spans.values()))
            declared = (span.low, span.high)
        return Images(height, width, self.channels, value_range=declared, shown=self.reading.shown)

    @property
    def is_bytes(self) -> bool:
        """Whether all images are uint8 as they will be."""
        return not self.spans

    @property
    def are_floats(self) -> bool:
        """Whether all sources hold floats, so that samples are floats too."""
        depths = [one.depth for one in self._facts.values()]
        return all(depth is not None and not depth.whole for depth in depths)

    @property
    def is_exact(self) -> bool:
        """Whether 8 bits lose levels of the sources, so that floats are kept beside."""
        depths = {one.depth for one in self._facts.values()}
        eight_bits = all(depth is None or depth.full == BYTE for depth in depths)
        return not self.are_floats and not (eight_bits and self.reading.value_range is None)

    def scaled(self, image: np.ndarray, depth: Depth | None) -> np.ndarray:
        """An image as `read_image` gives it, as float32 in [0, 1]."""
        if depth is None:
            return to_float(image.astype(np.uint8, copy=False))
        scaled = self.spans[depth].scaled(image)
        return np.where(np.isnan(scaled), self.reading.fill(scaled.shape[-1]), scaled)

    def stacked(self, images: Sequence[np.ndarray]) -> dict[str, Any]:
        """The fields `samples`, `exact` and `kind` of a `Dataset` of these images."""
        alike = [with_channels(image, self.channels) for image in images]
        if self.is_bytes:
            return {"samples": np.stack(alike), "kind": self.kind}
        floats = np.empty((len(alike), *self.kind.shape), np.float32)
        for row, (image, facts) in enumerate(zip(alike, self._facts.values(), strict=True)):
            floats[row] = self.scaled(image, facts.depth)
        if self.are_floats:
            return {"samples": floats, "kind": self.kind}
        exact = floats if self.is_exact else None
        return {"samples": to_uint8(floats), "exact": exact, "kind": self.kind}

    def notes(self) -> list[str]:
        """What was done to the images that a user should know, a line each."""
        notes, all_facts = [], list(self._facts.values())
        for depth, span in list(self.spans.items())[:1]:
            notes += told(span, self.reading.value_range, self._lows[depth], self._highs[depth])
        cut = [one.cut for one in all_facts if one.cut > _NOTICED_CUT]
        if cut:
            sides = "x".join(map(str, as_pair(self.reading.image_size)))  # type: ignore[arg-type]
            notes.append(
                f"{len(cut)} of {len(all_facts)} images lost their edges when cut to {sides}, up "
                f"to {max(cut):.0%} of their area (--resize pad or stretch keeps all)"
            )
        if laid := sum(one.laid for one in all_facts):
            notes.append(
                f"transparency of {laid} images is laid on {self.reading.background} "
                "(--background COLOUR; --channels rgba keeps it)"
            )
        if squeezed := sum(one.squeezed for one in all_facts):
            notes.append(
                f"{squeezed} files of 16-bit colour, compressed TIFF or PPM, were read with 8 bits "
                "(PNG, .npy or an uncompressed TIFF keeps them)"
            )
        return notes

    def _check_one_depth(self) -> None:
        first: dict[Any, str] = {}
        for name, one in self._facts.items():
            assert one.depth is not None
            first.setdefault((one.depth.full, one.depth.whole), name)
        if len(first) > 1:
            one_name, other = list(first.values())[:2]
            raise ValueError(
                f"value_range must be of one depth, but {one_name} and {other} of {self.what} "
                "differ in theirs: convert them, or leave it out."
            )


def common_channels(what: str, channels: Mapping[str, int]) -> int:
    """How many channels all images of a set can have: grey ones become colour beside colour.

    Args:
        what: Name of the set; an error names it.
        channels: Of each image, by its name.
    """
    first: dict[int, str] = {}
    for name, count in channels.items():
        first.setdefault(count, name)
    if len(first) > 1 and set(first) != {1, 3}:
        told_ = " and ".join(f"{count} in {name}" for count, name in list(first.items())[:2])
        raise ValueError(f"images of {what} differ in their channels: {told_}.")
    return max(first)


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """An image of as many channels: a grey one is repeated."""
    return image if image.shape[-1] == channels else np.repeat(image, channels, axis=-1)
