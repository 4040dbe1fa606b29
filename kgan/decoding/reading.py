"""How images are read: what the user declares where files do not say it."""

import dataclasses
import math
from typing import Literal

import numpy as np
from PIL import ImageColor

import kgan.names
from kgan.decoding.resize import RESIZES, ImageSize, as_pair, grey_of

CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}
"""How many there are of each."""
ValueRange = tuple[float, float] | Literal["auto"] | None


@dataclasses.dataclass(frozen=True)
class Reading:
    """How images are read; every function of `kgan.data` that loads images takes these by name.

    Attributes:
        image_size: Size of the images, a side or (height, width); `None` leaves those of arrays as
            they are, and makes those of a folder 64x64.
        resize: "crop" keeps proportions and cuts what is too long, "pad" keeps all and adds
            background, "stretch" changes proportions.
        channels: "grey", "rgb" or "rgba"; by default what the data have, transparency laid on the
            background. Four channels of an array are RGBA only where this says so.
        background: Colour behind transparency and at padded edges, a name or "#rrggbb".
        value_range: The values that become 0 and 1, or "auto", the smallest and the largest of the
            whole set. Needed where the data do not say it: signed numbers, whole numbers that
            do not use all bits of their type, floats beyond [0, 1].
        shown_channels: Numbers of the channels that pictures show, one or three.
    """

    image_size: ImageSize | None = None
    resize: str = "crop"
    channels: str | None = None
    background: str = "white"
    value_range: ValueRange = None
    shown_channels: tuple[int, ...] = ()

    def __post_init__(self):
        kgan.names.check("resize", self.resize, RESIZES)
        if self.channels is not None:
            kgan.names.check("channels", self.channels, CHANNELS)
        if self.image_size is not None:
            as_pair(self.image_size)
        check_value_range(self.value_range)
        _ = self.colour

    @property
    def colour(self) -> tuple[int, int, int]:
        """The background as red, green and blue in [0, 255]."""
        try:
            return ImageColor.getrgb(self.background)[:3]
        except ValueError:
            raise ValueError(
                "background must be a colour such as white, black or #808080, "
                f"got {self.background!r}."
            ) from None

    @property
    def grey(self) -> int:
        """The background as grey in [0, 255]."""
        return grey_of(self.colour)

    def fill(self, channels: int) -> np.ndarray:
        """What padding consists of, float32 (channels,) in [0, 1]: the background where channels
        are grey or colour, else zeros, which in RGBA are transparent."""
        colours = {1: (self.grey,), 3: self.colour}
        return np.array(colours.get(channels, (0,) * channels), np.float32) / 255

    @property
    def shown(self) -> tuple[int, ...] | None:
        """The channels that pictures show, where they are declared."""
        if self.shown_channels:
            return tuple(self.shown_channels)
        return (0, 1, 2, 3) if self.channels == "rgba" else None

    def refuse(self, what: str, why: str, *, but: tuple[str, ...] = ()) -> None:
        """Raises `ValueError` where anything is declared for data that cannot use it.

        Args:
            what: The data.
            why: Why they cannot.
            but: Names of fields that may be given.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default and field.name not in but:
                raise ValueError(f"{field.name} must be left out for {what}, {why}, got {value}.")


def channels_of(count: int) -> str | None:
    """What so many channels are called, "grey", "rgb" or "rgba"; `None` for other numbers."""
    return next((name for name, one in CHANNELS.items() if one == count), None)


def check_value_range(value_range: ValueRange) -> None:
    """Raises `ValueError` unless it is (low, high), "auto" or `None`."""
    if value_range is None or value_range == "auto":
        return
    try:
        low, high = map(float, value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            "value_range must be two finite values, the lower one first, or auto, "
            f"got {value_range!r}."
        )
