"""`kgan attack [options]`: attack a classifier, tell and keep how robust it is."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import keras
import numpy as np

import kgan.robustness
from kgan.attacks import Attack
from kgan.cli.command_line import Request
from kgan.data import Dataset
from kgan.data.arrays import has_split
from kgan.data.labelled import load_labelled
from kgan.progress import Progress
from kgan.robustness.fitting import fitted
from kgan.robustness.radii import default_radii
from kgan.runs import faults
from kgan.runs.classifying import check_fit, load_classifier, preset_classifier
from kgan.runs.run import Run
from kgan.settings import CLASSIFIER_PRESETS, AttackSettings

Others = Callable[[], tuple[Dataset, str]]


def main(request: Request) -> int:
    """The body of `attack.py` and `kgan attack`.

    Returns:
        0, or 1 where a robust accuracy is below `min_robust`.
    """
    settings = cast(AttackSettings, request.settings)
    data, others = _data(settings)
    epsilons = settings.epsilons or default_radii(data.kind, settings.norm)
    surrogates = [load_classifier(path) for path in settings.surrogate]
    attacks = [
        kgan.robustness.attack_from_text(
            text, epsilons=epsilons, norm=settings.norm, seed=settings.seed, surrogates=surrogates
        )
        for text in settings.attack
    ]
    model = _model(settings)
    check_fit(settings.model, model, data)
    if request.run is None:
        run = Run.new(settings.runs_dir, request.name, settings)
    else:
        run = request.run.saved(settings)
    try:
        report = _report(settings, run, model, data, attacks, epsilons, others)
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
    if settings.min_robust is not None and report.lowest < settings.min_robust:
        least = f"{settings.min_robust:.1%}"
        print(f"robust accuracy {report.lowest:.1%} is below --min-robust {least}")
        return 1
    return 0


def _report(
    settings: AttackSettings,
    run: Run,
    model: keras.Model,
    data: Dataset,
    attacks: Sequence[Attack],
    epsilons: Sequence[float],
    others: Others,
) -> kgan.robustness.Report:
    """Attacks the model; what is done is kept in the run's folder."""
    print(f"{settings.model}: {len(data):,} images of {data.name}; run folder {run.folder}")
    attacks = [fitted(attack, model, others, run.folder) for attack in attacks]
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
            keep=run.folder / "parts",
            progress=progress.update,
        )
    return dataclasses.replace(report, model=f"{settings.model} ({report.model})")


def _model(settings: AttackSettings) -> keras.Model:
    """The classifier: from a file, or a preset's, which is trained where it is not there yet."""
    path = Path(settings.model)
    if settings.model in CLASSIFIER_PRESETS and not path.is_file():
        preset = dataclasses.replace(
            CLASSIFIER_PRESETS[settings.model],
            classifiers_dir=settings.classifiers_dir,
            runs_dir=settings.runs_dir,
            data_dir=settings.data_dir,
            download=settings.download,
        )
        path = preset_classifier(settings.model, preset)
    return load_classifier(path)


def _data(settings: AttackSettings) -> tuple[Dataset, Others]:
    """The images with labels to attack, and what gives others to learn from and names them."""
    name = settings.data
    if name is None:
        if settings.model not in CLASSIFIER_PRESETS:
            raise ValueError("data must be given for a model of your own: --data FILE.npz")
        name = CLASSIFIER_PRESETS[settings.model].data

    def load(split: str) -> Dataset:
        return load_labelled(
            name,
            split,
            data_dir=settings.data_dir,
            image_size=settings.image_shape,
            download=settings.download,
        )

    path = Path(name).expanduser()
    split = settings.split or ("train" if path.is_dir() else "test")
    data = load(split)
    drawn, left = np.arange(len(data)), np.arange(0)
    if settings.n is not None and settings.n < len(data):
        rows = np.random.default_rng(settings.seed).permutation(len(data))
        drawn, left = np.sort(rows[: settings.n]), np.sort(rows[settings.n :])

    def others() -> tuple[Dataset, str]:
        named = has_split(path, "train") if path.is_file() else not path.is_dir()
        if named and split != "train":
            return load("train"), "the training split"
        if len(left):
            return data.take(left), "those that --n leaves out"
        return data, "the images to be attacked themselves; --n leaves others out"

    return data.take(drawn), others
