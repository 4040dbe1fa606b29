"""Signs that a classifier hides its gradients, so that its robust accuracy cannot be trusted.

A defence may keep gradient attacks from finding adversarial images that exist. The signs are those
of Athalye et al., "Obfuscated gradients give a false sense of security", 2018, section 3.1, and of
Carlini et al., "On evaluating adversarial robustness", 2019. None proves masking, and a model
without any sign may still be masked.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch
from kgan.attacks.losses import cross_entropy
from kgan.attacks.pgd import PGD
from kgan.attacks.victim import Victim

# One-sided normal quantile of 0.5%: a larger difference of two equal attacks is no chance.
_SIGNIFICANT = 2.58
# Number of images that noise must fool to count as a sign.
_FEW = 10
# Difference below which two shares of the images count as equal.
_SHARE = 0.1
_STEPS = 20


@dataclasses.dataclass(frozen=True)
class Flag:
    """A sign of gradient masking.

    Attributes:
        name: Name of the sign, a key of `MEANINGS`.
        evidence: Text with the figures that show the sign.
        meaning: Text on what the sign says about the other figures, and what to do.
    """

    name: str
    evidence: str
    meaning: str


MEANINGS = {
    "black-box beats white-box": (
        "An attack that sees no gradient fools images that no gradient attack fools, so the "
        "gradients mislead and the white-box figures overstate robustness. Trust the lowest "
        "figure; attack through a smooth stand-in for the part that hides the gradient."
    ),
    "single-step beats iterative": (
        "One step fools images that many steps do not, although the iterative attack could have "
        "taken that step: it is stuck where the loss is rugged. Iterative figures overstate "
        "robustness; typical after single-step adversarial training."
    ),
    "random noise as good as the attack": (
        "Noise that knows nothing of the model fools about as many images as following its "
        "gradients, so the gradients carry no information. The gradient attacks' figures say "
        "nothing about robustness."
    ),
    "zero gradients": (
        "For some images the gradient is exactly zero, so a gradient attack cannot start: a "
        "rounding, a threshold, a saturated or non-differentiable layer. Use Square, or replace "
        "that layer by a smooth stand-in while attacking."
    ),
    "accuracy does not fall to zero": (
        "The attack may turn an image into any other and still fails, so it is the attack that "
        "fails: success must reach 100% as epsilon grows. The figures at every smaller epsilon "
        "overstate robustness too."
    ),
    "attack contradicts certificate": (
        "An attack fools images that are certified to be safe. Both cannot be right: the model may "
        "be random or changed meanwhile, or float32 rounds more than the certificate allows for. "
        "Trust neither figure."
    ),
    "no gain from more steps": (
        "Four times the steps, and as much more way to go, raise the loss no further while images "
        "are left to fool: the attack is stuck close to where it starts. Its figures overstate "
        "robustness, and more iterations will not help."
    ),
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an attack did at one epsilon.

    Attributes:
        attack: The attack.
        epsilon: The radius.
        fooled: Which of the images that were correct it fooled, bool (n,).
    """

    attack: Attack
    epsilon: float
    fooled: np.ndarray


def compare(outcomes: Sequence[Outcome], norm: str | None) -> tuple[list[Flag], list[str]]:
    """The signs that show when attacks of different categories are compared, image by image.

    Args:
        outcomes: Each attack at each epsilon, over the same images, all correct when clean.
        norm: Norm of the ball. Attacks that look for small changes in another norm are left out.

    Returns:
        The flags, and the comparisons that lacked an attack.
    """
    fooled: dict[str, dict[float, np.ndarray]] = {}
    for outcome in outcomes:
        attack = outcome.attack
        # What was learnt before follows no gradient of the image that it is tried on.
        follows = attack.adapts or attack.category != "white-box"
        if attack.category and follows and attack.norms and attack.norm == norm:
            union = fooled.setdefault(attack.category, {})
            before = union.get(outcome.epsilon, False)
            union[outcome.epsilon] = before | outcome.fooled
    flags, unchecked = [], []

    def check(name, category, wanted, found):
        if category not in fooled or "white-box" not in fooled:
            unchecked.append(f"{name}: needs {wanted}")
            return
        for epsilon in sorted(fooled[category].keys() & fooled["white-box"].keys()):
            evidence = found(fooled[category][epsilon], fooled["white-box"][epsilon])
            if evidence:
                flags.append(Flag(name, f"at epsilon {epsilon:g}, {evidence}", MEANINGS[name]))
                return

    check(
        "black-box beats white-box",
        "black-box",
        "a black-box attack (square) and an iterative one (pgd, apgd)",
        _beats("the black-box attacks", "the gradient attacks"),
    )
    check(
        "single-step beats iterative",
        "single-step",
        "a single-step attack (fgsm) and an iterative one (pgd, apgd)",
        _beats("the single step", "the iterative attacks"),
    )
    check(
        "random noise as good as the attack",
        "noise",
        "random noise (noise) and an iterative attack (pgd, apgd)",
        _as_good,
    )
    return flags, unchecked


