"""Settings of `kgan export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from kgan.settings.groups import Messages, check_at_least, check_name


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Messages):
    """Export a generator or a classifier for a server or another runtime."""

    source: tyro.conf.Positional[Path]
    """A run folder, or the .keras file of a generator, a classifier or an AdvGAN."""
    format: tuple[Literal["saved_model", "onnx", "litert"], ...] = ("saved_model",)
    """saved_model: the next version in OUT/NAME; onnx: OUT/NAME.onnx; litert: OUT/NAME.tflite."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that training exports."""
    name: str | None = None
    """Name to write under; default the source's."""
    class_names: tuple[str, ...] = ()
    """What the classes are called; default what the run knows."""
    standing_statistics: int | None = None
    """Of a GAN with batch normalisation (biggan, mnist): over how many batches of 64 samples its
    statistics are made anew; 16 is usual. Default those of its training."""
    truncation: float | None = None
    """With --standing-statistics: the largest absolute value of the latents that the export will
    be asked for, as for `kgan sample`; default none."""
    out: Path = Path("saved_models")
    """Folder to write to."""

    def check(self) -> None:
        super().check()
        check_name(self.name, "--out")
        check_at_least(self, 1, "standing_statistics")
        check_at_least(self, 0, "truncation")
        if self.truncation is not None and self.standing_statistics is None:
            raise ValueError(
                f"truncation must go with standing_statistics, got {self.truncation} alone: an "
                "export is asked for truncated samples when it is asked."
            )
