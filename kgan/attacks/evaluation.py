"""Several attacks on one classifier over a range of epsilons, streamed, resumable, as a report."""

import dataclasses
import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan
from kgan.attacks import masking
from kgan.attacks.assumptions import assumptions
from kgan.attacks.attack import Attack, check_norm, check_radius
from kgan.attacks.examples import examples
from kgan.attacks.norms import NORMS
from kgan.attacks.parts import Part, PartsFolder, Run, attack_piece
from kgan.attacks.pieces import Piece, pieces
from kgan.attacks.report import Report
from kgan.attacks.summary import Summary
from kgan.attacks.victim import Victim, victim_of

_SHOWN = 8
_PROBED = 256


def evaluate(
    model: keras.Model,
    images: Any,
    labels: Any = None,
    *,
    attacks: Sequence[Attack],
    epsilons: Sequence[float] | None = None,
    norm: str | None = None,
    batch_size: int = 256,
    class_names: Sequence[str] | None = None,
    find_masking: bool = True,
    keep: str | Path | None = None,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> Report:
    """Attacks a classifier and reports how robust it is.

    A budget attack runs at every epsilon. A minimal attack, which looks for the smallest change,
    runs once: it has fooled an image at each epsilon that its change does not exceed, in the
    report's norm. Attacks without a norm run once, and stay out of the worst case. A result outside
    the ball never counts.

    Args:
        model: Any Keras classifier.
        images: (n, ...) in [0, 1], or uint8 in [0, 255], which is converted piece by piece; or a
            `tf.data.Dataset` of (images, labels) batches in a repeatable order.
        labels: Integers, a column, or one-hot; the model's own predictions if None. Left out for a
            `tf.data.Dataset`.
        attacks: Whatever `kgan.attacks` has.
        epsilons: Radii of the balls; the budget attacks' own if None.
        norm: The balls' norm; that of the budget attacks if None, else the first attack's.
        batch_size: Images attacked at a time. Four times as many are held at once.
        class_names: One for each class.
        find_masking: Whether to look for signs of gradient masking.
        keep: A folder for what is done, one small file for each attack, epsilon and piece of the
            data. What is found there, of the same model, data and settings, is not done again.
        progress: Called with (images done, images in all or None, what comes next), counting an
            image once for each run of an attack.

    Returns:
        A `Report`.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}.")
    norm = _common_norm(attacks, norm)
    epsilons = _radii(attacks, epsilons, norm)
    runs = _plan(attacks, epsilons)
    folder = PartsFolder(keep, model)
    parts: dict[Run, list[Part]] = {run: [] for run in runs}
    total = None if isinstance(images, tf.data.Dataset) else len(images) * len(runs)
    done = 0
    first: Piece | None = None
    prepared: dict[str, Attack] = {}
    seen_labels, seen_correct = [], []
    for piece in pieces(model, images, labels, batch_size):
        shown = np.flatnonzero(piece.correct)[: _SHOWN if first is None else 0]
        if first is None:
            first, first_shown = piece, shown
        seen_labels.append(piece.labels)
        seen_correct.append(piece.correct)
        for run in runs:
            if progress:
                progress(done, total, str(run))
            part = folder.load(run, piece, shown)
            if part is None:
                if run.name not in prepared:
                    # Once for all radii, of which the last is the largest.
                    widest = [one for one in runs if one.name == run.name][-1]
                    prepared[run.name] = widest.attack.prepared(model, first.images)
                ready = _at_radius(run, prepared[run.name])
                part = attack_piece(ready, model, piece, shown, batch_size)
                folder.save(run, piece, shown, part)
            parts[run].append(part)
            done += len(piece.labels)
    if first is None:
        raise ValueError("images must not be empty.")
    if progress:
        progress(done, total, "looking for gradient masking" if find_masking else "reporting")
    summary = Summary(
        norm=norm,
        epsilons=epsilons,
        labels=np.concatenate(seen_labels),
        correct=np.concatenate(seen_correct),
        classes=first.logits.shape[1],
        parts={run: Part.join(found) for run, found in parts.items()},
    )
    victim = victim_of(model, first.images)
    flags, unchecked = _signs(victim, first, summary) if find_masking else ([], [])
    return Report(
        model=victim.name,
        n=len(summary.labels),
        class_names=_names(class_names, victim.classes),
        norm=norm,
        epsilons=epsilons,
        clean=summary.row("clean", 0.0, np.zeros(len(summary.labels), bool)),
        rows=summary.rows(),
        worst_case=summary.worst_case(),
        curves=summary.curves(),
        flags=flags,
        unchecked=unchecked,
        assumptions=assumptions(victim, images, labels, attacks, summary),
        attacks={run.name: _settings(run.attack) for run in runs},
        versions=_versions(),
        examples=examples(victim, first, first_shown, summary),
    )


def _common_norm(attacks: Sequence[Attack], norm: str | None) -> str | None:
    if not attacks:
        raise ValueError("attacks must not be empty.")
    for attack in attacks:
        if not isinstance(attack, Attack):
            raise TypeError(
                f"attacks must be attacks such as kgan.attacks.PGD(0.3), got {attack!r}."
            )
    budget = dict.fromkeys(attack.norm for attack in attacks if _has_budget(attack))
    any_norm = [attack.norm for attack in attacks if attack.norms]
    norm = norm or next(iter([*budget, *any_norm]), None)
    if norm is not None:
        check_norm(norm, NORMS)
    if set(budget) - {norm}:
        raise ValueError(
            f"attacks with an epsilon must share the report's norm {norm!r}, got {list(budget)}. "
            "Make one report for each norm."
        )
    return norm


def _has_budget(attack: Attack) -> bool:
    return not attack.minimal and getattr(attack, "epsilon", None) is not None


def _radii(
    attacks: Sequence[Attack], epsilons: Sequence[float] | None, norm: str | None
) -> list[float]:
    if epsilons is None:
        epsilons = [attack.get_config()["epsilon"] for attack in attacks if _has_budget(attack)]
    elif not epsilons and any(map(_has_budget, attacks)):
        raise ValueError("epsilons must not be empty.")
    return sorted({check_radius("epsilon", epsilon, norm or "l2") for epsilon in epsilons})


def _plan(attacks: Sequence[Attack], epsilons: list[float]) -> list[Run]:
    """The runs, in the attacks' order; attacks of one class are numbered."""
    runs = []
    used: dict[str, int] = {}
    for attack in attacks:
        name = type(attack).__name__
        used[name] = used.get(name, 0) + 1
        if used[name] > 1:
            name = f"{name} {used[name]}"
        if _has_budget(attack):
            runs += [Run(name, attack.replace(epsilon=epsilon), epsilon) for epsilon in epsilons]
        else:
            runs.append(Run(name, attack, None))
    return runs


def _at_radius(run: Run, prepared: Attack) -> Run:
    """The run with the attack that is ready for its name."""
    attack = prepared if run.epsilon is None else prepared.replace(epsilon=run.epsilon)
    return dataclasses.replace(run, attack=attack)


def _signs(victim: Victim, piece: Piece, summary: Summary) -> tuple[list[masking.Flag], list[str]]:
    flags, unchecked = masking.compare(summary.outcomes(), summary.norm)
    if summary.norm is not None and summary.epsilons:
        rows = np.flatnonzero(piece.correct)[:_PROBED]
        flags += masking.probe(
            victim,
            piece.images[rows],
            piece.labels[rows],
            norm=summary.norm,
            epsilon=summary.epsilons[-1],
        )
    else:
        unchecked.append("zero gradients, unlimited epsilon, more steps: need an epsilon")
    return flags, unchecked


def _names(given: Sequence[str] | None, classes: int) -> list[str]:
    names = [str(name) for name in given or ()]
    return names + [str(label) for label in range(len(names), classes)]


def _settings(attack: Attack) -> dict[str, Any]:
    plain = (bool, int, float, str, type(None))
    config = {
        name: value if isinstance(value, plain) else repr(value)
        for name, value in attack.get_config().items()
        if name != "epsilon" or not _has_budget(attack)
    }
    return {"class": type(attack).__name__, **config}


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "keras", "numpy")
    return {"kgan": kgan.__version__} | {
        name: importlib.metadata.version(name) for name in packages
    }
