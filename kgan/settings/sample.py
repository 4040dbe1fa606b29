"""Settings of `kgan sample`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from kgan.settings.groups import Messages, check_at_least


@dataclass(frozen=True, kw_only=True)
class SampleSettings(Messages):
    """Generate samples; the same seed gives the same samples from every kind of source."""

    source: tyro.conf.Positional[Path]
    """A run folder, a .keras file, or an exported model (its folder or one of its versions)."""
    n: int = 100
    """How many samples."""
    labels: tuple[int, ...] = ()
    """Classes to generate, in turn; default all of them."""
    seed: int = 0
    """Seed of the request."""
    out: Path = Path("samples.png")
    """NAME.png: a picture; NAME.npz: arrays; NAME.csv: rows of a table; else a folder of PNGs."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that was exported: best with --evaluate-every."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "n")
