"""The decoupled direction and norm attack in l2."""

import keras
import tensorflow as tf

from kgan.attacks import loop
from kgan.attacks.annealing import annealed
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count
from kgan.attacks.norms import normalize, per_example
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class DDN(Attack):
    """Follows the gradient of the cross-entropy on a sphere; the sphere shrinks or grows.

    Its radius falls by the share `rate` after a step that fools, and grows by it after one that
    does not.

    Args:
        steps: Number of steps, each with one gradient.
        radius: Radius of the first sphere, in l2 units of images in [0, 1].
        rate: Share by which the radius changes (gamma), in (0, 1).
        step_size: Length of the first step (alpha); it falls to 0.01.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Not used, since nothing is random; every attack has it.

    Reference:
        Rony et al., "Decoupling direction and norm for efficient gradient-based L2 adversarial
        attacks and defenses", 2019, algorithm 1.
    """

    norms = ("l2",)
    norm = "l2"
    minimal = True
    tensors: tuple[str, ...] = ("steps", "radius", "rate", "step_size", "seed")

    def __init__(
        self,
        *,
        steps: int = 100,
        radius: float = 1.0,
        rate: float = 0.05,
        step_size: float = 1.0,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.steps = check_count("steps", steps)
        for name, value in (("radius", radius), ("step_size", step_size)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        if not 0 < rate < 1:
            raise ValueError(f"rate must be in (0, 1), got {rate}.")
        self.radius = float(radius)
        self.rate = float(rate)
        self.step_size = float(step_size)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _attack(self, batch: AttackBatch) -> State:
        infinite = tf.fill(tf.shape(batch.keys), float("inf"))
        radius = tf.zeros_like(infinite) + self.radius
        state = batch.start(images=batch.images, radius=radius, size=infinite)

        def step(i: tf.Tensor, state: State) -> State:
            images, original = state["images"], state["original"]
            logits, _, gradient = batch.gradient(
                images, lambda logits: batch.gain(logits, state["labels"], "cross_entropy")
            )
            fooled = batch.fooled(logits, state["labels"])
            state = batch.record_smallest(state, images, fooled, "l2")
            step_size = annealed(i, self.steps, self.step_size, 0.01)
            change = images - original + step_size * normalize(gradient, "l2")
            radius = state["radius"] * tf.where(fooled, 1.0 - self.rate, 1.0 + self.rate)
            images = original + per_example(radius, images) * normalize(change, "l2")
            return {**state, "images": tf.clip_by_value(images, 0.0, 1.0), "radius": radius}

        def finish(state: State) -> State:
            fooled = batch.fooled(batch.logits(state["images"]), state["labels"])
            return batch.record_smallest(state, state["images"], fooled, "l2")

        return loop.run(step, state, self.steps, finish=finish)
