"""`kgan export SOURCE`: a generator, classifier or AdvGAN as a SavedModel, ONNX or LiteRT file."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from kgan.cli import run
from kgan.cli.runs import origin, read_config
from kgan.config import ExportConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kgan export`."""
    import tyro

    arguments = list(sys.argv[1:] if argv is None else argv)
    config = tyro.cli(ExportConfig, args=arguments, prog="kgan export")

    def body() -> int:
        for path in export(config):
            print(path)
        return 0

    return run(body, debug=config.debug, verbose=config.verbose)


def export(config: ExportConfig) -> list[Path]:
    """Writes each format; returns what was written."""
    import kgan.export
    from kgan.portable import WRITERS

    source, name = _file(config)
    kind = _class_name(source)
    if kind == "PerturbationGAN":
        return [_export_attack(config, source, name)]
    model, gan = _load(source, kind)
    names = config.class_names or None
    folder = config.source.expanduser()
    from_run = (folder / "config.json").is_file()
    came = origin(read_config(folder), folder, int(gan.step.numpy())) if from_run else None
    written = []
    for kind in config.format:
        if kind == "saved_model":
            saved = config.out / name
            if gan is not None:
                written.append(kgan.export.export(gan, saved, class_names=names, origin=came))
            else:
                head = _head(model)
                written.append(
                    kgan.export.export_classifier(model, saved, head=head, class_names=names)
                )
            continue
        suffix, write = WRITERS[kind]
        path = config.out / f"{name}{suffix}"
        write(model if gan is None else gan.ema_generator, path)
        written.append(path)
    return written


def _file(config: ExportConfig) -> tuple[Path, str]:
    """The .keras file and the name to write under."""
    from kgan.cli.sample import exported_checkpoint

    source = config.source.expanduser()
    if (source / "config.json").is_file():
        checkpoint = config.checkpoint or exported_checkpoint(source)
        return source / "checkpoints" / f"{checkpoint}.keras", config.name or source.name
    if source.suffix != ".keras" or not source.is_file():
        raise FileNotFoundError(
            f"source must be a run folder or a .keras file, got {str(source)!r}"
            f"{'' if source.exists() else ', which is not there'}."
        )
    return source, config.name or source.stem


def _class_name(path: Path) -> str:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json")).get("class_name", "")


def _export_attack(config: ExportConfig, source: Path, name: str) -> Path:
    from kgan.attacks import AdvGAN

    if set(config.format) != {"saved_model"}:
        raise ValueError(
            f"format of an AdvGAN must be saved_model, got {', '.join(config.format)}."
        )
    return AdvGAN.load(source).export(config.out / name)


def _load(path: Path, class_name: str):
    """(the model, the same as a GAN if it is one)."""
    import kgan.models
    from kgan.runs.classifying import load_classifier

    if class_name == "GAN":
        gan = kgan.models.load(path)
        return gan, gan
    return load_classifier(path), None


def _head(model) -> str:
    import numpy as np

    from kgan.attacks.victim import victim_of

    shape = tuple(model.input_shape[1:])
    if None in shape:
        raise ValueError(f"the classifier must take images of one size, it takes {shape}.")
    return victim_of(model, np.random.default_rng(0).random((8, *shape), np.float32)).head
