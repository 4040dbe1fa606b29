"""Runs several attacks on a classifier over a range of epsilons; streamed and resumable."""

import dataclasses
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kgan
from kgan.attacks.attack import Attack
from kgan.attacks.input_range import check_range
from kgan.attacks.norms import NORMS
from kgan.attacks.victim import Victim, victim_of
from kgan.certificates.interval_bounds import certified
from kgan.names import one_line
from kgan.robustness import masking
from kgan.robustness.assumptions import assumptions
from kgan.robustness.chunks import Chunk, chunks, length_of
from kgan.robustness.example_images import example_images
from kgan.robustness.report import Report
from kgan.robustness.summary import CERTIFIED, Summary
from kgan.robustness.trial_runner import Progress, TrialRunner
from kgan.robustness.trials import common_norm, radii

# Number of images on which the checks for gradient masking run their own attacks.
_PROBED = 256


def evaluate(
    model: keras.Model | Victim,
    images: Any,
    labels: Any = None,
    *,
    attacks: Sequence[Attack],
    epsilons: Sequence[float] | None = None,
    norm: str | None = None,
    batch_size: int = 256,
    class_names: Sequence[str] | None = None,
    find_masking: bool = True,
    certify: bool = False,
    keep: str | Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Attacks a classifier and reports how robust it is.

    A budget attack runs at every epsilon. A minimal attack, which looks for the smallest change,
    runs once: it counts as successful at each epsilon that is at least the size of its change, in
    the report's norm. Attacks without a norm run once, and do not enter the worst case. A result
    outside the ball never counts.

    Before any attack, the clean accuracy on the first images is compared with what the model would
    say of them in [0, 255] and in [-1, 1], and every attack says whether it can take them.

    Args:
        model: Any Keras classifier, or a `kgan.attacks.Victim` that declares its head and range.
        images: (n, ...) in [0, 1], or uint8 in [0, 255], which is converted chunk by chunk; or a
            `tf.data.Dataset` of (images, labels) batches in a repeatable order.
        labels: Integers, a column, or one-hot; the model's own predictions if None. Left out for a
            `tf.data.Dataset`.
        attacks: Attacks of `kgan.attacks`, or your own.
        epsilons: Radii of the balls; those of the budget attacks if None.
        norm: Norm of the balls; that of the budget attacks if None, or of the first attack if
            there is no budget attack.
        batch_size: Number of images attacked at a time. Four times as many are held in memory.
        class_names: A name for each class.
        find_masking: Whether to look for signs of gradient masking.
        certify: Whether to bound robustness from below too, by interval bounds: in linf, of a Keras
            model made of the layers in `kgan.certificates.interval_bounds.LAYERS`. What attacks
            leave and what is certified bracket the truth.
        keep: A folder for finished results, one small file for each attack, epsilon and chunk of
            the data. Results there of the same model, data and settings are used again.
        progress: Function called with (images done, all images or None, text of what comes next);
            an image is counted once for each trial of an attack.

    Returns:
        A `Report`.

    Raises:
        ValueError: When the model seems to take images in another range, an attack cannot be run on
            them, or an argument is wrong; the message says what to do.
    """
    if not isinstance(model, keras.Model | Victim):
        raise TypeError(
            f"model must be a keras.Model or a kgan.attacks.Victim, got {type(model).__name__}."
        )
    norm = common_norm(attacks, norm)
    epsilons = radii(attacks, epsilons, norm)
    if certify and norm != "linf":
        raise ValueError(f"certify needs the norm linf, in which interval bounds are, got {norm}.")
    if class_names and isinstance(model, Victim) and not model.criterion.by_class:
        raise ValueError(f"class_names must be left out for {model.criterion!r}.")
    runner = TrialRunner(
        model,
        attacks,
        epsilons,
        n=length_of(images),
        batch_size=batch_size,
        keep=keep,
        progress=progress,
    )
    seen = _Seen()
    for chunk in chunks(model, images, labels, batch_size):
        if not seen.labels:
            victim = victim_of(model, chunk.images)
            _check(victim, chunk, attacks)
            _check_names(class_names, victim)
        seen.add(chunk)
        if certify:
            _certify(seen, model, chunk, epsilons, batch_size)
        runner.run(chunk)
    if not seen.labels:
        raise ValueError("images must not be empty.")
    runner.tell("looking for gradient masking" if find_masking else "reporting")
    victim = victim_of(model, seen.first.images)
    # What is decided otherwise than by one class of each image has no classes to report.
    classes = victim.classes if victim.criterion.by_class else 0
    summary = Summary(
        norm=norm,
        epsilons=epsilons,
        labels=np.concatenate(seen.labels),
        correct=np.concatenate(seen.correct),
        classes=classes,
        results=runner.results(),
    )
    report = _report(victim, seen, summary, class_names)
    flags, unchecked = _masking_flags(victim, seen.first, summary) if find_masking else ([], [])
    flags += masking.contradictions(summary.outcomes(), seen.safe(), summary.correct)
    return dataclasses.replace(
        report,
        flags=flags,
        unchecked=unchecked,
        assumptions=assumptions(victim, seen.first.images, images, labels, attacks, summary),
        attacks={trial.name: trial.settings() for trial in runner.trials},
    )


@dataclasses.dataclass
class _Seen:
    """What an evaluation has seen of the data, chunk by chunk.

    Attributes:
        labels: Classes of the images.
        correct: Whether each clean image is classified correctly.
        certain: Whether each image is certified, by radius.
    """

    labels: list[np.ndarray] = dataclasses.field(default_factory=list)
    correct: list[np.ndarray] = dataclasses.field(default_factory=list)
    certain: dict[float, list[np.ndarray]] = dataclasses.field(default_factory=dict)
    first: Chunk = dataclasses.field(init=False)

    def add(self, chunk: Chunk) -> None:
        if not self.labels:
            self.first = chunk
        self.labels.append(chunk.labels)
        self.correct.append(chunk.correct)

    def safe(self) -> dict[float, np.ndarray]:
        """Which images are certified at each radius, bool (n,)."""
        return {epsilon: np.concatenate(found) for epsilon, found in self.certain.items()}


def _certify(
    seen: _Seen,
    model: keras.Model | Victim,
    chunk: Chunk,
    epsilons: Sequence[float],
    batch_size: int,
) -> None:
    for epsilon in epsilons:
        found = certified(model, chunk.images, chunk.labels, epsilon=epsilon, batch_size=batch_size)
        seen.certain.setdefault(epsilon, []).append(found)


def _report(
    victim: Victim, seen: _Seen, summary: Summary, class_names: Sequence[str] | None
) -> Report:
    """The figures, without what is said about them."""
    return Report(
        model=one_line(victim.name),
        n=len(summary.labels),
        class_names=_names(class_names, summary.classes),
        norm=summary.norm,
        epsilons=summary.epsilons,
        clean=summary.row("clean", 0.0, np.zeros(len(summary.labels), bool)),
        rows=summary.rows(),
        worst_case=summary.worst_case(),
        certified=[
            # What is not certified may be safe all the same: no attack succeeded there.
            dataclasses.replace(summary.row(CERTIFIED, epsilon, ~certain), success_rate=None)
            for epsilon, certain in seen.safe().items()
        ],
        curves=summary.curves(),
        flags=[],
        unchecked=[],
        assumptions=[],
        attacks={},
        versions=_versions(),
        class_counts=np.bincount(summary.labels, minlength=summary.classes).tolist()
        if summary.classes
        else [],
        examples=example_images(victim, seen.first, seen.first.shown, summary)
        if summary.classes
        else None,
    )


def _check(victim: Victim, chunk: Chunk, attacks: Sequence[Attack]) -> None:
    """Raises `ValueError` where the figures would be wrong, before any time is spent on them."""
    for attack in attacks:
        attack.check(victim, chunk.images.shape[1:])
    check_range(victim, chunk.images, chunk.labels)


def _check_names(class_names: Sequence[str] | None, victim: Victim) -> None:
    if class_names is not None and len(class_names) > victim.classes:
        raise ValueError(
            f"class_names must be at most {victim.classes}, one for each class of {victim.name}, "
            f"got {len(class_names)}."
        )


def _masking_flags(
    victim: Victim, chunk: Chunk, summary: Summary
) -> tuple[list[masking.Flag], list[str]]:
    """The signs of gradient masking, and the checks that could not be made."""
    flags, unchecked = masking.compare(summary.outcomes(), summary.norm)
    if victim.held is not None or not victim.criterion.by_class:
        unchecked.append(
            "zero gradients, unlimited epsilon, more steps: need a classifier of images alone"
        )
    elif victim.black_box:
        unchecked.append("zero gradients, unlimited epsilon, more steps: need a model's gradients")
    elif summary.norm in NORMS and summary.epsilons:
        rows = np.flatnonzero(chunk.correct)[:_PROBED]
        flags += masking.probe(
            victim,
            chunk.images[rows],
            chunk.labels[rows],
            norm=summary.norm,
            epsilon=summary.epsilons[-1],
        )
    else:
        needs = "need linf, l2 or l1" if summary.norm == "l0" else "need an epsilon"
        unchecked.append(f"zero gradients, unlimited epsilon, more steps: {needs}")
    return flags, unchecked


def _names(given: Sequence[str] | None, classes: int) -> list[str]:
    names = [one_line(str(name)) for name in given or ()]
    return names + [str(label) for label in range(len(names), classes)]


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "keras", "numpy")
    return {"kgan": kgan.__version__} | {
        name: importlib.metadata.version(name) for name in packages
    }
