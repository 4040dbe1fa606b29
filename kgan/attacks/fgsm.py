"""The fast gradient sign method and its l2 and l1 forms."""

from typing import Any

import keras
import numpy as np

from kgan.attacks.pgd import PGD


@keras.saving.register_keras_serializable(package="kgan")
class FGSM(PGD):
    """One step: `clip(x + epsilon * sign(gradient), 0, 1)`.

    In l2 the normalised gradient replaces the sign. In l1 the values with the largest gradients
    move to the edge of the box, one after the other, until `epsilon` is used up.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1], or an array of radii; see `PGD`,
            also for `None`.
        norm: "linf", "l2" or "l1".
        step_size: Length of the step; `epsilon` if None.
        random_start: Whether to start at a random point of the ball. With
            `step_size=1.25 * epsilon` this is the attack of "fast" adversarial training.
        restarts: Number of starts for images that are not fooled; more than 1 needs
            `random_start`.
        loss: "cross_entropy", "margin" or "dlr".
        samples: Number of gradients averaged, for models that are random.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the random start.

    Reference:
        Goodfellow et al., "Explaining and harnessing adversarial examples", 2015, section 4.
        Wong et al., "Fast is better than free", 2020, algorithm 3 (random start).
    """

    category = "single-step"
    tensors: tuple[str, ...] = ("epsilon", "step_size", "restarts", "seed")

    def __init__(
        self,
        epsilon: float | np.ndarray | None = None,
        *,
        norm: str = "linf",
        step_size: float | np.ndarray | None = None,
        random_start: bool = False,
        restarts: int = 1,
        loss: str = "cross_entropy",
        samples: int = 1,
        quantize: bool = False,
        seed: int = 0,
    ):
        super().__init__(
            epsilon,
            steps=1,
            step_size=step_size,
            norm=norm,
            random_start=random_start,
            restarts=restarts,
            loss=loss,
            samples=samples,
            quantize=quantize,
            seed=seed,
        )

    def _settings(self) -> dict[str, Any]:
        step_size = self.epsilon if self.step_size is None else self.step_size
        return {**super()._settings(), "step_size": step_size}
