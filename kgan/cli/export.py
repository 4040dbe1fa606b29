"""`kgan export SOURCE`: a generator, classifier or AdvGAN as a SavedModel, ONNX or LiteRT file."""

import contextlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

import kgan.export
import kgan.models  # A file names its classes, and importing them is what makes the names known.
import kgan.networks
from kgan.attacks.victim import victim_of
from kgan.cli.command_line import Request
from kgan.cli.standing import stand
from kgan.counter import steps_done
from kgan.endpoints import Endpoints
from kgan.export.portable import WRITERS
from kgan.files import atomic_path
from kgan.hdf5 import check_readable
from kgan.recipes import RECIPES
from kgan.runs import outputs
from kgan.runs.run import Run, is_run
from kgan.runs.training import origin
from kgan.settings import FAMILIES, ClassifierSettings, ExportSettings, HardeningSettings


def main(request: Request) -> int:
    """The body of `kgan export`."""
    for path in export(cast(ExportSettings, request.settings)):
        print(path)
    return 0


def export(settings: ExportSettings) -> list[Path]:
    """Writes each format.

    Returns:
        Paths of the written files and folders.
    """
    outputs.check_folder("out", settings.out)
    path, run = _opened(settings.source.expanduser())
    if run is None and settings.checkpoint is not None:
        raise ValueError(
            f"checkpoint must be left out: {path} is no run, got {settings.checkpoint!r}."
        )
    source = _file(path) if run is None else run.checkpoint(settings.checkpoint)
    name = settings.name or (path.stem if run is None else run.model)
    model = _load(source)
    standing = _stood(model, settings)
    endpoints = _endpoints(model, source)
    if growing := endpoints.details.get("growing"):
        print(f"note: {source}: {growing}", file=sys.stderr)
    # Models that a format cannot hold are refused before anything is written.
    for form in settings.format:
        if form in WRITERS:
            WRITERS[form].check(endpoints)
            outputs.check_file("out", settings.out / f"{name}{WRITERS[form].suffix}")
    if settings.class_names and (
        "saved_model" not in settings.format or endpoints.details.get("num_classes") is None
    ):
        raise ValueError(
            "class_names must be left out: only a saved_model keeps them, of a model with classes, "
            f"got {', '.join(settings.class_names)}."
        )
    class_names = settings.class_names or (None if run is None else _class_names(run))
    written = {}
    # What only a converter finds leaves nothing either: files get their names when all are there.
    with contextlib.ExitStack() as stack:
        for form in dict.fromkeys(settings.format):
            if form in WRITERS:
                written[form] = settings.out / f"{name}{WRITERS[form].suffix}"
                temporary = stack.enter_context(atomic_path(written[form]))
                WRITERS[form].write(endpoints, temporary)
        if "saved_model" in settings.format:
            came = _settings(settings.source) if run is None else origin(run, steps_done(model))
            written["saved_model"] = kgan.export.write(
                endpoints,
                settings.out / name,
                class_names=None if class_names is None else tuple(class_names),
                origin={**(came or {}), **standing},
            )
    return [written[form] for form in settings.format]


def _file(path: Path) -> Path:
    if path.suffix != ".keras" or not path.is_file():
        raise FileNotFoundError(
            f"source must be a run folder or a .keras file, got {str(path)!r}"
            f"{'' if path.exists() else ', which is not there'}."
        )
    return path


def _opened(path: Path) -> tuple[Path, Run | None]:
    """A run, or a file: that of a classifier's run is what it left."""
    if not is_run(path):
        return path, None
    run = Run.open(path)
    if run.family in (ClassifierSettings.family, HardeningSettings.family):
        file = Path(run.values["classifiers_dir"]) / f"{run.model}.keras"
        if not file.is_file():
            raise FileNotFoundError(
                f"{path} has left no classifier: {file} is not there. (It is written when the "
                "training ends; a copy elsewhere is exported by its own name.)"
            )
        return file, None
    return path, Run.open(path, *RECIPES, what="kgan export")


def _settings(source: Path) -> dict[str, Any] | None:
    """The settings of a classifier's run, for the manifest; `None` of a file alone."""
    path = source.expanduser()
    return {"config": dict(Run.open(path).values)} if is_run(path) else None


def _load(path: Path) -> Any:
    """The model in a file, without its optimizers, which an export does not need."""
    check_readable(path)
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


def _stood(model: Any, settings: ExportSettings) -> dict[str, Any]:
    """Makes the statistics anew where that is asked; what the manifest says of it."""
    batches, truncation = settings.standing_statistics, settings.truncation
    if batches is None:
        return {}
    stand(model, batches, source=settings.source, truncation=truncation)
    return {"standing_statistics": {"batches": batches, "truncation": truncation}}


def _endpoints(model: Any, source: Path) -> Endpoints:
    """The model's own endpoints; a model without any is taken for a classifier."""
    if hasattr(model, "endpoints"):
        return model.endpoints()
    try:
        return kgan.export.classifier_endpoints(model, head=_head(model))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{source} holds neither a model of kgan's nor a classifier: {error}"
        ) from error


def _head(model: Any) -> str:
    shape = tuple(model.input_shape[1:])
    if None in shape:
        raise ValueError(f"a classifier must take images of one size, it takes {shape}.")
    return victim_of(model, np.random.default_rng(0).random((8, *shape), np.float32)).head


def _class_names(run: Run) -> Sequence[str] | None:
    """Names of the classes in the run's data."""
    if run.data is not None:
        return run.data.get("class_names")
    try:
        return RECIPES[run.family](run.settings(FAMILIES[run.family])).data().class_names
    except (ImportError, OSError, ValueError) as error:
        print(
            f"note: the classes have no names, as the run's data cannot be read: {error} "
            "(--class-names gives them)",
            file=sys.stderr,
        )
        return None
