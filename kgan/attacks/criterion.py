"""Base of the criteria: when an image counts as fooled, and what an attack raises for it."""

import inspect
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks.reading import Reading


class Criterion:
    """When a victim's answer to an image counts as fooled.

    What is true of the images ("truth") is what `labels=` or `targets=` gives: a class for each, or
    whatever the criterion takes. A victim's criterion decides `Result.success`, when an attack
    stops, which change is smallest, and what `kgan.robustness.evaluate` calls robust.

    A subclass implements `check_truth`, `truth_of`, `fooled` and `margin`.

    Attributes:
        takes: "scores" if the model is a classifier, whose outputs are read as logits; "values" if
            its outputs are taken as they are.
        by_class: Whether the truth is one class for each image.
        borders: Whether an image is fooled once another class has the largest logit. Attacks with
            `needs_borders` take no other criterion.
        needs_scores: Whether the most likely class alone does not decide.
        targetable: Whether the truth may also be what is to be reached.
        losses: Names of the losses that attacks may raise.
    """

    takes: str = "scores"
    by_class: bool = False
    borders: bool = False
    needs_scores: bool = True
    targetable: bool = True
    losses: tuple[str, ...] = ("cross_entropy", "margin")

    def check_reading(self, reading: Reading) -> None:
        """Raises `ValueError` where a model with such outputs has no such criterion."""

    def check_truth(self, given: Any, n: int, shape: tuple[int, ...], *, what: str) -> np.ndarray:
        """What is true of n images, checked.

        Args:
            given: As the user gave it.
            n: Number of images.
            shape: Shape of the victim's outputs for one image, (classes,) for a classifier.
            what: "labels" or "targets"; an error begins with it.

        Returns:
            Array whose first axis is the image.
        """
        raise NotImplementedError

    def truth_of(self, outputs: np.ndarray) -> np.ndarray:
        """What the model itself takes for true, by its outputs for clean images."""
        raise NotImplementedError

    def fooled(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        """Whether each answer counts, bool (batch,).

        Args:
            outputs: Logits (batch, classes), or the model's values (batch, ...).
            truth: What is true, or to be reached.
            targeted: Whether it is to be reached.
        """
        raise NotImplementedError

    def counts(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        """The same as `fooled`, where an answer of NaN is wrong: it names nothing."""
        axes = list(range(1, outputs.shape.rank))
        unknown = tf.reduce_any(tf.math.is_nan(outputs), axis=axes)
        fooled = self.fooled(outputs, truth, targeted)
        return fooled & ~unknown if targeted else fooled | unknown

    def margin(self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False) -> tf.Tensor:
        """What is above 0 where an answer counts, and below 0 where it does not, (batch,)."""
        raise NotImplementedError

    def gain(
        self, outputs: tf.Tensor, truth: tf.Tensor, targeted: bool = False, loss: str = "margin"
    ) -> tf.Tensor:
        """What an attack raises, (batch,); a criterion without a loss of that name has its margin.

        Args:
            outputs: As for `fooled`.
            truth: As for `fooled`.
            targeted: As for `fooled`.
            loss: One of `losses`.
        """
        return self.margin(outputs, truth, targeted)

    def get_config(self) -> dict[str, Any]:
        names = inspect.signature(type(self).__init__).parameters
        return {
            name: getattr(self, name) for name in names if name not in ("self", "args", "kwargs")
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Criterion":
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({settings})"

    def __str__(self) -> str:
        """A sentence for a report that says what counts."""
        return f"what counts as fooled: {self!r}"
