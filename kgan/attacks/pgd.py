"""Projected gradient descent, and the iteration that its subclasses share."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State, allowed
from kgan.attacks.checks import check_count, check_norm, check_radii
from kgan.attacks.losses import check_loss
from kgan.attacks.norms import project, random_point, rows_of, steepest
from kgan.models.norm_ball import usual_radius
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class PGD(Attack):
    """Projected gradient descent: repeats a step of steepest ascent and a projection to the ball.

    By default an example is done as soon as it is fooled, so `steps` is a limit. With
    `early_stop=False` all steps are made and the last image that fooled is returned, as published.
    The same examples are fooled in both cases, because an example fooled on the way always counts.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1]; or an array of radii, one for
            each image, or in linf for each channel or value. If `None`, one that is usual for grey
            images of digits: 0.3 in linf, 2 in l2, 10 in l1.
        steps: Number of steps.
        step_size: Length of a step; `2.5 * epsilon / steps` if None (Madry et al.'s rule). An array
            like `epsilon`, too.
        norm: "linf", "l2" or "l1".
        random_start: Whether to start at a random point of the ball rather than at the image.
        restarts: Number of starts for images that are not fooled; more than 1 needs
            `random_start`.
        loss: "cross_entropy", "margin" (best other logit minus the label's) or "dlr".
        samples: Number of gradients averaged at each step, for models that are random.
        early_stop: Whether to stop work on an example once it is fooled.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the random starts.

    Reference:
        Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018, eq. 2.
    """

    has_last_iterate = True
    takes_arrays = True
    tensors: tuple[str, ...] = ("epsilon", "steps", "step_size", "restarts", "seed")

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        steps: int = 40,
        step_size: float | np.ndarray | None = None,
        norm: str = "linf",
        random_start: bool = True,
        restarts: int = 1,
        loss: str = "cross_entropy",
        samples: int = 1,
        early_stop: bool = True,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radii("epsilon", usual_radius(epsilon, norm), norm)
        self.steps = check_count("steps", steps)
        self.step_size = None if step_size is None else check_radii("step_size", step_size, norm)
        self.random_start = random_start
        self.restarts = check_count("restarts", restarts)
        if restarts > 1 and not random_start:
            raise ValueError(f"restarts={restarts} needs random_start=True: all would be equal.")
        self.loss = check_loss(loss)
        self.samples = check_count("samples", samples)
        self.early_stop = early_stop
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _settings(self) -> dict[str, Any]:
        step_size = self.step_size
        if step_size is None:
            step_size = 2.5 * self.epsilon / self.steps
        return {**super()._settings(), "step_size": step_size}

    def _attack(self, batch: AttackBatch) -> State:
        step_size = rows_of(self.step_size, batch.images)
        state = batch.start(images=self._first(batch), step_size=step_size)
        state.update(self._memory(batch))

        def step(i: tf.Tensor, state: State) -> State:
            logits, gradient = self._gradient(batch, i, state)
            return self._update(batch.record(state, state["images"], logits), gradient)

        return batch.iterate(step, state, self.steps)

    def _first(self, batch: AttackBatch) -> tf.Tensor:
        if not self.random_start:
            return batch.images
        return random_point(
            batch.images, batch.keys, self.epsilon, self.norm, step=batch.attempt, mask=batch.mask
        )

    def _memory(self, batch: AttackBatch) -> State:
        """The state of the iteration besides its images, by name."""
        return {}

    def _gradient(
        self, batch: AttackBatch, i: tf.Tensor, state: State
    ) -> tuple[tf.Tensor | None, tf.Tensor]:
        """The logits at the images, and the gradient to ascend."""
        logits, _, gradient = batch.gradient(
            state["images"],
            lambda logits: batch.gain(logits, state["labels"], self.loss),
            self.samples,
        )
        return logits, gradient

    def _update(self, state: State, gradient: tf.Tensor) -> State:
        images = state["images"]
        images += steepest(allowed(gradient, state), images, state["step_size"], self.norm)
        return {**state, "images": project(images, state["original"], state["epsilon"], self.norm)}
