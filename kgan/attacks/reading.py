"""How a classifier's outputs are read: as logits, a column for each class."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from kgan.attacks import endings

TINY = float(np.finfo(np.float32).tiny)
"""The least probability whose log is taken."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a classifier's outputs are.

    Attributes:
        name: The classifier's name, for errors.
        head: A row of `kgan.attacks.head.HEADS`, or "values" for outputs that are taken as they
            are.
        shape: Shape of the outputs for one image, (units,) for a classifier.
        behind: Whether logits are taken from before all functions that keep the classes' order:
            scores with the model's own answers, and nothing else of it.
        cut: How the graph ends, a kind of `kgan.attacks.endings.Ending`, where logits are taken
            from before that; `None` where they are not.
    """

    name: str
    head: str
    shape: tuple[int, ...]
    behind: bool = False
    cut: str | None = None

    @property
    def units(self) -> int:
        """Number of outputs for an image."""
        return math.prod(self.shape)

    @property
    def binary(self) -> bool:
        """Whether a classifier has a single output."""
        return self.units == 1 and self.head != "values"

    @property
    def classes(self) -> int:
        """Number of classes; 2 for a single output."""
        return 2 if self.binary else self.units

    @property
    def is_judged_by_values(self) -> bool:
        """Whether outputs are read as probabilities although the graph shows no activation."""
        return self.head in ("softmax", "sigmoid") and not self.is_before_the_end

    @property
    def is_before_the_end(self) -> bool:
        """Whether logits are taken from before the end of the graph."""
        return self.cut is not None or self.behind

    def scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """The scores before the activation, or the values, float32 (batch, ...), in graph mode."""
        if self.behind:
            found = endings.behind(outputs)
            if found is outputs:
                raise self._changed("linear")
            return endings.deciding_as(self._shaped(found), self._shaped(outputs))
        if self.cut is None:
            return self._shaped(outputs)
        end = endings.ending(outputs)
        if end.kind != self.cut:
            raise self._changed(end.kind)
        return self._shaped(
            end.odds if self.head == "sigmoid" and end.odds is not None else end.scores
        )

    def _changed(self, kind: str) -> ValueError:
        return ValueError(
            f"{self.name} ended in {self.head} when it was looked at, and now in {kind}: it was "
            "changed in the meantime. Run it again."
        )

    def _shaped(self, values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.cast(values, tf.float32), [-1, *self.shape])

    def logits(self, scores: tf.Tensor) -> tf.Tensor:
        """The logits (batch, classes) of what `scores` returned."""
        if self.is_judged_by_values:
            scores = tf.clip_by_value(scores, TINY, 1.0)
            if self.head == "softmax":
                scores = tf.math.log(scores)
            else:
                scores = tf.math.log(scores) - tf.math.log(tf.maximum(1.0 - scores, 2.0**-25))
        if self.binary:
            return tf.concat([tf.zeros_like(scores), scores], axis=1)
        return scores

    @property
    def logits_shape(self) -> tuple[int, ...]:
        """The shape of what `logits` returns for one image."""
        return (2,) if self.binary else self.shape

    def decisions(self, outputs: np.ndarray) -> np.ndarray:
        """The classes that a model's own outputs name, int (n,)."""
        if self.binary:
            return (outputs.reshape(-1) > (0.5 if self.head == "sigmoid" else 0.0)).astype(int)
        return outputs.argmax(axis=1)

    def __str__(self) -> str:
        found = {
            "values": f"outputs are values of the shape {self.shape}, taken as they are",
            "logits": "outputs are taken as logits",
            "softmax": "outputs are softmax probabilities",
            "sigmoid": "the output is a sigmoid probability",
        }[self.head]
        if self.is_before_the_end:
            return f"{found}; logits are taken from before the activation"
        if self.is_judged_by_values:
            found += "; logits are recovered by a log, which loses what float32 rounds to 0 or 1"
        return found
