"""`kgan attack [options]`: attack a classifier, tell and keep how robust it is."""

import ast
import dataclasses
import difflib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kgan.cli import run
from kgan.cli.labelled import load_labelled
from kgan.cli.runs import latest_run, new_run, read_config, write_config
from kgan.config import CLASSIFIER_PRESETS, AttackConfig

# Where robust and ordinary classifiers part, for grey digits and for colour photographs.
_EPSILONS = {
    ("linf", 1): (0.05, 0.1, 0.2, 0.3),
    ("l2", 1): (0.5, 1.0, 2.0, 3.0),
    ("l1", 1): (2.5, 5.0, 10.0, 20.0),
    ("linf", 3): (1 / 255, 2 / 255, 4 / 255, 8 / 255),
    ("l2", 3): (0.125, 0.25, 0.5, 1.0),
    ("l1", 3): (3.0, 6.0, 12.0, 24.0),
}

# Settings that all attacks of a run have in common, by options of their own, and those that cannot
# be written on a command line.
_SHARED = ("self", "epsilon", "norm", "seed", "surrogates", "network", "targets", "weights")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `attack.py` and `kgan attack`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        config = _parse(arguments, AttackConfig())
        name = f"attack-{config.name or Path(config.model).stem}"
        if config.resume:
            folder = latest_run(config.runs_dir, name)
            config = _parse(arguments, read_config(folder, AttackConfig))
        else:
            folder = new_run(config.runs_dir, name)
    except (ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return run(lambda: attack(config, folder), debug=config.debug, verbose=config.verbose)


def _parse(arguments: Sequence[str], defaults: AttackConfig) -> AttackConfig:
    import tyro

    return tyro.cli(AttackConfig, default=defaults, args=arguments, prog="kgan attack")


def attack(config: AttackConfig, folder: Path) -> int:
    """Attacks, writes the run folder and prints the table.

    Returns:
        0, or 1 where a robust accuracy is below `min_robust`.
    """
    import kgan.attacks.evaluation
    from kgan.cli.attack_fit import fitted
    from kgan.cli.attack_output import Progress, tell, write

    if config.min_robust is not None and not 0 <= config.min_robust <= 1:
        raise ValueError(f"min_robust must be a share in [0, 1], got {config.min_robust:g}.")
    data, others = _data(config)
    epsilons = config.epsilons or _EPSILONS[config.norm, data.sample_shape[-1]]
    attacks = [_attack(config, name, epsilons) for name in config.attack]
    model = _model(config)
    check_fit(config.model, model, data)
    write_config(folder, config)
    print(f"{config.model}: {len(data):,} images of {data.name}; run folder {folder}", flush=True)
    attacks = [fitted(attack, model, others, folder) for attack in attacks]
    with Progress(f"kgan attack --resume --name {folder.name.removeprefix('attack-')}") as progress:
        report = kgan.attacks.evaluation.evaluate(
            model,
            data.samples,
            data.labels,
            attacks=attacks,
            epsilons=epsilons,
            norm=config.norm,
            batch_size=config.batch_size,
            class_names=data.class_names,
            keep=folder / "parts",
            progress=progress,
        )
    report = dataclasses.replace(report, model=f"{config.model} ({report.model})")
    write(report, folder)
    tell(report, folder)
    if config.min_robust is not None and report.lowest < config.min_robust:
        print(f"robust accuracy {report.lowest:.1%} is below --min-robust {config.min_robust:.1%}")
        return 1
    return 0


def _model(config: AttackConfig):
    """The classifier: from a file, or a preset's, which is trained where it is not there yet."""
    from kgan.cli.train_classifier import train

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
    return load_classifier(path)


def load_classifier(path: Path):
    """A classifier from a file; errors say what to do instead."""
    import keras

    if any(path.glob("saved_model.pb")) or any(path.glob("*/saved_model.pb")):
        raise ValueError(
            f"model {path} is a SavedModel folder, from which no Keras model comes back. Save the "
            'model itself: model.save("model.keras"), and pass that file.'
        )
    if not path.is_file() or path.suffix not in (".keras", ".h5"):
        raise FileNotFoundError(
            f"model must be a .keras file or one of {', '.join(CLASSIFIER_PRESETS)}, "
            f"got {str(path)!r}{'' if path.exists() else ', which is not there'}."
        )
    try:
        return keras.models.load_model(path, compile=False)
    except (TypeError, ValueError, OSError) as error:
        said = str(error).strip().splitlines() or ["no message"]
        raise ValueError(
            f"{path} cannot be loaded: {said[0]} (If it has layers of your own, call "
            "kgan.attacks.evaluate from Python, where they are known.)"
        ) from error


def _data(config: AttackConfig):
    """The images with labels to attack, and what gives others to learn from and names them."""
    import numpy as np

    from kgan.data.arrays import has_split

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

    def others():
        named = has_split(path, "train") if path.is_file() else not path.is_dir()
        if named and split != "train":
            return load_labelled(config, name, "train"), "the training split"
        if len(left):
            return data.take(left), "those that --n leaves out"
        return data, "the images to be attacked themselves; --n leaves others out"

    return data.take(drawn), others


def check_fit(path: str | Path, model, data) -> None:
    """Raises where the model takes other images or has fewer classes than the data."""
    from kgan.attacks.victim import victim_of

    try:
        victim = victim_of(model, data.take([0, 1]).as_float())
    except ValueError as error:
        raise ValueError(f"{path} and {data.name} do not fit: {error}") from error
    if data.num_classes > victim.classes:
        raise ValueError(
            f"{path} has {victim.classes} classes, but {data.name} has {data.num_classes}."
        )


def _attack(config: AttackConfig, name: str, epsilons: Sequence[float]):
    """The attack of that name, given those of the settings that it takes."""
    from kgan.attacks import ATTACKS

    name, _, own = name.partition(":")
    if name not in ATTACKS:
        near = difflib.get_close_matches(name, ATTACKS, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"attack must be one of {', '.join(ATTACKS)}, got {name!r}.{hint}")
    kind = ATTACKS[name]
    takes = inspect.signature(kind.__init__).parameters
    settings: dict[str, Any] = {"seed": config.seed}
    if "norm" in takes and config.norm in kind.norms:
        settings["norm"] = config.norm
    # An epsilon that defaults to None asks for the smallest change.
    if "epsilon" in takes and takes["epsilon"].default is not None:
        settings["epsilon"] = max(epsilons)
    if "least_epsilon" in takes and len(epsilons) > 1:
        settings["least_epsilon"] = min(epsilons)
    if "epsilon" in settings and kind.norms and config.norm not in kind.norms:
        raise ValueError(f"{name} knows the norms {', '.join(kind.norms)}, not {config.norm}.")
    if config.surrogate and "surrogates" in takes:
        settings["surrogates"] = [load_classifier(path.expanduser()) for path in config.surrogate]
    settings = {key: value for key, value in settings.items() if key in takes}
    settings |= _own_settings(name, own, takes)
    try:
        return kind(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error} (of --attack {name}{':' if own else ''}{own})") from error


def _own_settings(name: str, text: str, takes: Mapping[str, Any]) -> dict[str, Any]:
    """What follows an attack's name: "steps=100,loss=margin"."""
    settings = {}
    for item in text.split(",") if text else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        allowed = [key for key in takes if key not in _SHARED]
        if not equals or key not in allowed:
            raise ValueError(
                f"settings of {name} are given as {name}:key=value,key=value with the keys "
                f"{', '.join(allowed)}, got {item!r}."
            )
        try:
            settings[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key] = value
    return settings
