"""Sees all that a private training releases, and tells which canaries were in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.privacy.clipping import clipped_shares
from kgan.privacy.record_gradients import RecordGradients

# What rounding leaves of the largest of several numbers.
_ROUNDING = 1e-6
_TINY = 1e-30
# How much of what is known of the noise goes on to the next update.
_KEPT = 0.95


class Witness:
    """Weighs how well the noisy sums of a training are explained with each canary and without it.

    It knows all that the promise allows an adversary to know: the weights at each update, the noisy
    sum that was released there, the canaries and the other records; not the coins of the canaries,
    nor who was drawn, nor the noise. A noisy sum is about `sum_i b_i h_i + noise`, with the clipped
    gradients `h_i`, for which each `b_i` has a known mean `m_i` and variance `v_i`. What speaks for
    a canary is the logarithm of its likelihood ratio, were all that normal: up to a factor
    `<h, (sum_i v_i h_i h_i^T + S)^-1 (released - sum_i m_i h_i)>`. It is added up over all updates.
    The variance of the noise, `S`, is measured on what was released lately, for each variable: one
    that lacks its noise counts for more. The inverse takes the inner products of the
    gradients alone (Woodbury), so no gradient is made whole.

    How often records are drawn at all is fitted in each update, since that may be what is wrong.
    Of the other records two samples of each update stand for all.

    Args:
        canaries: Number of canaries.
        others: Number of other records in the data.
        rate: Probability of each record to be in an update, in (0, 1].
        sizes: Of each trainable variable how many values it has.

    Reference: Steinke, Nasr & Jagielski 2023, section 5, for the setting (arXiv:2305.08846).
    """

    def __init__(self, *, canaries: int, others: int, rate: float, sizes: Sequence[int]):
        self.canaries, self.others, self.rate = canaries, others, rate
        self._sizes = tf.constant(sizes, tf.float32)
        self._scores = tf.Variable(np.zeros(canaries), trainable=False)
        # Sums of squares and counts of values of late updates.
        self._squares = tf.Variable(tf.zeros(len(sizes)), trainable=False)
        self._counts = tf.Variable(tf.zeros(len(sizes)), trainable=False)

    def see(
        self,
        gradients: RecordGradients,
        average: Sequence[tf.Tensor],
        released: Sequence[tf.Tensor],
        *,
        clip_norm: float,
    ) -> None:
        """Takes one update into account.

        Args:
            gradients: Of all canaries and then of some of the other records, at the weights with
                which the update was made.
            average: Mean of the clipped gradients of some of the other records, drawn apart from
                those, for each trainable variable. Were they the same, what the inverse leaves of
                the others would be none of these, and so be expected by nobody.
            released: The noisy sum of clipped gradients, for each trainable variable.
            clip_norm: What they were clipped to.
        """
        shares = clipped_shares(gradients.lengths(), clip_norm=clip_norm)
        canary = tf.range(tf.shape(shares)[0]) < self.canaries
        of_canaries = gradients.sum(tf.where(canary, shares, 0.0))
        # As nobody knows its coin, half of a canary is expected.
        counts = [self.rate * self.others, self.rate / 2]
        news = _without([average, of_canaries], counts, released)
        precision = 1 / self._noise(tf.stack([tf.reduce_sum(tf.square(one)) for one in news]))
        deviations = shares * tf.sqrt(tf.where(canary, *self._variances(tf.shape(shares)[0])))
        products = gradients.products(deviations, tf.unstack(precision))
        ridge = tf.maximum(1.0, _ROUNDING * tf.linalg.trace(products))
        factor = tf.linalg.cholesky(products + ridge * tf.eye(tf.shape(shares)[0]))
        weighed = [one * precision[number] for number, one in enumerate(news)]
        along = gradients.along(weighed, deviations)
        solved = tf.linalg.cholesky_solve(factor, along[:, tf.newaxis])[:, 0]
        self._scores.assign_add(tf.cast(solved[: self.canaries], tf.float64))

    def scores(self) -> np.ndarray:
        """What speaks for each canary so far, float64 (canaries,), around 0."""
        return self._scores.numpy()

    def _noise(self, squares: tf.Tensor) -> tf.Tensor:
        """Variance of the values of each variable in late updates, float32 (variables,)."""
        self._squares.assign(_KEPT * self._squares + squares)
        self._counts.assign(_KEPT * self._counts + self._sizes)
        # One value of all variables together is put in, as a variable may have but one of its own.
        whole = tf.reduce_sum(squares) / tf.reduce_sum(self._sizes)
        found = (self._squares + whole) / (self._counts + 1)
        return tf.maximum(found, _ROUNDING * tf.reduce_max(found) + _TINY)

    def _variances(self, seen: tf.Tensor) -> tuple[float, tf.Tensor]:
        """Variance of how often a canary is in the sum, and a record that stands for others."""
        sample = tf.cast(seen - self.canaries, tf.float32)
        half = self.rate / 2
        every = self.others / tf.maximum(sample, 1.0)
        return half * (1 - half), self.rate * (1 - self.rate) * every


def _without(
    parts: Sequence[Sequence[tf.Tensor]], counts: Sequence[float], released: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """What is released beyond some parts, each as often as fits best: about so often as told."""

    def inner(first: Sequence[tf.Tensor], second: Sequence[tf.Tensor]) -> tf.Tensor:
        return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(first, second, strict=True)])

    def beyond(counts: Sequence[Any], values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        for count, part in zip(counts, parts, strict=True):
            values = [value - count * one for value, one in zip(values, part, strict=True)]
        return list(values)

    rest = beyond(counts, released)
    products = tf.stack([tf.stack([inner(one, other) for other in parts]) for one in parts])
    along = tf.stack([inner(one, rest) for one in parts])
    # A little more on the diagonal, as a part may be nothing, or that of the other.
    more_than = (1 + _ROUNDING) * tf.linalg.diag_part(products) + _TINY
    more = tf.linalg.solve(tf.linalg.set_diag(products, more_than), along[:, tf.newaxis])[:, 0]
    return beyond(tf.unstack(more), rest)
