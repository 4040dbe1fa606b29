"""The assumptions of an evaluation, in sentences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks.attack import Attack
from kgan.attacks.input_range import suspicion
from kgan.attacks.victim import Victim
from kgan.robustness.summary import Summary


def assumptions(
    victim: Victim,
    some: np.ndarray,
    images: Any,
    labels: Any,
    attacks: Sequence[Attack],
    summary: Summary,
) -> list[str]:
    """Sentences about the classifier, the data and the attacks, including warnings.

    Args:
        victim: The classifier.
        some: Some of the images, as the attacks get them.
        images: The images as they were given.
        labels: The labels as they were given.
        attacks: The attacks as they were given, before they were fitted or prepared.
        summary: The results of all attacks.
    """
    streamed = isinstance(images, tf.data.Dataset)
    found = list(victim.assumptions)
    if not streamed and getattr(images, "dtype", None) == np.uint8:
        found.append("uint8 images are divided by 255")
    if labels is None and not streamed:
        found.append("no labels were given: the model's own predictions are taken as the truth")
        if text := suspicion(victim, some):
            found.append(text)
    else:
        if victim.criterion.by_class:
            found.append(f"labels are {_label_format(labels)}")
    if summary.norm == "l0":
        found.append("epsilon is the number of values that may change")
    elif summary.norm is not None:
        found.append(f"epsilon is a {summary.norm} radius in units of [0, 1] (8/255 = 0.0314)")
    for attack in attacks:
        for name, reason in attack.left_out(victim, some.shape[1:]).items():
            found.append(f"WARNING: {type(attack).__name__} leaves out {name}: {reason}")
        if attack.norms and attack.norm != summary.norm:
            found.append(
                f"{type(attack).__name__} looks for small changes in {attack.norm}; "
                f"at each epsilon they are judged in {summary.norm}"
            )
        if not attack.norms:
            found.append(
                f"{type(attack).__name__} has no epsilon and does not count in the worst case"
            )
        if not attack.is_fitted:
            found.append(
                f"{type(attack).__name__} was not fitted before, and learnt from the first of the "
                "attacked images"
            )
    for trial, result in summary.results.items():
        found += [f"WARNING: {trial}: {text}" for text in result.warnings]
        outside = summary.fooled(trial, None).sum() - summary.fooled(trial, trial.epsilon).sum()
        if outside:
            found.append(
                f"WARNING: {outside} results of {trial} lie outside the ball and do not count"
            )
    accuracy = summary.correct.mean()
    if summary.classes and accuracy < 2 / summary.classes:
        found.append(
            f"WARNING: the clean accuracy of {accuracy:.1%} is close to guessing. Does the model "
            "take images in [0, 1], and are the classes in its order?"
        )
    return found


def _label_format(labels: Any) -> str:
    shape: tuple[int, ...] = () if labels is None else np.shape(labels)
    if len(shape) == 2:
        return "one-hot rows" if shape[1] > 1 else "a column of class numbers"
    return "class numbers"
