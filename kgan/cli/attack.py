"""`kgan attack [options]`: attack a classifier and report how robust it is."""

import contextlib
import dataclasses
import datetime
import hashlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

import kgan.data
import kgan.robustness
from kgan.attacks import Attack, Criterion
from kgan.attacks.black_boxes import black_box, is_address, is_black_box
from kgan.attacks.eight_bit import check_on_grid
from kgan.attacks.victim import Victim
from kgan.cli.command_line import Request
from kgan.data import Dataset
from kgan.data.arrays import has_split
from kgan.files import read_token
from kgan.models.norm_ball import USUAL_RADII
from kgan.names import one_line
from kgan.progress import Progress
from kgan.robustness.corruptions.corrupt import check_corruptible
from kgan.robustness.fitting import fitted
from kgan.robustness.radii import default_radii
from kgan.robustness.report import Report
from kgan.runs import faults, outputs
from kgan.runs.attacked_data import AttackedData, attacked_data
from kgan.runs.classifier_file import check_fit, check_model_range, load_classifier
from kgan.runs.classifying import preset_classifier
from kgan.runs.run import Run
from kgan.settings import CLASSIFIER_PRESETS, AttackSettings, hints

# The attacks where none is named: of a model with gradients, and of one that only answers.
_USUAL = ("noise", "fgsm", "apgd:steps=40", "square:steps=1000")
_ASKING = ("noise", "square:steps=1000")


def main(request: Request) -> int:
    """The body of `attack.py` and `kgan attack`.

    Returns:
        The exit code: 0, or 1 if a robust accuracy is below `min_robust`.
    """
    settings = cast(AttackSettings, request.settings)
    _check_outputs(settings)
    try:
        return _run(request, settings)
    except BaseException as error:
        _write_error(error, settings, request.command)
        raise


def _run(request: Request, settings: AttackSettings) -> int:
    """Attacks, and writes the report; returns the exit code."""
    criterion = kgan.robustness.criterion_from_text(settings.criterion)
    whole = _has_no_splits(settings)
    # Who trained on it had to hold out images.
    unheld = kgan.data.held_out_split(_data_name(settings)) is None
    unheld &= whole or _split(settings) == "train"
    attacked = attacked_data(
        _data_name(settings),
        _split(settings),
        n=settings.n,
        seed=settings.seed,
        several_labels=not criterion.by_class,
        held=settings.held,
        classifier=Path(settings.model).expanduser() if unheld else None,
        data_dir=settings.data_dir,
        download=settings.download,
        **settings.reading,
    )
    data = attacked.images
    epsilons = settings.epsilons or default_radii(data.kind, settings.norm)
    attacks = _attacks(settings, epsilons)
    model, file, digest = _model(settings, criterion, attacked.held)
    check_fit(settings.model, model, data)
    if criterion.by_class and not attacked.held:
        check_model_range(model, data)
    if settings.corruptions:
        check_corruptible(data.sample_shape)
    baseline = _baseline(settings, data)
    if settings.eight_bit:
        check_on_grid(data.samples)
    if request.run is None:
        run = Run.new(settings.runs_dir, request.name, settings)
    else:
        run = request.run.saved(settings)
    print(
        one_line(f"{settings.model}: {len(data):,} images of {data.name}; run folder {run.folder}")
    )
    progress = Progress()
    try:
        attacks = [fitted(attack, model, attacked.others, run.folder) for attack in attacks]
        report = _evaluate(settings, model, attacked, attacks, epsilons, run.folder, progress)
        if settings.corruptions:
            report = _corrupted(report, settings, model, baseline, data)
    except KeyboardInterrupt:
        print(f"\n{_kept(settings, run.folder, progress)}", file=sys.stderr)
        raise
    except Exception as error:
        if not faults.is_mistake(error):
            faults.keep(error, run.folder)
            print(_kept(settings, run.folder, progress), file=sys.stderr)
        raise
    report = dataclasses.replace(
        report,
        provenance={
            **_provenance(settings, request.command, file, digest, attacked, whole),
            "to harden": _to_harden(settings, criterion, file),
        },
    )
    if unheld and not attacked.untrained:
        has = "no splits" if whole else "the split train alone"
        told = f"{data.name} has {has}: the model is taken to have been trained on none of it"
        report = dataclasses.replace(report, assumptions=[*report.assumptions, one_line(told)])
    if settings.min_robust is not None:
        report = report.judged(settings.min_robust)
    _write(report, settings, run.folder)
    return 0 if report.verdict is None or report.verdict.passed else 1