def contradictions(
    outcomes: Sequence[Outcome], safe: Mapping[float, np.ndarray], correct: np.ndarray
) -> list[Flag]:
    """A flag for each radius at which an attack fools images that are certified.

    Args:
        outcomes: Each attack at each epsilon, over the images that are correct when clean.
        safe: Which of all images are certified, bool (n,), by epsilon.
        correct: Which of all images are correct when clean, bool (n,).
    """
    name = "attack contradicts certificate"
    flags = []
    for outcome in outcomes:
        if outcome.epsilon not in safe:
            continue
        if count := int(np.sum(outcome.fooled & safe[outcome.epsilon][correct])):
            evidence = (
                f"{type(outcome.attack).__name__} fools {count} certified images at epsilon "
                f"{outcome.epsilon:g}"
            )
            flags.append(Flag(name, evidence, MEANINGS[name]))
    return flags


def _beats(weaker: str, stronger: str):
    def found(fooled: np.ndarray, others: np.ndarray) -> str | None:
        alone = int(np.sum(fooled & ~others))
        missed = int(np.sum(others & ~fooled))
        # McNemar's test, one-sided: images that both or neither fool say nothing.
        if alone - missed <= _SIGNIFICANT * math.sqrt(alone + missed):
            return None
        return (
            f"{weaker} fool {alone} images that {stronger} do not, which fool {missed} that "
            f"{weaker} do not"
        )

    return found


def _as_good(fooled: np.ndarray, others: np.ndarray) -> str | None:
    noise, attack = int(fooled.sum()), int(others.sum())
    # If the attack fools all images, noise may do so too; that shows a large epsilon, not masking.
    everything = attack >= (1 - _SHARE / 2) * len(others)
    if noise < max(_FEW, (1 - _SHARE) * attack) or everything:
        return None
    return f"noise fools {noise} of {len(others)} images, the iterative attacks {attack}"


def probe(
    victim: Victim, images: np.ndarray, labels: np.ndarray, *, norm: str, epsilon: float
) -> list[Flag]:
    """The signs that need extra attacks: zero gradients, an unlimited ball, more steps.

    Args:
        victim: The classifier.
        images: Some images that it classifies correctly, float32 (n, ...) in [0, 1].
        labels: Classes of these images, int32 (n,).
        norm: "linf", "l2" or "l1".
        epsilon: The radius at which more steps are tried: the largest one of the evaluation.
    """
    if len(images) == 0:
        return []
    found = {
        "zero gradients": _zero_gradients(victim, images, labels),
        "accuracy does not fall to zero": _unlimited(victim, images, labels, norm),
        "no gain from more steps": _more_steps(victim, images, labels, norm, epsilon),
    }
    return [Flag(name, text, MEANINGS[name]) for name, text in found.items() if text]


def _zero_gradients(victim: Victim, images: np.ndarray, labels: np.ndarray) -> str | None:
    @tf.function(autograph=False)
    def zero(images, labels):
        batch = AttackBatch(victim.logits, images, labels, keys=labels, targeted=False)
        gradient = batch.gradient(images, lambda logits: cross_entropy(logits, labels))[2]
        return tf.reduce_all(tf.equal(tf.reshape(gradient, [tf.shape(images)[0], -1]), 0.0), axis=1)

    count = int(zero(tf.constant(images), tf.constant(labels)).numpy().sum())
    if count <= _SHARE / 2 * len(images):
        return None
    return f"{count} of {len(images)} images have a gradient of zero"


def _unlimited(victim: Victim, images: np.ndarray, labels: np.ndarray, norm: str) -> str | None:
    size = images[0].size
    everything = {"linf": 1.0, "l2": math.sqrt(size), "l1": float(size)}[norm]
    # One attack starts at a random point of half the radius, the other one at the image.
    for attack in (
        PGD(everything / 2, steps=2 * _STEPS, norm=norm),
        PGD(everything, steps=2 * _STEPS, norm=norm, random_start=False),
    ):
        left = ~attack.run(victim, images, labels).success
        if left.mean() <= _SHARE:
            return None
    return (
        f"at {norm} epsilon {everything:g}, which allows any image, PGD leaves {left.mean():.0%} "
        "of the images correct"
    )


def _more_steps(
    victim: Victim, images: np.ndarray, labels: np.ndarray, norm: str, epsilon: float
) -> str | None:
    step_size = 2.5 * epsilon / _STEPS

    @tf.function(autograph=False)
    def losses(images, labels):
        clean = cross_entropy(victim.logits(images), labels)
        logits = []
        for steps in (_STEPS // 4, _STEPS):
            attack = PGD(epsilon, steps=steps, step_size=step_size, norm=norm)
            logits.append(victim.logits(attack.perturb(victim.logits, images, labels)))
        left = tf.argmax(logits[-1], axis=1, output_type=tf.int32) == labels
        return clean, *(cross_entropy(values, labels) for values in logits), left

    clean, few, many, left = (
        value.numpy() for value in losses(tf.constant(images), tf.constant(labels))
    )
    gained, total = float(np.mean(many - few)), float(np.mean(many - clean))
    if left.mean() <= _SHARE or gained > _SHARE / 2 * max(total, 0.0):
        return None
    return (
        f"at epsilon {epsilon:g}, PGD's mean loss is {few.mean():.4g} after {_STEPS // 4} steps "
        f"and {many.mean():.4g} after {_STEPS} ({clean.mean():.4g} clean), with {left.mean():.0%} "
        "of the images left"
    )
