"""Criteria for classifiers of one class an image: which rank or probability counts as fooled."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.checks import check_count
from kgan.attacks.criterion import Criterion
from kgan.attacks.losses import LOSSES
from kgan.attacks.reading import Reading
from kgan.labels import class_numbers


class ClassCriterion(Criterion):
    """Base of criteria whose truth is one class for each image."""

    by_class = True

    def check_truth(self, given: Any, n: int, shape: tuple[int, ...], *, what: str) -> np.ndarray:
        if np.shape(given) == (n, *shape) and shape[0] > 1:
            rows = np.asarray(given)
            if np.isin(rows, (0, 1)).all() and not (rows.sum(axis=1) == 1).all():
                raise ValueError(
                    f"{what} must name one class for each image, got rows with several or none. "
                    "Where labels do not exclude each other: kgan.attacks.Victim(model, criterion="
                    "kgan.attacks.MultiLabel())."
                )
        return class_numbers(given, n, shape[0], what=what)

    def truth_of(self, outputs: np.ndarray) -> np.ndarray:
        return outputs.argmax(axis=1).astype(np.int32)

    def gain(
        self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False, loss: str = "margin"
    ) -> tf.Tensor:
        if loss == "margin":
            return self.margin(outputs, truth, targeted)
        value = LOSSES[loss](outputs, truth)
        return -value if targeted else value

    @property
    def together(self) -> int:
        """How many classes must be reached together where the label is left."""
        return 1

    def choices(self, units: int) -> int:
        return units - self.together

    def aim(self, outputs: tf.Tensor, truth: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
        is_label = tf.one_hot(truth, outputs.shape[1], on_value=True, off_value=False)
        return likeliest(tf.where(is_label, -float("inf"), outputs), self.together, number)


def likeliest(values: tf.Tensor, together: int, number: tf.Tensor | int) -> tf.Tensor:
    """The columns of the largest values, of which the last one is replaced by a smaller one.

    Args:
        values: (batch, units).
        together: How many columns.
        number: By how many places the last one falls, from 0.

    Returns:
        int32 (batch, together).
    """
    order = tf.argsort(values, axis=1, direction="DESCENDING", stable=True)
    last = together - 1 + number
    return tf.concat([order[:, : together - 1], order[:, last : last + 1]], axis=1)


def spread_of(outputs: tf.Tensor, together: int) -> tf.Tensor:
    """The largest logit less the mean of two that are not at the border with the label.

    Reference:
        Croce and Hein, "Reliable evaluation of adversarial robustness", 2020, eq. 7, where one
        class passes the label; here as many as `together`.
    """
    top = tf.math.top_k(outputs, together + 3).values
    return top[:, 0] - 0.5 * (top[:, together + 1] + top[:, together + 2]) + 1e-12


@keras.saving.register_keras_serializable(package="kgan")
class Misclassification(ClassCriterion):
    """Another class than the label is the likeliest; with targets, the target is."""

    borders = True
    needs_scores = False
    losses = tuple(LOSSES)
    spread_needs = 4

    def fooled(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        predicted = tf.argmax(outputs, axis=1, output_type=tf.int32)
        return predicted == truth if targeted else predicted != truth

    def margin(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        value = LOSSES["margin"](outputs, truth)
        return -value if targeted else value

    def lead(self, outputs: tf.Tensor, truth: tf.Tensor, aim: tf.Tensor) -> tf.Tensor:
        return _above_label(outputs, truth, aim)

    def spread(self, outputs: tf.Tensor) -> tf.Tensor:
        return spread_of(outputs, 1)


@keras.saving.register_keras_serializable(package="kgan")
class TopK(ClassCriterion):
    """The label is not among the k likeliest classes; with targets, the target is.

    Args:
        k: How many classes count, at least 1 and less than all.
    """

    def __init__(self, k: int = 5):
        self.k = check_count("k", k)
        self.spread_needs = self.k + 3

    def check_reading(self, reading: Reading) -> None:
        if self.k >= reading.classes:
            raise ValueError(
                f"k must be below the {reading.classes} classes of {reading.name}, got {self.k}."
            )

    def fooled(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        own = tf.gather(outputs, truth, batch_dims=1)
        ahead = tf.math.count_nonzero(outputs > own[:, None], axis=1, dtype=tf.int32)
        return ahead < self.k if targeted else ahead >= self.k

    def margin(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        """The logit of the k-th likeliest other class less the label's, or its opposite."""
        own = tf.gather(outputs, truth, batch_dims=1)
        mask = tf.one_hot(truth, outputs.shape[1], on_value=True, off_value=False)
        others = tf.where(mask, -float("inf"), outputs)
        lead = tf.math.top_k(others, self.k).values[:, -1] - own
        return -lead if targeted else lead

    @property
    def together(self) -> int:
        return self.k

    def lead(self, outputs: tf.Tensor, truth: tf.Tensor, aim: tf.Tensor) -> tf.Tensor:
        return _above_label(outputs, truth, aim)

    def spread(self, outputs: tf.Tensor) -> tf.Tensor:
        return spread_of(outputs, self.k)


@keras.saving.register_keras_serializable(package="kgan")
class Confidence(ClassCriterion):
    """Another class than the label has a high probability; with targets, the target has it.

    Args:
        least: That probability, in (0, 1).
    """

    def __init__(self, least: float = 0.9):
        if not 0 < least < 1:
            raise ValueError(f"least must be a probability in (0, 1), got {least}.")
        self.least = float(least)

    def fooled(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        return self.margin(outputs, truth, targeted) >= 0.0

    def margin(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        """The log odds of that class less those of `least`."""
        classes = outputs.shape[1]
        own = tf.one_hot(truth, classes, on_value=True, off_value=False)
        counts = own if targeted else ~own
        best = tf.argmax(tf.where(counts, outputs, -float("inf")), axis=1, output_type=tf.int32)
        mask = tf.one_hot(best, classes, on_value=True, off_value=False)
        rest = tf.reduce_logsumexp(tf.where(mask, -float("inf"), outputs), axis=1)
        odds = tf.gather(outputs, best, batch_dims=1) - rest
        return odds - float(np.log(self.least / (1.0 - self.least)))

    def lead(self, outputs: tf.Tensor, truth: tf.Tensor, aim: tf.Tensor) -> tf.Tensor:
        return self.margin(outputs, aim[:, 0], targeted=True)


def _above_label(outputs: tf.Tensor, truth: tf.Tensor, aim: tf.Tensor) -> tf.Tensor:
    """The least logit of some classes less the label's."""
    least = tf.reduce_min(tf.gather(outputs, aim, batch_dims=1), axis=1)
    return least - tf.gather(outputs, truth, batch_dims=1)
