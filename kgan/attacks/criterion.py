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
        by_class: Whether the truth is one class for each image. Attacks with `needs_classes` take
            no other criterion.
        borders: Whether an image is fooled once another class has the largest logit.
        needs_scores: Whether the most likely class alone does not decide.
        targetable: Whether the truth may also be what is to be reached.
        losses: Names of the losses that attacks may raise.
        spread_needs: Number of outputs that `spread` needs.
    """

    takes: str = "scores"
    by_class: bool = False
    borders: bool = False
    needs_scores: bool = True
    targetable: bool = True
    losses: tuple[str, ...] = ("cross_entropy", "margin")
    spread_needs: int = 1

    def choices(self, units: int) -> int:
        """How many aims there are: classes, or sets of them, any of which may decide.

        Args:
            units: Number of classes, or of labels.

        Returns:
            0 where there is nothing to choose, so that `aim` and `lead` are not to be called.
        """
        return 0

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

    def aim(self, outputs: tf.Tensor, truth: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
        """What an attack that leaves the truth may aim at, the likeliest first.

        Args:
            outputs: As for `fooled`, for clean images.
            truth: What is true.
            number: Which of the `choices`, from 0.

        Returns:
            The classes or labels of one aim, int32 (batch, n): all of them are to be reached.
        """
        raise NotImplementedError

    def lead(self, outputs: tf.Tensor, truth: tf.Tensor, aim: tf.Tensor) -> tf.Tensor:
        """The margin where nothing but an aim is looked at, (batch,): never above `margin`."""
        raise NotImplementedError

    def spread(self, outputs: tf.Tensor) -> tf.Tensor | float:
        """What the difference of logits ratio divides a lead by, above 0: (batch,), or a number.

        Where only the order of the classes counts, it makes the ratio the same for outputs of any
        scale. It is 1 where the scale itself counts.
        """
        return 1.0

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
