"""What an attack ascends: losses of an example's logits, one number each."""

from collections.abc import Callable

import tensorflow as tf

import kgan.names
from kgan.losses.fooling import margin


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log p(label), shape (batch,)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def difference_of_logits_ratio(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The margin over the spread of the three largest logits, shape (batch,).

    Invariant to shift and scale of the logits; needs three classes.

    Reference:
        Croce and Hein, "Reliable evaluation of adversarial robustness", 2020, eq. 6.
    """
    top = tf.math.top_k(logits, 3).values
    return margin(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "cross_entropy": cross_entropy,
    "margin": margin,
    "dlr": difference_of_logits_ratio,
}
"""By name; each takes logits (batch, classes) and labels (batch,)."""


def check_loss(loss: str) -> str:
    """The name of a loss, checked."""
    kgan.names.check("loss", loss, LOSSES)
    return loss