def _kept(settings: AttackSettings, folder: Path, progress: Progress) -> str:
    """How far a run came that has ended too early, and how to go on."""
    resume = shlex.join(hints.resume("attack", settings, folder, prefix="attack-"))
    if progress.reached == "nothing":
        return one_line(f"no attack was finished; start again with {resume}")
    kept = f"{progress.reached} of the attacks' work is done and kept in {folder}"
    return one_line(f"{kept}; what is done is not done again by {resume}")


def _check_outputs(settings: AttackSettings) -> None:
    """Raises where the end of the command could not write what it is to leave."""
    for name in ("junit", "sarif"):
        path = getattr(settings, name)
        if path is None:
            continue
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{name} must be in an existing folder, got {path}.")
        outputs.check_file(name, path)
    outputs.check_folder("runs_dir", settings.runs_dir)


def _attacks(settings: AttackSettings, epsilons: Sequence[float]) -> list[Attack]:
    surrogates = [load_classifier(path.expanduser()) for path in settings.surrogate]
    return [
        kgan.robustness.attack_from_text(
            text,
            epsilons=epsilons,
            norm=settings.norm,
            seed=settings.seed,
            quantize=settings.eight_bit,
            surrogates=surrogates,
        )
        for text in settings.attack or _usual_attacks(settings)
    ]


def _write(report: Report, settings: AttackSettings, folder: Path) -> None:
    """Writes the report in every form that was asked for, and prints it."""
    kgan.robustness.write_report(report, folder)
    if settings.junit is not None:
        kgan.robustness.write_junit(report, settings.junit)
    if settings.sarif is not None:
        kgan.robustness.write_sarif(report, settings.sarif)
    kgan.robustness.print_report(report, folder)


def _write_error(error: BaseException, settings: AttackSettings, command: str) -> None:
    """Writes for CI that there is no report, in place of what an earlier command left there."""
    text = one_line(f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}")
    # That it ended so is told in any case, by the exit code.
    with contextlib.suppress(OSError):
        if settings.junit is not None:
            kgan.robustness.write_junit_error(text, settings.junit, model=one_line(settings.model))
        if settings.sarif is not None:
            kgan.robustness.write_sarif_error(text, settings.sarif, command=one_line(command))


def _evaluate(
    settings: AttackSettings,
    model: keras.Model | Victim,
    attacked: AttackedData,
    attacks: list[Any],
    epsilons: tuple[float, ...],
    folder: Path,
    progress: Progress,
) -> kgan.robustness.Report:
    with progress:
        report = kgan.robustness.evaluate(
            model,
            attacked.images.values,
            attacked.truth,
            attacks=attacks,
            epsilons=epsilons,
            norm=settings.norm,
            batch_size=settings.batch_size,
            class_names=attacked.images.class_names,
            certify=settings.certify,
            keep=folder / "parts",
            progress=progress.update,
        )
    return dataclasses.replace(report, model=one_line(f"{settings.model} ({report.model})"))


def _baseline(settings: AttackSettings, data: Dataset) -> keras.Model | None:
    """The classifier that errors under corruptions are divided by."""
    if settings.baseline is None:
        return None
    model = load_classifier(settings.baseline.expanduser())
    check_fit(settings.baseline, model, data)
    return model


def _corrupted(
    report: kgan.robustness.Report,
    settings: AttackSettings,
    model: keras.Model | Victim,
    baseline: keras.Model | None,
    data: Dataset,
) -> kgan.robustness.Report:
    """The report with the accuracy under common corruptions."""
    with Progress() as progress:
        found = kgan.robustness.corruption_report(
            model,
            data.values,
            data.labels,
            baseline=baseline,
            seed=settings.seed,
            batch_size=settings.batch_size,
            progress=progress.update,
        )
    if found.baseline is not None:
        told = one_line(f"{settings.baseline} ({found.baseline})")
        found = dataclasses.replace(found, baseline=told)
    return dataclasses.replace(report, corruptions=found)


