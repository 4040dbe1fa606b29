"""Losses of a generator that learns to fool a classifier."""

from collections.abc import Callable

import tensorflow as tf

_TINY = 1e-12


def margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The largest other logit minus the label's, shape (batch,): positive where misclassified."""
    mask = tf.one_hot(labels, logits.shape[1], on_value=True, off_value=False)
    label_logit = tf.gather(logits, labels, batch_dims=1)
    return tf.reduce_max(tf.where(mask, -float("inf"), logits), axis=1) - label_logit


def lead(logits: tf.Tensor, labels: tf.Tensor, targeted: bool) -> tf.Tensor:
    """How far the goal is passed, shape (batch,): `margin`, or minus it if `targeted`."""
    value = margin(logits, labels)
    return -value if targeted else value


def margin_loss(
    logits: tf.Tensor,
    labels: tf.Tensor,
    *,
    targeted: bool,
    kappa: float = 0.0,
    lead: Callable[[tf.Tensor, tf.Tensor, bool], tf.Tensor] = lead,
) -> tf.Tensor:
    """By how much the logits miss the goal, 0 where they pass it by `kappa`.

    Args:
        logits: (batch, classes).
        labels: int32 (batch,): classes to leave, or to reach if `targeted`.
        targeted: Whether the labels are classes to reach rather than to leave.
        kappa: Logits by which the goal is to be passed.
        lead: Function of the first three to how far the goal is passed, (batch,).

    Returns:
        A loss for each example, shape (batch,).

    Reference:
        Carlini and Wagner, "Towards evaluating the robustness of neural networks", 2017, f_6.
    """
    return tf.nn.relu(kappa - lead(logits, labels, targeted))


def cross_entropy_loss(
    logits: tf.Tensor, labels: tf.Tensor, *, targeted: bool, kappa: float = 0.0
) -> tf.Tensor:
    """The cross-entropy of the targets, or minus that of the labels; as `margin_loss`.

    `kappa` plays no part.
    """
    value = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return value if targeted else -value


FOOLING: dict[str, Callable[..., tf.Tensor]] = {
    "margin": margin_loss,
    "cross_entropy": cross_entropy_loss,
}


def euclidean(change: tf.Tensor) -> tf.Tensor:
    """The l2 norm of each example, shape (batch,)."""
    square = tf.reduce_sum(tf.square(change), axis=list(range(1, change.shape.rank)))
    return tf.sqrt(tf.maximum(square, _TINY))


def hinge_on_norm(change: tf.Tensor, bound: float) -> tf.Tensor:
    """max(0, l2 norm - bound) of each example, shape (batch,)."""
    return tf.nn.relu(euclidean(change) - bound)


def feature_loss(features: tf.Tensor, clean: tf.Tensor) -> tf.Tensor:
    """Minus the distance of the features from the clean image's, in units of their norm."""
    return -euclidean(features - clean) / euclidean(clean)
