"""Attacks that only adversarial training uses: what its update then minimises against."""

import keras
import tensorflow as tf

from kgan.attacks import FGSM, PGD, draws
from kgan.attacks.problem import Problem, State


@keras.saving.register_keras_serializable(package="kgan")
class FastStep(FGSM):
    """One large step from a random start that the box does not cut.

    `FGSM(random_start=True)` clips its start to [0, 1], as an attack should. In training that costs
    what the start is for: on black or white pixels a clipped start followed by a step of more than
    `epsilon` always ends at the same corner, and the classifier overfits to corners.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1].
        norm: "linf", "l2" or "l1"; only in linf is the start left uncut.
        step_size: Length of the step; `1.25 * epsilon` if None.
        seed: Of the random start.

    Reference:
        Wong et al., "Fast is better than free", 2020, algorithm 3.
    """

    def __init__(
        self,
        epsilon: float = 0.3,
        *,
        norm: str = "linf",
        step_size: float | None = None,
        seed: int = 0,
    ):
        super().__init__(epsilon, norm=norm, step_size=step_size, random_start=True, seed=seed)

    def _settings(self) -> dict[str, float | int]:
        step_size = 1.25 * self.epsilon if self.step_size is None else self.step_size
        return {**super()._settings(), "step_size": step_size}

    def _first(self, problem: Problem) -> tf.Tensor:
        if self.norm != "linf":
            return super()._first(problem)
        share = draws.uniform(problem.keys, problem.images.shape[1:], "start", problem.attempt)
        return problem.images + self.epsilon * (2.0 * share - 1.0)


@keras.saving.register_keras_serializable(package="kgan")
class DivergencePGD(PGD):
    """Ascends the divergence of the classifier's answer from its answer on the clean image.

    Starts at the image plus noise of deviation 0.001, for the divergence has no slope at the image
    itself. Labels play no part.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1].
        steps: Number of steps.
        step_size: Length of a step; `2.5 * epsilon / steps` if None.
        norm: "linf", "l2" or "l1".
        seed: Of the noise.

    Reference:
        Zhang et al., "Theoretically principled trade-off between robustness and accuracy", 2019,
        algorithm 1.
    """

    def __init__(
        self,
        epsilon: float = 0.3,
        *,
        steps: int = 10,
        step_size: float | None = None,
        norm: str = "linf",
        seed: int = 0,
    ):
        super().__init__(epsilon, steps=steps, step_size=step_size, norm=norm, seed=seed)

    def _first(self, problem: Problem) -> tf.Tensor:
        shape = problem.images.shape[1:]
        return problem.images + 0.001 * draws.normal(problem.keys, shape, "start")

    def _memory(self, problem: Problem) -> State:
        return {"clean": tf.stop_gradient(problem.logits(problem.images))}

    def _gradient(
        self, problem: Problem, i: tf.Tensor, state: State
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        logits, _, gradient = problem.gradient(
            state["images"], lambda logits: divergence(state["clean"], logits)
        )
        return logits, gradient


def divergence(logits: tf.Tensor, other_logits: tf.Tensor) -> tf.Tensor:
    """KL(softmax(logits) || softmax(other_logits)) of each example, shape (batch,)."""
    share = tf.nn.softmax(logits)
    difference = tf.nn.log_softmax(logits) - tf.nn.log_softmax(other_logits)
    return tf.reduce_sum(share * difference, axis=1)
