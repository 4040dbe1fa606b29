"""Settings of `kgan sample`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from kgan.settings.groups import Messages, check_at_least, check_seed


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
    truncation: float | None = None
    """Of a GAN, samples that are more typical and less diverse. With styles (stylegan2): the share
    of their distance from their class's mean style that is kept, 0 to 1, at most 2; else the
    largest absolute value of a latent, of which 2 is mild and 0.5 strong."""
    cutoff: int | None = None
    """With --truncation of a generator with styles: how many of the first styles, which decide the
    shape, are pulled to the mean; default all."""
    standing_statistics: int | None = None
    """Of a GAN with batch normalisation (biggan, mnist): over how many batches of 64 samples its
    statistics are made anew, truncated as the samples are; 16 is usual. Default those of its
    training, of samples that are not truncated."""
    inputs: Path | None = None
    """Images to translate, where the model makes images of images: a picture, a folder or a file;
    default images that the run did not learn from."""
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
        check_seed(self.seed)
        check_at_least(self, 1, "n")
        check_at_least(self, 0, "truncation", "cutoff")
        check_at_least(self, 1, "standing_statistics")
        if self.cutoff is not None and self.truncation is None:
            raise ValueError(f"cutoff must go with truncation, got {self.cutoff} alone.")
        if self.truncation is not None and self.where:
            raise ValueError("truncation must be left out with where, which asks for rows.")
