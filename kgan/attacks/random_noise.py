"""Random noise: the baseline that every attack has to beat."""

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_norm, check_radii
from kgan.attacks.norms import masked, normalize, per_example, project, random_point
from kgan.models.norm_ball import usual_radius
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class RandomNoise(Attack):
    """Adds noise that does not depend on the model.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1], or an array of radii; see `PGD`,
            also for `None`.
        norm: "linf", "l2" or "l1".
        distribution: "uniform" in the ball, or "gaussian": a normal draw with the standard
            deviation `epsilon / 2` a value in linf, or scaled to the length `epsilon` in l2 and
            l1, then put back into the ball.
        tries: How many draws to try for an example; the first that fools is kept.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the noise.
    """

    has_last_iterate = True
    category = "noise"
    adapts = False
    needs = "nothing"
    takes_arrays = True
    tensors: tuple[str, ...] = ("epsilon", "tries", "seed")

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        norm: str = "linf",
        distribution: str = "uniform",
        tries: int = 1,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radii("epsilon", usual_radius(epsilon, norm), norm)
        if distribution not in ("uniform", "gaussian"):
            raise ValueError(f"distribution must be uniform or gaussian, got {distribution!r}.")
        self.distribution = distribution
        self.tries = check_count("tries", tries)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _attack(self, batch: AttackBatch) -> State:
        def step(i: tf.Tensor, state: State) -> State:
            return batch.record(state, self._draw(state, i))

        return loop.run(step, batch.start(), self.tries)

    def _draw(self, state: State, i: tf.Tensor) -> tf.Tensor:
        original, keys, mask = state["original"], state["keys"], state.get("mask")
        epsilon = per_example(state["epsilon"], original)
        if self.distribution == "uniform":
            return random_point(original, keys, state["epsilon"], self.norm, step=i, mask=mask)
        shape = example_random.shape_of(original)
        noise = masked(example_random.normal(keys, shape, "noise", i), mask)
        noise = (
            noise * (epsilon / 2) if self.norm == "linf" else epsilon * normalize(noise, self.norm)
        )
        return project(original + noise, original, state["epsilon"], self.norm)
