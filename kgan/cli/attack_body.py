"""What `kgan attack` does: loads a classifier and data, and has the one attacked on the other."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import kgan.robustness
from kgan.cli.labelled import load_labelled
from kgan.cli.runs import write_config
from kgan.cli.train_classifier import train
from kgan.config import CLASSIFIER_PRESETS, AttackConfig
from kgan.data import Dataset
from kgan.data.arrays import has_split
from kgan.progress import Progress
from kgan.robustness.classifier_file import check_fit, load_classifier
from kgan.robustness.fitting import fitted
from kgan.robustness.radii import default_radii


def attack(config: AttackConfig, folder: Path) -> int:
    """Attacks, writes the run folder and prints the table.

    Returns:
        0, or 1 where a robust accuracy is below `min_robust`.
    """
    if config.min_robust is not None and not 0 <= config.min_robust <= 1:
        raise ValueError(f"min_robust must be a share in [0, 1], got {config.min_robust:g}.")
    data, others = _data(config)
    epsilons = config.epsilons or default_radii(data.kind, config.norm)
    surrogates = [load_classifier(path.expanduser()) for path in config.surrogate]
    attacks = [
        kgan.robustness.attack_from_text(
            text, epsilons=epsilons, norm=config.norm, seed=config.seed, surrogates=surrogates
        )
        for text in config.attack
    ]
    model = _model(config)
    check_fit(config.model, model, data)
    write_config(folder, config)
    print(f"{config.model}: {len(data):,} images of {data.name}; run folder {folder}", flush=True)
    attacks = [fitted(attack, model, others, folder) for attack in attacks]
    try:
        with Progress() as progress:
            report = kgan.robustness.evaluate(
                model,
                data.samples,
                data.labels,
                attacks=attacks,
                epsilons=epsilons,
                norm=config.norm,
                batch_size=config.batch_size,
                class_names=data.class_names,
                keep=folder / "parts",
                progress=progress.update,
            )
    except KeyboardInterrupt:
        resume = f"kgan attack --resume --name {folder.name.removeprefix('attack-')}"
        print(f"\nwhat is done is kept; continue with {resume}", file=sys.stderr)
        raise
    report = dataclasses.replace(report, model=f"{config.model} ({report.model})")
    kgan.robustness.write_report(report, folder)
    kgan.robustness.print_report(report, folder)
    if config.min_robust is not None and report.lowest < config.min_robust:
        print(f"robust accuracy {report.lowest:.1%} is below --min-robust {config.min_robust:.1%}")
        return 1
    return 0


def _model(config: AttackConfig) -> keras.Model:
    """The classifier: from a file, or a preset's, which is trained where it is not there yet."""
    path = Path(config.model).expanduser()
    if config.model in CLASSIFIER_PRESETS and not path.is_file():
        preset = dataclasses.replace(
            CLASSIFIER_PRESETS[config.model],
            name=config.model,
            classifiers_dir=config.classifiers_dir,
            data_dir=config.data_dir,
            download=config.download,
        )
        path = config.classifiers_dir / f"{config.model}.keras"
        if not path.is_file():
            train(preset)
    return load_classifier(path, presets=CLASSIFIER_PRESETS)


def _data(config: AttackConfig) -> tuple[Dataset, Callable[[], tuple[Dataset, str]]]:
    """The images with labels to attack, and what gives others to learn from and names them."""
    name = config.data
    if name is None:
        if config.model not in CLASSIFIER_PRESETS:
            raise ValueError("data must be given for a model of your own: --data FILE.npz")
        name = CLASSIFIER_PRESETS[config.model].data
    path = Path(name).expanduser()
    split = config.split or ("train" if path.is_dir() else "test")
    data = load_labelled(config, name, split)
    drawn, left = np.arange(len(data)), np.arange(0)
    if config.n is not None and config.n < len(data):
        if config.n < 2:
            raise ValueError(f"n must be at least 2, got {config.n}.")
        rows = np.random.default_rng(config.seed).permutation(len(data))
        drawn, left = np.sort(rows[: config.n]), np.sort(rows[config.n :])

    def others() -> tuple[Dataset, str]:
        named = has_split(path, "train") if path.is_file() else not path.is_dir()
        if named and split != "train":
            return load_labelled(config, name, "train"), "the training split"
        if len(left):
            return data.take(left), "those that --n leaves out"
        return data, "the images to be attacked themselves; --n leaves others out"

    return data.take(drawn), others
