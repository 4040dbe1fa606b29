"""Random noise: the baseline that every attack has to beat."""

import keras
import tensorflow as tf

from kgan.attacks import example_random, loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_norm, check_radius
from kgan.attacks.norms import normalize, project, random_point
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class RandomNoise(Attack):
    """Adds noise that does not depend on the model.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1].
        norm: "linf", "l2" or "l1".
        distribution: "uniform" in the ball, or "gaussian": a normal draw with the standard
            deviation `epsilon / 2` a value in linf, or scaled to the length `epsilon` in l2 and
            l1, then put back into the ball.
        tries: How many draws to try for an example; the first that fools is kept.
        seed: Seed of the noise.
    """

    has_last_iterate = True
    category = "noise"
    adapts = False
    tensors: tuple[str, ...] = ("epsilon", "tries", "seed")

    def __init__(
        self,
        epsilon: float = 0.3,
        *,
        norm: str = "linf",
        distribution: str = "uniform",
        tries: int = 1,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radius("epsilon", epsilon, norm)
        if distribution not in ("uniform", "gaussian"):
            raise ValueError(f"distribution must be uniform or gaussian, got {distribution!r}.")
        self.distribution = distribution
        self.tries = check_count("tries", tries)
        self.seed = check_seed(seed)

    def _attack(self, batch: AttackBatch) -> State:
        def step(i: tf.Tensor, state: State) -> State:
            return batch.record(state, self._draw(state["original"], state["keys"], i))

        return loop.run(step, batch.start(), self.tries)

    def _draw(self, original: tf.Tensor, keys: tf.Tensor, i: tf.Tensor) -> tf.Tensor:
        if self.distribution == "uniform":
            return random_point(original, keys, self.epsilon, self.norm, step=i)
        noise = example_random.normal(keys, original.shape[1:], "noise", i)
        if self.norm == "linf":
            noise *= self.epsilon / 2
        else:
            noise = self.epsilon * normalize(noise, self.norm)
        return project(original + noise, original, self.epsilon, self.norm)
