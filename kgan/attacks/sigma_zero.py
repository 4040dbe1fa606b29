"""sigma-zero: gradient descent on a smooth count of the changed values."""

import keras
import tensorflow as tf

from kgan.attacks import loop
from kgan.attacks.annealing import annealed
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count
from kgan.attacks.constant_search import adam
from kgan.attacks.norms import flatten, normalize, per_example
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class SigmaZero(Attack):
    """Looks for the fewest values to change, each by any amount within [0, 1].

    Minimises `shortfall + mean(d^2 / (d^2 + sigma))` over the change d with Adam on gradients of
    linf norm one. After each step all changes below a threshold are set to zero; the threshold
    rises while the image fools and falls while it does not.

    Args:
        steps: Number of steps, each with one gradient.
        step_size: Adam's first learning rate, which falls to a tenth.
        sigma: Smoothness of the count, above 0; smaller is sharper.
        threshold: The first threshold (tau), in [0, 1].
        threshold_rate: Change of the threshold in a step, as a share of the learning rate.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Not used, since nothing is random; every attack has it.

    Reference:
        Cinà et al., "sigma-zero: gradient-based optimization of l0-norm adversarial examples",
        2025, algorithm 1.
    """

    norms = ("l0",)
    norm = "l0"
    minimal = True
    tensors: tuple[str, ...] = (
        "steps",
        "step_size",
        "sigma",
        "threshold",
        "threshold_rate",
        "seed",
    )

    def __init__(
        self,
        *,
        steps: int = 1000,
        step_size: float = 1.0,
        sigma: float = 1e-3,
        threshold: float = 0.3,
        threshold_rate: float = 0.01,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.steps = check_count("steps", steps)
        for name, value in (("step_size", step_size), ("sigma", sigma)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        for name, value in (("threshold", threshold), ("threshold_rate", threshold_rate)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}.")
        self.step_size = float(step_size)
        self.sigma = float(sigma)
        self.threshold = float(threshold)
        self.threshold_rate = float(threshold_rate)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _attack(self, batch: AttackBatch) -> State:
        infinite = tf.fill(tf.shape(batch.keys), float("inf"))
        zeros = tf.zeros_like(batch.images)
        state = batch.start(
            images=batch.images,
            first=zeros,
            second=zeros,
            threshold=tf.zeros_like(infinite) + self.threshold,
            size=infinite,
        )

        def step(i: tf.Tensor, state: State) -> State:
            images, original = state["images"], state["original"]
            logits, gradient = self._gradient(batch, state)
            fooled = batch.fooled(logits, state["labels"])
            state = batch.record_smallest(state, images, fooled, "l0")
            count = tf.fill(tf.shape(fooled), i + 1)
            direction, first, second = adam(
                normalize(gradient, "linf"), state["first"], state["second"], count
            )
            step_size = annealed(i, self.steps, self.step_size, self.step_size / 10.0)
            images = tf.clip_by_value(images - step_size * direction, 0.0, 1.0)
            move = self.threshold_rate * step_size
            threshold = state["threshold"] + tf.where(fooled, move, -move)
            threshold = tf.clip_by_value(threshold, 0.0, 1.0)
            small = tf.abs(images - original) < per_example(threshold, images)
            images = tf.where(small, original, images)
            return {
                **state,
                "images": images,
                "first": first,
                "second": second,
                "threshold": threshold,
            }

        def finish(state: State) -> State:
            fooled = batch.fooled(batch.logits(state["images"]), state["labels"])
            return batch.record_smallest(state, state["images"], fooled, "l0")

        return loop.run(step, state, self.steps, finish=finish)

    def _gradient(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        """The logits at the images, and the gradient of the loss to descend."""
        logits, _, gradient = batch.gradient(
            state["images"],
            lambda logits: tf.maximum(-batch.gain(logits, state["labels"]), 0.0),
        )
        # The derivative of the mean of d^2 / (d^2 + sigma).
        change = state["images"] - state["original"]
        size = float(flatten(change).shape[1])
        slope = 2.0 * change * self.sigma / tf.square(tf.square(change) + self.sigma)
        return logits, gradient + slope / size
