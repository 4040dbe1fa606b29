"""Settings of `kgan sample`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from kgan.settings.groups import Messages, check_at_least


@dataclass(frozen=True, kw_only=True)
class SampleSettings(Messages):
    """Generate samples, or translate some; a seed gives the same samples from every source."""

    source: tyro.conf.Positional[Path]
    """A run folder, a .keras file, or an exported model (its folder or one of its versions)."""
    n: int | None = None
    """How many samples; default 100, or all of --inputs."""
    labels: tuple[str, ...] = ()
    """Classes to generate, in turn, by their names or numbers; default all of them."""
    where: tuple[str, ...] = ()
    """Of a table, categories that all rows shall have, as COLUMN=CATEGORY."""
    seed: int = 0
    """Seed of the request."""
    inputs: Path | None = None
    """Images to translate, where the model makes images of images: a folder or a file; default
    images that the run did not learn from."""
    endpoint: str | None = None
    """What to ask of a model that can be asked for several translations (a_to_b, b_to_a); default
    the first one."""
    out: Path | None = None
    """NAME.png: a picture; NAME.npz: arrays; NAME.csv or .parquet: rows of a table; else a folder
    of PNGs; default samples.png, or samples.csv of a table."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that was exported: best with --evaluate-every."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "n")
