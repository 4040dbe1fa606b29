"""Settings of `kgan export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from kgan.settings.groups import Messages, check_name


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
    out: Path = Path("saved_models")
    """Folder to write to."""

    def check(self) -> None:
        super().check()
        check_name(self.name, "--out")
