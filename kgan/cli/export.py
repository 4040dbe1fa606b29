"""`kgan export SOURCE`: a generator, classifier or AdvGAN as a SavedModel, ONNX or LiteRT file."""

import dataclasses
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgan.cli import run
from kgan.cli.runs import origin, read_config
from kgan.config import ExportConfig

if TYPE_CHECKING:
    from kgan.endpoints import Endpoints


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
    from kgan.export.portable import WRITERS, network_of

    source, name = _file(config)
    model = _load(source)
    endpoints = _endpoints(model, source)
    # Refused before anything is written.
    for kind in set(config.format) & set(WRITERS):
        network_of(endpoints, kind)
    run_folder = config.source.expanduser()
    names: Sequence[str] | None = config.class_names or None
    came = None
    if (run_folder / "config.json").is_file():
        settings = read_config(run_folder)
        came = origin(settings, run_folder, int(model.step.numpy()))
        names = names or _class_names(settings)
    written = []
    for kind in config.format:
        if kind == "saved_model":
            folder = config.out / name
            written.append(kgan.export.write(endpoints, folder, class_names=names, origin=came))
            continue
        suffix, write = WRITERS[kind]
        path = config.out / f"{name}{suffix}"
        write(endpoints, path)
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


def _load(path: Path) -> Any:
    """The model in a file, whole; without its optimizers, which an export does not need."""
    import keras

    # A file names its classes, and importing them is what makes the names known.
    import kgan.models
    import kgan.networks  # noqa: F401

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*[Ss]kipping (variable|nested).*")
            return keras.models.load_model(path, compile=False)
    except (TypeError, ValueError, OSError, UserWarning) as error:
        said = str(error).strip().splitlines() or ["no message"]
        raise ValueError(
            f"{path} cannot be loaded: {said[0]} (If it has layers of your own, call "
            "kgan.export.export or export_classifier from Python, where they are known.)"
        ) from error


def _endpoints(model: Any, source: Path) -> "Endpoints":
    """What the model can be asked: it knows itself, or is taken for a classifier."""
    import kgan.export

    if hasattr(model, "endpoints"):
        return model.endpoints()
    try:
        return kgan.export.classifier_endpoints(model, head=_head(model))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{source} holds neither a model of kgan's nor a classifier: {error}"
        ) from error


def _head(model: Any) -> str:
    import numpy as np

    from kgan.attacks.victim import victim_of

    shape = tuple(model.input_shape[1:])
    if None in shape:
        raise ValueError(f"a classifier must take images of one size, it takes {shape}.")
    return victim_of(model, np.random.default_rng(0).random((8, *shape), np.float32)).head


def _class_names(settings: Any) -> Sequence[str] | None:
    """What the run's data calls its classes."""
    import kgan.build

    try:
        return kgan.build.dataset(dataclasses.replace(settings, download=False)).class_names
    except (ImportError, OSError, ValueError) as error:
        print(
            f"note: the classes have no names, as the run's data cannot be read: {error} "
            "(--class-names gives them)",
            file=sys.stderr,
        )
        return None
