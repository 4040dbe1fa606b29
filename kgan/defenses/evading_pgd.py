"""The attack that a detector is judged by: it fools the classifier without raising the alarm."""

from typing import Any

import tensorflow as tf

from kgan.attacks import PGD
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.victim import Victim
from kgan.defenses.detector import Detector

WEIGHTS = (1.0, 10.0, 0.1)
"""Weights of the detector's score, tried in turn on the images that the one before left."""


class EvadingPGD(PGD):
    """PGD whose loss includes a detector's score.

    The alarm is one more class, with the logit
    `max_i Z_i + weight * (score - threshold) / abs(threshold)`, which wins where the score is above
    the threshold. What is maximised is the margin by which a
    class other than the label and the alarm wins. So an image that does not fool yet moves towards
    a wrong class and a lower score, and one that fools but is detected towards a lower score alone.

    Run it on `detector.victim`. An image succeeds where it is misclassified and not detected.

    Args:
        detector: The detector, fitted.
        threshold: The score above which it raises the alarm.
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
        norm: "linf", "l2" or "l1".
        steps: Number of steps for each weight.
        step_size: Length of a step; `2.5 * epsilon / steps` if None.
        weights: Weights of the score, see `WEIGHTS`.
        seed: Seed of the random starts.

    Reference: Carlini and Wagner 2017, "Adversarial examples are not easily detected: bypassing ten
    detection methods", section 2.4 (the classifier with a class of detected images).
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

    def attempts(self, victim: Victim) -> int:
        return len(self.weights)

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
        weight = tf.gather(tf.constant(self.weights), batch.attempt)
        scale = tf.where(tf.equal(self.threshold, 0.0), 1.0, tf.abs(self.threshold))

        def logits(images: tf.Tensor) -> tf.Tensor:
            found = batch.logits(images)
            above = (self.detector.score(images, found) - self.threshold) / scale
            alarm = tf.reduce_max(found, axis=1) + weight * above
            return tf.concat([found, alarm[:, None]], axis=1)

        return super()._attack(_WithAlarm(**{**vars(batch), "logits": logits}))


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
