"""Projected gradient descent, and the iteration that its relatives share."""

import keras
import tensorflow as tf

from kgan.attacks.attack import Attack
from kgan.attacks.checks import check_count, check_norm, check_radius
from kgan.attacks.norms import project, random_point, steepest
from kgan.attacks.problem import Problem, State, check_loss
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class PGD(Attack):
    """Projected gradient descent: repeated steps of steepest ascent, back into the ball each time.

    An example is done as soon as it is fooled, so `steps` is a limit. Which examples are fooled
    does not depend on that (an example fooled on the way counts anyway), but the image does: with
    `early_stop=False` the search goes on and the last image that fooled comes back, as published.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1].
        steps: Number of steps.
        step_size: Length of a step; `2.5 * epsilon / steps` if None (Madry et al.'s rule).
        norm: "linf", "l2" or "l1".
        random_start: Start at a random point of the ball (True) or at the image (False).
        restarts: How often to start anew on what is not fooled; needs `random_start`.
        loss: "cross_entropy", "margin" (best other logit minus the label's) or "dlr".
        early_stop: Whether an example is done once it is fooled.
        seed: Seed of the random starts.

    Reference:
        Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018, eq. 2.
    """

    has_last_iterate = True
    tensors: tuple[str, ...] = ("epsilon", "steps", "step_size", "restarts", "seed")

    def __init__(
        self,
        epsilon: float = 0.3,
        *,
        steps: int = 40,
        step_size: float | None = None,
        norm: str = "linf",
        random_start: bool = True,
        restarts: int = 1,
        loss: str = "cross_entropy",
        early_stop: bool = True,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radius("epsilon", epsilon, norm)
        self.steps = check_count("steps", steps)
        self.step_size = None if step_size is None else check_radius("step_size", step_size, norm)
        self.random_start = random_start
        self.restarts = check_count("restarts", restarts)
        if restarts > 1 and not random_start:
            raise ValueError(f"restarts={restarts} needs random_start=True: all would be equal.")
        self.loss = check_loss(loss)
        self.early_stop = early_stop
        self.seed = check_seed(seed)

    def _settings(self) -> dict[str, float | int]:
        step_size = self.step_size
        if step_size is None:
            step_size = 2.5 * self.epsilon / self.steps
        return {**super()._settings(), "step_size": step_size}

    def _attack(self, problem: Problem) -> State:
        state = problem.start(images=self._first(problem))
        state.update(self._memory(problem))

        def step(i: tf.Tensor, state: State) -> State:
            logits, gradient = self._gradient(problem, i, state)
            return self._update(problem.record(state, state["images"], logits), gradient)

        return problem.iterate(step, state, self.steps)

    def _first(self, problem: Problem) -> tf.Tensor:
        if not self.random_start:
            return problem.images
        return random_point(
            problem.images, problem.keys, self.epsilon, self.norm, step=problem.attempt
        )

    def _memory(self, problem: Problem) -> State:
        """What the iteration remembers besides its images."""
        return {}

    def _gradient(
        self, problem: Problem, i: tf.Tensor, state: State
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        """The logits at the images, and the gradient to ascend."""
        logits, _, gradient = problem.gradient(
            state["images"], lambda logits: problem.gain(logits, state["labels"], self.loss)
        )
        return logits, gradient

    def _update(self, state: State, gradient: tf.Tensor) -> State:
        images = state["images"]
        images += steepest(gradient, images, self.step_size, self.norm)
        return {**state, "images": project(images, state["original"], self.epsilon, self.norm)}
