"""The attack that a detector is judged by: it fools the classifier without raising the alarm."""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from kgan.attacks import PGD
from kgan.attacks.attack_batch import AttackBatch, State, allowed
from kgan.attacks.checks import check_count
from kgan.attacks.norms import project, rows_of, steepest
from kgan.attacks.victim import Victim
from kgan.defenses.detector import Detector

WEIGHTS = (1.0, 10.0, 0.1)
"""Weights of the detector's score, tried in turn on the images that the one before left."""

# On views, in units of the length of a step: the longest and the shortest step, on a cosine.
_LONGEST, _SHORTEST = 10.0, 0.1


class EvadingPGD(PGD):
    """PGD whose loss includes a detector's score.

    The alarm is one more class, with the logit
    `max_i Z_i + weight * (score - threshold) / abs(threshold)`, which wins where the score is above
    the threshold. What is maximised is the margin by which a
    class other than the label and the alarm wins. So an image that does not fool yet moves towards
    a wrong class and a lower score, and one that fools but is detected towards a lower score alone.

    Where a detector compares answers (`Detector.views`), its score is flat as soon as they differ:
    a probability of 1 has no gradient. So more attempts follow, from the image and from random
    points, whose loss is of logits: the least margin, over the image and its views, by which one
    wrong class wins all of them; once it does, the score. Steps shrink to nearly nothing.

    Run it on `detector.victim`. An image succeeds where it is misclassified and not detected.

    Args:
        detector: The detector, fitted.
        threshold: The score above which it raises the alarm.
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
        norm: "linf", "l2" or "l1".
        steps: Number of steps for each weight, and for each attempt on the views.
        step_size: Length of a step; `2.5 * epsilon / steps` if None.
        weights: Weights of the score, see `WEIGHTS`.
        view_attempts: Number of attempts on the views, where there are any.
        seed: Seed of the random starts.

    Reference:
        Carlini and Wagner 2017, "Adversarial examples are not easily detected: bypassing ten
        detection methods", section 2.4 (the classifier with a class of detected images); He et al.
        2017, "Adversarial example defenses: ensembles of weak defenses are not strong" (all parts
        of a defence attacked together).
    """

    targetable = False
    tensors = ("epsilon", "steps", "step_size", "seed", "threshold")

    def __init__(
        self,
        detector: Detector,
        threshold: float,
        epsilon: float | None = None,
        *,
        norm: str = "linf",
        steps: int = 100,
        step_size: float | None = None,
        weights: tuple[float, ...] = WEIGHTS,
        view_attempts: int = 3,
        seed: int = 0,
    ):
        super().__init__(epsilon, norm=norm, steps=steps, step_size=step_size, seed=seed)
        if not isinstance(detector, Detector):
            raise TypeError(f"detector must be a Detector, got {type(detector).__name__}.")
        if not weights or min(weights) <= 0:
            raise ValueError(f"weights must be numbers above 0, got {weights}.")
        self.detector = detector
        self.threshold = float(threshold)
        self.weights = tuple(float(weight) for weight in weights)
        self.view_attempts = check_count("view_attempts", view_attempts, 0)

    @property
    def _compares(self) -> bool:
        """Whether the detector compares answers, so that there are attempts on its views."""
        return self.view_attempts > 0 and type(self.detector).views is not Detector.views

    def attempts(self, victim: Victim) -> int:
        return len(self.weights) + (self.view_attempts if self._compares else 0)

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        self.detector.check_fitted()
        if victim is not self.detector.victim:
            raise ValueError("EvadingPGD must be run on detector.victim, whose scores it knows.")
        if victim.random:
            raise ValueError(
                f"EvadingPGD needs a classifier that answers the same each time; {victim.name} is "
                "random at inference."
            )

    def _attack(self, batch: AttackBatch) -> State:
        if not self._compares:
            return self._by_score(batch)
        return tf.cond(
            batch.attempt < len(self.weights),
            lambda: self._by_score(batch),
            lambda: self._by_views(batch),
        )

    def _above(self, images: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """By how much the score is above the threshold, in units of it."""
        scale = tf.where(tf.equal(self.threshold, 0.0), 1.0, tf.abs(self.threshold))
        return (self.detector.score(images, logits) - self.threshold) / scale

    def _by_score(self, batch: AttackBatch) -> State:
        last = len(self.weights) - 1
        weight = tf.gather(tf.constant(self.weights), tf.minimum(batch.attempt, last))

        def logits(images: tf.Tensor) -> tf.Tensor:
            found = batch.logits(images)
            alarm = tf.reduce_max(found, axis=1) + weight * self._above(images, found)
            return tf.concat([found, alarm[:, None]], axis=1)

        return super()._attack(_WithAlarm(**{**vars(batch), "logits": logits}))

    def _by_views(self, batch: AttackBatch) -> State:
        """An attempt on the views: the first begins at the image, the others at random points."""
        start = tf.cond(
            tf.equal(batch.attempt, len(self.weights)),
            lambda: batch.images,
            lambda: self._first(batch),
        )

        def logits(images: tf.Tensor) -> tf.Tensor:
            found = batch.logits(images)
            views = [batch.logits(one) for one in self.detector.views(images)]
            score = self.detector.score(images, found)[:, None]
            return tf.concat([found, *views, score], axis=1)

        views = len(self.detector.views(batch.images))
        seen = _WithViews(
            **{**vars(batch), "logits": logits}, views=views, threshold=self.threshold
        )
        length = rows_of(self.step_size, batch.images)
        state = seen.start(images=start, step_size=length)

        def step(i: tf.Tensor, state: State) -> State:
            images, labels = state["images"], state["labels"]
            answers, _, gradient = seen.gradient(images, lambda answers: seen.gain(answers, labels))
            state = seen.record(state, images, answers)
            part = tf.cast(i, tf.float32) / tf.cast(self.steps, tf.float32)
            cosine = _SHORTEST + _LONGEST * 0.5 * (1.0 + tf.cos(math.pi * part))
            move = steepest(allowed(gradient, state), images, state["step_size"], self.norm)
            moved = images + cosine * move
            moved = project(moved, state["original"], state["epsilon"], self.norm)
            return {**state, "images": moved}

        return seen.iterate(step, state, self.steps)


class _WithAlarm(AttackBatch):
    """A batch whose last logit is the alarm's."""

    def fooled(self, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        predicted = tf.argmax(logits, axis=1, output_type=tf.int32)
        return (predicted != labels) & (predicted != logits.shape[1] - 1)

    def gain(self, logits: tf.Tensor, labels: tf.Tensor, loss: str = "margin") -> Any:
        classes, alarm = logits[:, :-1], logits[:, -1]
        is_label = tf.one_hot(labels, classes.shape[1], on_value=True, off_value=False)
        other = tf.reduce_max(tf.where(is_label, -float("inf"), classes), axis=1)
        own = tf.gather(classes, labels, batch_dims=1)
        return other - tf.maximum(own, alarm)


@dataclasses.dataclass(frozen=True)
class _WithViews(AttackBatch):
    """A batch whose logits are those of the image and of its views, and last the score.

    Attributes:
        views: Number of views.
        threshold: The score above which there is an alarm.
    """

    views: int = 0
    threshold: Any = 0.0

    def fooled(self, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        predicted = tf.argmax(self._answers(logits)[0], axis=1, output_type=tf.int32)
        return (predicted != labels) & (logits[:, -1] <= self.threshold)

    def gain(self, logits: tf.Tensor, labels: tf.Tensor, loss: str = "margin") -> Any:
        common = self.common(logits, labels)
        return tf.where(common > 0.0, -logits[:, -1], common)

    def common(self, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The least margin by which one wrong class wins all answers; of that class, (batch,)."""
        leads = []
        for answer in self._answers(logits):
            # Of the largest the lead over the second, of the others that over the largest.
            top = tf.math.top_k(answer, 2).values
            leads.append(answer - tf.where(answer >= top[:, :1], top[:, 1:], top[:, :1]))
        is_label = tf.one_hot(labels, leads[0].shape[1], on_value=True, off_value=False)
        least = tf.reduce_min(tf.stack(leads), axis=0)
        return tf.reduce_max(tf.where(is_label, -float("inf"), least), axis=1)

    def _answers(self, logits: tf.Tensor) -> list[tf.Tensor]:
        return tf.split(logits[:, :-1], 1 + self.views, axis=1)
