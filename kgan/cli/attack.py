"""`kgan attack [options]`: attack a classifier and report how robust it is."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

import kgan.data
import kgan.robustness
from kgan.attacks.eight_bit import check_on_grid
from kgan.cli.command_line import Request
from kgan.data import Dataset
from kgan.data.arrays import has_split
from kgan.progress import Progress
from kgan.robustness.fitting import fitted
from kgan.robustness.radii import default_radii
from kgan.runs import faults
from kgan.runs.classifier_file import check_fit, load_classifier
from kgan.runs.classifying import preset_classifier
from kgan.runs.run import Run
from kgan.settings import CLASSIFIER_PRESETS, AttackSettings


def main(request: Request) -> int:
    """The body of `attack.py` and `kgan attack`.

    Returns:
        The exit code: 0, or 1 if a robust accuracy is below `min_robust`.
    """
    settings = cast(AttackSettings, request.settings)
    data, others = _data(settings)
    epsilons = settings.epsilons or default_radii(data.kind, settings.norm)
    surrogates = [load_classifier(path.expanduser()) for path in settings.surrogate]
    attacks = [
        kgan.robustness.attack_from_text(
            text,
            epsilons=epsilons,
            norm=settings.norm,
            seed=settings.seed,
            quantize=settings.eight_bit,
            surrogates=surrogates,
        )
        for text in settings.attack
    ]
    model = _model(settings)
    check_fit(settings.model, model, data)
    if settings.eight_bit:
        check_on_grid(data.samples)
    if request.run is None:
        run = Run.new(settings.runs_dir, request.name, settings)
    else:
        run = request.run.saved(settings)
    print(f"{settings.model}: {len(data):,} images of {data.name}; run folder {run.folder}")
    try:
        attacks = [fitted(attack, model, others, run.folder) for attack in attacks]
        report = _evaluate(settings, model, data, attacks, epsilons, run.folder)
    except KeyboardInterrupt:
        resume = f"kgan attack --resume --name {run.folder.name.removeprefix('attack-')}"
        print(f"\nwhat is done is kept; continue with {resume}", file=sys.stderr)
        raise
    except Exception as error:
        if not faults.is_mistake(error):
            faults.keep(error, run.folder)
        raise
    kgan.robustness.write_report(report, run.folder)
    kgan.robustness.print_report(report, run.folder)
    least = settings.min_robust
    if least is not None and report.lowest < least:
        print(f"robust accuracy {report.lowest:.1%} is below --min-robust {least:.1%}")
        return 1
    return 0


def _evaluate(
    settings: AttackSettings,
    model: keras.Model,
    data: Dataset,
    attacks: list[Any],
    epsilons: tuple[float, ...],
    folder: Path,
) -> kgan.robustness.Report:
    with Progress() as progress:
        report = kgan.robustness.evaluate(
            model,
            data.samples,
            data.labels,
            attacks=attacks,
            epsilons=epsilons,
            norm=settings.norm,
            batch_size=settings.batch_size,
            class_names=data.class_names,
            keep=folder / "parts",
            progress=progress.update,
        )
    return dataclasses.replace(report, model=f"{settings.model} ({report.model})")


def _model(settings: AttackSettings) -> keras.Model:
    """The classifier from a file, or that of a preset, which is trained first if needed."""
    path = Path(settings.model).expanduser()
    if settings.model in CLASSIFIER_PRESETS and not path.is_file():
        preset = dataclasses.replace(
            CLASSIFIER_PRESETS[settings.model],
            runs_dir=settings.runs_dir,
            classifiers_dir=settings.classifiers_dir,
            data_dir=settings.data_dir,
            download=settings.download,
        )
        path = preset_classifier(settings.model, preset)
    return load_classifier(path, presets=CLASSIFIER_PRESETS)


def _data(settings: AttackSettings) -> tuple[Dataset, Callable[[], tuple[Dataset, str]]]:
    """The labelled images to attack, and a function that gives other images to learn from."""
    name = settings.data
    if name is None:
        if settings.model not in CLASSIFIER_PRESETS:
            raise ValueError("data must be given for a model of your own: --data FILE.npz")
        name = CLASSIFIER_PRESETS[settings.model].data
    path = Path(name).expanduser()
    options: dict[str, Any] = {
        "data_dir": settings.data_dir,
        "image_size": settings.image_shape,
        "download": settings.download,
    }
    split = settings.split or ("train" if path.is_dir() else "test")
    data = kgan.data.load_labelled(name, split, **options)
    drawn, left = np.arange(len(data)), np.arange(0)
    if settings.n is not None and settings.n < len(data):
        rows = np.random.default_rng(settings.seed).permutation(len(data))
        drawn, left = np.sort(rows[: settings.n]), np.sort(rows[settings.n :])

    def others() -> tuple[Dataset, str]:
        named = has_split(path, "train") if path.is_file() else not path.is_dir()
        if named and split != "train":
            return kgan.data.load_labelled(name, "train", **options), "the training split"
        if len(left):
            return data.take(left), "those that --n leaves out"
        return data, "the images to be attacked themselves; --n leaves others out"

    return data.take(drawn), others
