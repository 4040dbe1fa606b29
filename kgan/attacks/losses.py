"""What an attack ascends: losses of an example's logits, one number each."""

from collections.abc import Callable

import tensorflow as tf

import kgan.names
from kgan.losses.fooling import margin

# What the slope of the cross-entropy never falls below.
_LEAST_SLOPE = 2.0**-24


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log p(label), shape (batch,), with a direction also where the model is sure of the label.

    With l the log of the other classes' sum of exponentials less the label's logit, the
    cross-entropy is softplus(l), and its gradient that of l times 1 - p(label). In float32 that
    factor, and with it the gradient, is 0 where logits differ by 88, and from 17 on the label's own
    part of it is lost. Steps depend on the direction alone, so the loss is softplus(l) + 2^-24 l,
    whose direction is that of exact arithmetic. For logits of size 100 it differs by 6e-6.
    """
    is_label = tf.one_hot(labels, logits.shape[1], on_value=True, off_value=False)
    # Not minus infinity, whose log is unknown where it is all that there is.
    others = tf.where(is_label, logits.dtype.min / 2, logits)
    lead = tf.reduce_logsumexp(others, axis=1) - tf.gather(logits, labels, batch_dims=1)
    return tf.nn.softplus(lead) + _LEAST_SLOPE * lead


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
