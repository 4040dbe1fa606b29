"""What makes AutoAttack's figure unreliable, in sentences."""

from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks.attack_batch import AttackBatch
from kgan.attacks.losses import cross_entropy
from kgan.attacks.victim import Victim

# Images that are looked at, and how much two answers may differ, as the published code does.
_LOOKED_AT = 250
_DIFFERENCE = 1e-4


def find_warnings(
    victim: Victim, images: np.ndarray, labels: np.ndarray, *, version: str, batch_size: int
) -> list[str]:
    """The warnings that can be given before the attacks.

    Args:
        victim: The classifier.
        images: float32 (n, ...) in [0, 1].
        labels: The classes of the images, int32 (n,).
        version: The version of AutoAttack, "standard", "plus" or "rand".
        batch_size: Images looked at a time.

    Reference:
        The checks of the authors' code, https://github.com/fra31/auto-attack, `flags_doc.md`.
    """
    images, labels = images[:_LOOKED_AT], labels[:_LOOKED_AT]
    look = _look(victim, images.shape[1:])
    victim.rewind()
    looks = [
        look(images[start : start + batch_size], labels[start : start + batch_size])
        for start in range(0, len(images), batch_size)
    ]
    if not looks:
        return []
    random = float(np.max([difference.numpy().max() for difference, _ in looks]))
    zeros = int(np.sum([zero.numpy().sum() for _, zero in looks]))
    found = []
    if random > _DIFFERENCE and version != "rand":
        found.append(
            f"the model is random: its logits for the same image differ by up to {random:.2g}. "
            'Use version="rand".'
        )
    if random <= _DIFFERENCE and version == "rand":
        found.append(
            'the model is not random: version="standard" has stronger attacks for such a model.'
        )
    if victim.classes < 4 and version != "rand":
        found.append(
            f"the model has {victim.classes} classes: the targeted DLR loss needs 4, so APGD on "
            "the margin takes its place, and this is not the standard AutoAttack."
        )
    elif victim.classes <= 9 and version != "rand":
        found.append(
            f"the model has {victim.classes} classes: only {victim.classes - 1} targets are tried "
            "where 9 are standard."
        )
    if zeros:
        found.append(
            f"{zeros} of {len(images)} images have a gradient of zero, which gradient attacks "
            "cannot follow: robustness may be overestimated. See kgan.attacks.BPDA."
        )
    return found


def _look(victim: Victim, shape: tuple[int, ...]) -> Any:
    """A function that says how much two answers differ, and where the gradient is zero."""
    key = ("autoattack checks", tuple(shape))
    if key in victim.functions:
        return victim.functions[key]

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None, *shape]), tf.TensorSpec([None], tf.int32)],
    )
    def look(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        difference = tf.reduce_max(tf.abs(victim.logits(images) - victim.logits(images)), axis=1)
        batch = AttackBatch(victim.logits, images, labels, keys=labels, targeted=False)
        gradient = batch.gradient(images, lambda logits: cross_entropy(logits, labels))[2]
        axes = list(range(1, len(shape) + 1))
        return difference, tf.reduce_all(tf.equal(gradient, 0.0), axis=axes)

    victim.functions[key] = look
    return look


def square_warning(before: float, after: float) -> list[str]:
    """A warning if Square, which sees no gradient, lowers the robust accuracy."""
    if not after < before:
        return []
    return [
        f"Square lowered the robust accuracy from {before:.1%} to {after:.1%}: the gradients may "
        "be masked, and robustness overestimated."
    ]
