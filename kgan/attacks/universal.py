"""A universal perturbation: one change that fools a model on most images."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.checks import check_count, check_norm, check_radius
from kgan.attacks.learnt_attack import LearntAttack
from kgan.attacks.norms import length, normalize
from kgan.attacks.victim import Victim
from kgan.models.norm_ball import usual_radius
from kgan.random import check_seed


@keras.saving.register_keras_serializable(package="kgan")
class Universal(LearntAttack):
    """Adds the same change to every image; `fit` finds it by projected gradient ascent.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
            After `fit`, `replace` can make it smaller, which shortens the change, but not larger.
        norm: "linf" or "l2".
        target: A class that all images shall be taken for; `None` to leave their labels.
        steps: Number of steps of `fit`, each on one batch.
        step_size: Length of a step; `epsilon / 20` if None.
        batch_size: Number of images in each batch.
        learnt: The change, of an image's shape; `fit` and `load` set it.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the batches, an int.

    Reference:
        Moosavi-Dezfooli et al., "Universal adversarial perturbations", 2017.
        Shafahi et al., "Universal adversarial training", 2020, algorithm 1, which `fit` runs.
    """

    norms = ("linf", "l2")
    tensors: tuple[str, ...] = ("epsilon", "seed")
    has_last_iterate = True

    def __init__(
        self,
        epsilon: float | None = None,
        *,
        norm: str = "linf",
        target: int | None = None,
        steps: int = 300,
        step_size: float | None = None,
        batch_size: int = 128,
        learnt: Any = None,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radius("epsilon", usual_radius(epsilon, norm), norm)
        self.target = target
        self.targetable = target is not None
        self.steps = check_count("steps", steps)
        self.step_size = None if step_size is None else check_radius("step_size", step_size, norm)
        self.batch_size = check_count("batch_size", batch_size)
        self.learnt = None if learnt is None else np.asarray(learnt, np.float32)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        if self.learnt is None:
            return
        if self.learnt.shape != tuple(shape):
            raise ValueError(
                f"images must have the shape {self.learnt.shape} that Universal was fitted on, "
                f"got {shape}."
            )
        reach = float(length(tf.constant(self.learnt)[None], self.norm)[0])
        if 0 < reach < self.epsilon * 0.9999 - 1e-6:
            raise ValueError(
                f"epsilon must be at most {reach:g}, the length of the fitted change, got "
                f"{self.epsilon:g}. Fit a new Universal({self.epsilon:g})."
            )

    def _begin(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape, np.float32)

    def _apply(
        self, array: tf.Tensor, images: tf.Tensor, keys: tf.Tensor, step: tf.Tensor | int
    ) -> tf.Tensor:
        # A smaller radius than that of the fit shortens the change.
        scale = tf.minimum(1.0, self.epsilon / tf.maximum(length(array[None], self.norm)[0], 1e-12))
        return tf.clip_by_value(images + scale * array, 0.0, 1.0)

    def _finish(self, array: tf.Tensor) -> tf.Tensor:
        """Lengthens the change to the radius, which can only help."""
        reach = length(array[None], self.norm)[0]
        return array * tf.where(reach > 0.0, self.epsilon / tf.maximum(reach, 1e-12), 1.0)

    def _ascend(self, array: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        step_size = self.epsilon / 20.0 if self.step_size is None else self.step_size
        if self.norm == "linf":
            moved = array + step_size * tf.sign(gradient)
            return tf.clip_by_value(moved, -self.epsilon, self.epsilon)
        moved = array + step_size * normalize(gradient[None], "l2")[0]
        return moved * tf.minimum(1.0, self.epsilon / (length(moved[None], "l2")[0] + 1e-12))