def _provenance(
    settings: AttackSettings,
    command: str,
    file: str,
    digest: str,
    attacked: AttackedData,
    whole: bool,
) -> dict[str, str]:
    """Where the figures come from, by the name of the fact; `whole` data have no splits."""
    split = "none: the data have no splits" if whole else _split(settings)
    if attacked.untrained:
        split = "what the classifier was not trained on; the data have none for tests"
    drawn = (
        f"drawn by seed {settings.seed}" if settings.n == len(attacked.images) else "all of them"
    )
    facts = {
        "model file": file,
        "model SHA-256": digest,
        "data": attacked.images.name,
        "split": split,
        "images": f"{len(attacked.images):,}, {drawn}",
        "seed": str(settings.seed),
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    return {name: one_line(value) for name, value in facts.items()}


def _to_harden(settings: AttackSettings, criterion: Criterion, file: str) -> str:
    """The command that hardens the model, or why there is none."""
    if _only_answers(settings):
        return "needs the Keras model itself, a .keras file"
    if settings.held or not criterion.by_class:
        return "is none of kgan harden's, which takes images alone and one class for each"
    # Without a radius that the user chose, that of the preset or of the method.
    norm = "linf" if settings.norm == "l0" else settings.norm
    radius = max(settings.epsilons, default=None) if settings.norm == norm else None
    if radius is None and norm != "linf":
        radius = USUAL_RADII[norm]
    return one_line(hints.harden(settings, file, _data_name(settings), norm, radius))


def _usual_attacks(settings: AttackSettings) -> tuple[str, ...]:
    """The attacks that are run where none is named."""
    return _ASKING if _only_answers(settings) else _USUAL


def _only_answers(settings: AttackSettings) -> bool:
    """Whether the model is none of Keras's; a preset's name means its classifier."""
    return settings.model not in CLASSIFIER_PRESETS and is_black_box(settings.model)


def _model(
    settings: AttackSettings, criterion: Criterion, held: dict[str, np.ndarray]
) -> tuple[keras.Model | Victim, str, str]:
    """The model with what is declared of it, its file or address, and a hash of its files."""
    given = settings.declared
    if not criterion.borders:
        given["criterion"] = criterion
    if _only_answers(settings):
        if settings.input is not None:
            raise ValueError(f"input must be left out for {settings.model}, which only answers.")
        asked = black_box(
            settings.model,
            signature=settings.signature,
            output=given.pop("output", None),
            token=None if settings.token_file is None else read_token(settings.token_file),
        )
        digest = "none: a server's model may change"
        if not is_address(settings.model):
            digest = asked.identity or digest
        print(f"{settings.model} only answers: attacks that follow gradients cannot be run on it")
        return Victim(asked, **given), settings.model, digest
    for name in ("signature", "token_file"):
        if getattr(settings, name) is not None:
            raise ValueError(f"{name} must be left out for {settings.model}, a Keras model.")
    file = _model_file(settings)
    model = load_classifier(file, presets=CLASSIFIER_PRESETS)
    if settings.input is not None:
        given |= {"input": settings.input, "held": held}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return (Victim(model, **given) if given else model), str(file), digest


def _model_file(settings: AttackSettings) -> Path:
    """The classifier's file, or that of a preset's, which is trained first if needed."""
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
    return path


def _data_name(settings: AttackSettings) -> str:
    """The data as named, or those of a preset."""
    if settings.data is not None:
        return settings.data
    if settings.model not in CLASSIFIER_PRESETS:
        raise ValueError("data must be given for a model of your own: --data FILE.npz")
    return CLASSIFIER_PRESETS[settings.model].data


def _split(settings: AttackSettings) -> str:
    """The split as named, or what a classifier was not trained on where the data say so."""
    if settings.split is not None:
        return settings.split
    name = _data_name(settings)
    held_out = kgan.data.held_out_split(name)
    path = Path(name).expanduser()
    return held_out or ("train" if path.is_dir() or has_split(path, "train") else "test")


def _has_no_splits(settings: AttackSettings) -> bool:
    """Whether the data are a file or folder of one set for all splits.

    Raises:
        ValueError: If a split of such a file is asked for.
    """
    name = _data_name(settings)
    path = Path(name).expanduser()
    if kgan.data.held_out_split(name) is not None:
        return False
    if path.is_dir():
        return not kgan.data.folder_splits(path)
    if has_split(path, _split(settings)):
        return False
    if settings.split is not None:
        raise ValueError(
            f"split must be left out for {path}, which has none, got {settings.split}."
        )
    return True
