"""Attacks that are used only inside adversarial training."""

import keras
import tensorflow as tf

from kgan.attacks import FGSM, PGD, example_random
from kgan.attacks.attack_batch import AttackBatch, State


@keras.saving.register_keras_serializable(package="kgan")
class FastStep(FGSM):
    """One large step from a random start that the box does not cut.

    `FGSM(random_start=True)` clips its start to [0, 1], as an attack should. In training that costs
    what the start is for: on black or white pixels a clipped start followed by a step of more than
    `epsilon` always ends at the same corner, and the classifier overfits to corners.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
        norm: "linf", "l2" or "l1"; only in linf is the start left uncut.
        step_size: Length of the step; `1.25 * epsilon` if None.
        seed: Seed of the random start.

    Reference:
        Wong et al., "Fast is better than free", 2020, algorithm 3.
    """

    def __init__(
        self,
        epsilon: float | None = None,
        *,
        norm: str = "linf",
        step_size: float | None = None,
        seed: int = 0,
    ):
        super().__init__(epsilon, norm=norm, step_size=step_size, random_start=True, seed=seed)

    def _settings(self) -> dict[str, float | int]:
        step_size = 1.25 * self.epsilon if self.step_size is None else self.step_size
        return {**super()._settings(), "step_size": step_size}

    def _first(self, batch: AttackBatch) -> tf.Tensor:
        if self.norm != "linf":
            return super()._first(batch)
        share = example_random.uniform(
            batch.keys, example_random.shape_of(batch.images), "start", batch.attempt
        )
        return batch.images + self.epsilon * (2.0 * share - 1.0)


@keras.saving.register_keras_serializable(package="kgan")
class DivergencePGD(PGD):
    """PGD that maximises the divergence of the model's output from that for the clean image.

    It starts at the image plus noise with standard deviation 0.001, because the gradient of the
    divergence is zero at the image itself. Labels are not used.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
        steps: Number of steps.
        step_size: Length of a step; `2.5 * epsilon / steps` if None.
        norm: "linf", "l2" or "l1".
        seed: Seed of the noise.

    Reference:
        Zhang et al., "Theoretically principled trade-off between robustness and accuracy", 2019,
        algorithm 1.
    """

    def __init__(
        self,
        epsilon: float | None = None,
        *,
        steps: int = 10,
        step_size: float | None = None,
        norm: str = "linf",
        seed: int = 0,
    ):
        super().__init__(epsilon, steps=steps, step_size=step_size, norm=norm, seed=seed)

    def _first(self, batch: AttackBatch) -> tf.Tensor:
        shape = example_random.shape_of(batch.images)
        return batch.images + 0.001 * example_random.normal(batch.keys, shape, "start")

    def _memory(self, batch: AttackBatch) -> State:
        return {"clean": tf.stop_gradient(batch.logits(batch.images))}

    def _gradient(
        self, batch: AttackBatch, i: tf.Tensor, state: State
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        logits, _, gradient = batch.gradient(
            state["images"], lambda logits: divergence(state["clean"], logits)
        )
        return logits, gradient


def divergence(logits: tf.Tensor, other_logits: tf.Tensor) -> tf.Tensor:
    """KL(softmax(logits) || softmax(other_logits)) of each example, shape (batch,)."""
    share = tf.nn.softmax(logits)
    difference = tf.nn.log_softmax(logits) - tf.nn.log_softmax(other_logits)
    return tf.reduce_sum(share * difference, axis=1)
