"""Finds images at which the gradient is zero, so that attacks that follow it find nothing."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kgan.attacks import held_inputs
from kgan.attacks.attack_batch import AttackBatch
from kgan.attacks.norms import flatten
from kgan.attacks.victim import Victim

if TYPE_CHECKING:
    from kgan.attacks.attack import Attack

# Images that are looked at, as the published AutoAttack does.
LOOKED_AT = 250


def look(
    victim: Victim, shape: tuple[int, ...], truth: np.ndarray, *, targeted: bool = False
) -> Any:
    """A function that says how much two answers to each image differ, and where its gradient is 0.

    Args:
        victim: The classifier.
        shape: Shape of one image.
        truth: What is true of some images, or to be reached.
        targeted: Whether it is to be reached.

    Returns:
        Compiled function from images, truth and indices to (batch,) of float32 and of bool.
    """
    key = ("look", tuple(shape), truth.shape[1:], targeted)
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
    def function(images: tf.Tensor, truth: tf.Tensor, indices: tf.Tensor) -> tuple[Any, Any]:
        batch = AttackBatch(
            victim.logits, images, truth, indices, targeted, criterion=victim.criterion
        )

        def gain(logits: tf.Tensor) -> tf.Tensor:
            return batch.gain(logits, truth, "cross_entropy")

        with held_inputs.rows(indices):
            apart = tf.abs(victim.logits(images) - victim.logits(images))
            gradient = batch.gradient(images, gain)[2]
        zero = tf.reduce_all(tf.equal(flatten(gradient), 0.0), axis=1)
        return tf.reduce_max(flatten(apart), axis=1), zero

    victim.functions[key] = function
    return function


def warn_of_zero_gradients(
    attack: "Attack",
    victim: Victim,
    images: np.ndarray,
    truth: np.ndarray,
    indices: np.ndarray,
    *,
    targeted: bool,
) -> None:
    """Warns once for a victim where an attack that follows gradients left images that have none.

    Looks only where the graph shows that scores may be flat; `kgan.robustness.evaluate` and
    `AutoAttack` always look.

    Args:
        attack: The attack.
        victim: The classifier.
        images: The images that it left, float32 (n, ...).
        truth: What is true of them, or to be reached.
        indices: Index of each image in its data set.
        targeted: Whether the truth is to be reached.
    """
    if len(images) == 0 or not (attack.needs_gradient and victim.hides) or victim.judged_gradients:
        return
    images, truth, indices = images[:LOOKED_AT], truth[:LOOKED_AT], indices[:LOOKED_AT]
    function = look(victim, images.shape[1:], truth, targeted=targeted)
    zeros = int(function(images, truth, indices.astype(np.int32))[1].numpy().sum())
    if zeros == 0:
        return
    victim.judged_gradients = True
    warnings.warn(
        f"{zeros} of {len(images)} images that {type(attack).__name__} left have a gradient of "
        f"exactly zero: {victim.name} rounds its scores where it is sure, so that an attack that "
        "follows gradients finds nothing, which says nothing of its robustness. Attack the model "
        "that gives the logits, or use an attack that asks (Square, HopSkipJump).",
        stacklevel=3,
    )
