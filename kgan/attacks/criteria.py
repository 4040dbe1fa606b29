"""The criteria of kgan, by name.

    victim = kgan.attacks.Victim(model, criterion=kgan.attacks.TopK(5))
    kgan.attacks.PGD(8 / 255).run(victim, images, labels)        # out of the five likeliest
    kgan.attacks.FMN(norm="l2").run(victim, images, targets=...)  # into the five likeliest

With `targets=` each criterion asks for the truth to be reached in place of left.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.names
from kgan.attacks.checks import check_count
from kgan.attacks.class_criteria import Confidence, Misclassification, TopK, likeliest
from kgan.attacks.criterion import Criterion
from kgan.attacks.norms import flatten
from kgan.attacks.reading import Reading

# Under the root of a distance, so that its slope is finite where two answers are equal.
_TINY = 1e-24


@keras.saving.register_keras_serializable(package="kgan")
class MultiLabel(Criterion):
    """Some of an image's labels are decided wrongly; with targets, all of them as the targets say.

    For a model that answers each label by itself, with logits or sigmoids. The truth is a row of 0
    and 1 for each image, (n, labels); a label is decided by the sign of its logit.

    Args:
        count: How many labels must be wrong at least.
    """

    def __init__(self, count: int = 1):
        self.count = check_count("count", count)

    def check_reading(self, reading: Reading) -> None:
        if reading.binary or reading.head == "softmax":
            why = "one output" if reading.binary else "a softmax, whose classes exclude each other"
            raise ValueError(
                f"{self!r} needs an output for each label, and {reading.name} has {why}."
            )
        if self.count > reading.units:
            raise ValueError(
                f"count must be at most the {reading.units} labels of {reading.name}, got "
                f"{self.count}."
            )

    def check_truth(self, given: Any, n: int, shape: tuple[int, ...], *, what: str) -> np.ndarray:
        array = np.asarray(given)
        if array.shape != (n, *shape) or not np.isin(array, (0, 1)).all():
            raise ValueError(
                f"{what} must be rows of 0 and 1 of the shape {(n, *shape)}, one for each label, "
                f"got {array.dtype} of the shape {array.shape}."
            )
        return array.astype(np.int32)

    def truth_of(self, outputs: np.ndarray) -> np.ndarray:
        return (outputs > 0).astype(np.int32)

    def fooled(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        wrong = (outputs > 0.0) != (truth > 0)
        if targeted:
            return ~tf.reduce_any(wrong, axis=1)
        return tf.math.count_nonzero(wrong, axis=1, dtype=tf.int32) >= self.count

    def margin(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        """How far the `count`-th most wrong label is on the wrong side of 0."""
        wrong = tf.where(truth > 0, -outputs, outputs)
        if targeted:
            return -tf.reduce_max(wrong, axis=1)
        return tf.math.top_k(wrong, self.count).values[:, -1]

    def choices(self, units: int) -> int:
        return units - self.count + 1

    def aim(self, outputs: tf.Tensor, truth: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
        return likeliest(tf.where(truth > 0, -outputs, outputs), self.count, number)

    def lead(self, outputs: tf.Tensor, truth: tf.Tensor, aim: tf.Tensor) -> tf.Tensor:
        wrong = tf.where(truth > 0, -outputs, outputs)
        return tf.reduce_min(tf.gather(wrong, aim, batch_dims=1), axis=1)

    def gain(
        self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False, loss: str = "margin"
    ) -> tf.Tensor:
        if loss == "margin":
            return self.margin(outputs, truth, targeted)
        truth = tf.cast(truth, outputs.dtype)
        value = tf.reduce_sum(
            tf.nn.sigmoid_cross_entropy_with_logits(labels=truth, logits=outputs), axis=1
        )
        return -value if targeted else value


def _cosine(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    parts = [tf.math.l2_normalize(flatten(values), axis=1) for values in (one, other)]
    return 1.0 - tf.reduce_sum(parts[0] * parts[1], axis=1)


def _euclidean(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(tf.square(flatten(one - other)), axis=1) + _TINY)


DISTANCES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "l2": _euclidean,
    "l1": lambda one, other: tf.reduce_sum(tf.abs(flatten(one - other)), axis=1),
    "linf": lambda one, other: tf.reduce_max(tf.abs(flatten(one - other)), axis=1),
    "cosine": _cosine,
}
"""Distances of two answers (batch, ...), by name; each returns shape (batch,)."""


@keras.saving.register_keras_serializable(package="kgan")
class Distance(Criterion):
    """The answer is far from the truth; with targets, near to the target.

    For regression and for embeddings: the truth is an array (n, ...) of the shape of the outputs,
    by default the model's own answers to the clean images. Both start at a distance of 0 then,
    where the slope is 0 too, so use an attack with a random start.

    Args:
        radius: The distance from which an answer is far, and up to which it is near.
        metric: A row of `DISTANCES`: "l2", "l1", "linf", or "cosine" (one less the cosine).
    """

    takes = "values"

    def __init__(self, radius: float, metric: str = "l2"):
        if not radius > 0:
            raise ValueError(f"radius must be above 0, got {radius}.")
        kgan.names.check("metric", metric, DISTANCES)
        self.radius = float(radius)
        self.metric = metric

    def check_truth(self, given: Any, n: int, shape: tuple[int, ...], *, what: str) -> np.ndarray:
        return _rows_of_values(given, n, shape, what)

    def truth_of(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def fooled(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        return self.margin(outputs, truth, targeted) >= 0.0

    def margin(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        beyond = DISTANCES[self.metric](outputs, truth) - self.radius
        return -beyond if targeted else beyond


@keras.saving.register_keras_serializable(package="kgan")
class Custom(Criterion):
    """A loss and a success of your own.

    Args:
        loss: Graph function from the outputs (batch, ...) and the truth (batch, ...) to what the
            attack raises, float32 (batch,). Attacks that look for the border take it to be at 0.
        success: Graph function from the same to whether each answer counts, bool (batch,);
            where the loss is above 0 if `None`.
        takes: "values" for outputs as they are, (batch, ...); "scores" for logits (batch, classes).
    """

    targetable = False

    def __init__(
        self,
        loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        success: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
        *,
        takes: str = "values",
    ):
        kgan.names.check("takes", takes, ("values", "scores"))
        self.loss = loss
        self.success = success
        self.takes = takes

    def check_truth(self, given: Any, n: int, shape: tuple[int, ...], *, what: str) -> np.ndarray:
        array = np.asarray(given)
        if array.ndim == 0 or len(array) != n or array.dtype.kind not in "biuf":
            raise ValueError(
                f"{what} must be an array of numbers with a row for each of the {n} images, got "
                f"{array.dtype} of the shape {array.shape}."
            )
        return array.astype(np.float32 if array.dtype.kind == "f" else np.int32)

    def truth_of(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def fooled(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        if self.success is None:
            return self.margin(outputs, truth) > 0.0
        return tf.reshape(tf.cast(self.success(outputs, truth), tf.bool), [tf.shape(outputs)[0]])

    def margin(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        return tf.reshape(tf.cast(self.loss(outputs, truth), tf.float32), [tf.shape(outputs)[0]])


def _rows_of_values(given: Any, n: int, shape: tuple[int, ...], what: str) -> np.ndarray:
    array = np.asarray(given)
    if array.shape == (n,) and shape == (1,):
        array = array[:, None]
    if array.shape != (n, *shape) or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{what} must be numbers of the shape {(n, *shape)}, as the model answers, got "
            f"{array.dtype} of the shape {array.shape}."
        )
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite numbers.")
    return array


CRITERIA: dict[str, type[Criterion]] = {
    "misclassification": Misclassification,
    "top-k": TopK,
    "confidence": Confidence,
    "multi-label": MultiLabel,
    "distance": Distance,
    "custom": Custom,
}
"""The criteria by name."""

MISCLASSIFICATION = Misclassification()
"""What counts where nothing else is declared."""
