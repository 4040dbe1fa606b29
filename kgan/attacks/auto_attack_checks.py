"""What makes AutoAttack's figure unreliable, in sentences."""

from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks import held_inputs
from kgan.attacks.attack_batch import AttackBatch
from kgan.attacks.norms import flatten
from kgan.attacks.victim import Victim

# Images that are looked at, and how much two answers may differ, as the published code does.
_LOOKED_AT = 250
_DIFFERENCE = 1e-4


def find_warnings(
    victim: Victim,
    images: np.ndarray,
    labels: np.ndarray,
    indices: np.ndarray | None = None,
    *,
    version: str,
    batch_size: int,
) -> list[str]:
    """The warnings that can be given before the attacks.

    Args:
        victim: The classifier.
        images: float32 (n, ...) in [0, 1].
        labels: The classes of the images, int32 (n,), or what else is true of them.
        indices: Index of each image in its data set; 0, 1, ... if `None`.
        version: The version of AutoAttack, "standard", "plus" or "rand".
        batch_size: Images looked at a time.

    Reference:
        The checks of the authors' code, https://github.com/fra31/auto-attack, `flags_doc.md`.
    """
    images, labels = images[:_LOOKED_AT], labels[:_LOOKED_AT]
    indices = np.arange(len(images)) if indices is None else indices[:_LOOKED_AT]
    indices = indices.astype(np.int32)
    look = _look(victim, images.shape[1:], labels)
    victim.rewind()
    looks = []
    for start in range(0, len(images), batch_size):
        some = slice(start, start + batch_size)
        looks.append(look(images[some], labels[some], indices[some]))
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
    by_class = victim.criterion.by_class
    if by_class and victim.classes < 4 and version != "rand":
        found.append(
            f"the model has {victim.classes} classes: the targeted DLR loss needs 4, so APGD on "
            "the margin takes its place, and this is not the standard AutoAttack."
        )
    elif by_class and victim.classes <= 9 and version != "rand":
        found.append(
            f"the model has {victim.classes} classes: only {victim.classes - 1} targets are tried "
            "where 9 are standard."
        )
    if zeros and victim.shows == "gradients":
        found.append(
            f"{zeros} of {len(images)} images have a gradient of zero, which gradient attacks "
            "cannot follow: robustness may be overestimated. See kgan.attacks.BPDA."
        )
    return found


def _look(victim: Victim, shape: tuple[int, ...], truth: np.ndarray) -> Any:
    """A function that says how much two answers differ, and where the gradient is zero."""
    key = ("autoattack checks", tuple(shape), truth.shape[1:])
    if key in victim.functions:
        return victim.functions[key]

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, *shape]),
            tf.TensorSpec([None, *truth.shape[1:]], truth.dtype),
            tf.TensorSpec([None], tf.int32),
        ],
    )
    def look(images: tf.Tensor, labels: tf.Tensor, indices: tf.Tensor) -> tuple[Any, Any]:
        batch = AttackBatch(
            victim.logits, images, labels, indices, False, criterion=victim.criterion
        )

        def gain(logits: tf.Tensor) -> tf.Tensor:
            return batch.gain(logits, labels, "cross_entropy")

        with held_inputs.rows(indices):
            apart = tf.abs(victim.logits(images) - victim.logits(images))
            gradient = batch.gradient(images, gain)[2]
        zero = tf.reduce_all(tf.equal(flatten(gradient), 0.0), axis=1)
        return tf.reduce_max(flatten(apart), axis=1), zero

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
