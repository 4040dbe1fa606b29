"""Settings of `kgan translate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from kgan.settings.groups import ImageReading, Messages, check_at_least


@dataclass(frozen=True, kw_only=True)
class TranslateSettings(Messages, ImageReading):
    """Translate or restore images with a run, a .keras file or an exported model."""

    source: tyro.conf.Positional[Path]
    """A run folder, a .keras file, or an exported model (its folder or one of its versions)."""
    inputs: tyro.conf.Positional[Path]
    """An image file, a folder of them, or - for a file on the standard input."""
    out: Path | None = None
    """A file for a file, a folder for a folder; - is the standard output. Default: the folder
    translated, the file's name with -translated, or the standard output."""
    direction: str | None = None
    """What to translate to what, of a model of two directions: a-to-b or b-to-a; default the
    first."""
    tile: int = 1024
    """Larger images are translated in tiles of this side, which overlap, for the memory's sake; 0
    translates any size at once."""
    overlap: int = 64
    """Pixels by which tiles overlap; there they are blended."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that was exported."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 0, "tile", "overlap")
        if self.tile and not 2 * self.overlap <= self.tile:
            raise ValueError(
                f"overlap must be at most half of the tile ({self.tile}), got {self.overlap}."
            )
        if self.value_range == "auto":
            raise ValueError(
                "value_range must be two values here: auto would scale each image by its own."
            )
