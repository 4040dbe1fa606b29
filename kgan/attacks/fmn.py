"""The fast minimum-norm attack in linf, l2, l1 and l0."""

import keras
import tensorflow as tf

from kgan.attacks import loop
from kgan.attacks.annealing import annealed
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_norm
from kgan.attacks.norms import ALL_NORMS, DUAL, length, normalize, project
from kgan.random import check_seed

# The share by which a radius changes in the last step.
_LAST_RATE = 0.001
# The share by which a step goes past the linearised border, where rounding would leave it.
_BEYOND = 1e-4


@keras.saving.register_keras_serializable(package="kgan")
class FMN(Attack):
    """Ascends inside a ball whose radius shrinks while the image fools and grows while not.

    Until an example is fooled first, its radius is the distance to the linearised border. In l0 the
    radius is the number of values that may change, which starts at one.

    Args:
        norm: "linf", "l2", "l1" or "l0".
        steps: Number of steps, each with one gradient.
        step_size: Length (l2) of the first step; the last one is a hundredth of it.
        rate: Share by which the radius changes in the first step (gamma), in (0, 1); it falls to
            0.001.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Not used, since nothing is random; every attack has it.

    Reference:
        Pintor et al., "Fast minimum-norm adversarial attacks through adaptive norm constraints",
        2021, algorithm 1.
    """

    norms = ALL_NORMS
    minimal = True
    tensors: tuple[str, ...] = ("steps", "step_size", "rate", "seed")

    def __init__(
        self,
        *,
        norm: str = "l2",
        steps: int = 100,
        step_size: float = 1.0,
        rate: float = 0.05,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.steps = check_count("steps", steps)
        if not step_size > 0:
            raise ValueError(f"step_size must be above 0, got {step_size}.")
        self.step_size = float(step_size)
        if not 0 < rate < 1:
            raise ValueError(f"rate must be in (0, 1), got {rate}.")
        self.rate = float(rate)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _attack(self, batch: AttackBatch) -> State:
        infinite = tf.fill(tf.shape(batch.keys), float("inf"))
        first = tf.ones_like(infinite) if self.norm == "l0" else infinite
        state = batch.start(images=batch.images, radius=first, size=infinite)

        def step(i: tf.Tensor, state: State) -> State:
            images, original = state["images"], state["original"]
            logits, gains, gradient = batch.gradient(
                images, lambda logits: batch.gain(logits, state["labels"])
            )
            fooled = batch.fooled(logits, state["labels"])
            state = batch.record_smallest(state, images, fooled, self.norm)
            radius = self._radius(state, fooled, gains, gradient, self._rate(i))
            step_size = annealed(i, self.steps, self.step_size, self.step_size / 100.0)
            images = images + step_size * normalize(gradient, "l2")
            if self.norm == "l2":
                # The box first: what lies beyond it would use up the radius to no effect.
                images = tf.clip_by_value(images, 0.0, 1.0)
            images = project(images, original, radius, self.norm)
            images = tf.clip_by_value(images, 0.0, 1.0)
            return {**state, "images": images, "radius": radius}

        def finish(state: State) -> State:
            fooled = batch.fooled(batch.logits(state["images"]), state["labels"])
            return batch.record_smallest(state, state["images"], fooled, self.norm)

        return loop.run(step, state, self.steps, finish=finish)

    def _rate(self, i: tf.Tensor) -> tf.Tensor:
        return annealed(i, self.steps, self.rate, _LAST_RATE)

    def _radius(
        self,
        state: State,
        fooled: tf.Tensor,
        gains: tf.Tensor,
        gradient: tf.Tensor,
        rate: tf.Tensor,
    ) -> tf.Tensor:
        """The radius of the next step, (batch,)."""
        radius, size = state["radius"], state["size"]
        smaller, larger = radius * (1.0 - rate), radius * (1.0 + rate)
        if self.norm == "l0":
            # At least one value more or less.
            smaller = tf.maximum(tf.minimum(tf.floor(smaller), radius - 1.0), 1.0)
            larger = tf.maximum(tf.floor(larger), radius + 1.0)
            larger = tf.minimum(larger, float(gradient.shape[1:].num_elements()))
        else:
            # Before the first success: the distance to the linearised border.
            slope = tf.maximum(length(gradient, DUAL[self.norm]), 1e-12)
            change = length(state["images"] - state["original"], self.norm)
            border = (change + tf.abs(gains) / slope) * (1.0 + _BEYOND)
            larger = tf.where(state["success"], larger, border)
        return tf.where(fooled, tf.minimum(smaller, size), larger)
