"""Asks a model about a few images, outside of an attack, and compares its answers."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks import endings, held_inputs
from kgan.attacks.function_model import own_errors
from kgan.attacks.model_call import ModelCall, compiling
from kgan.attacks.reading import TINY

# Images that the model itself is asked about at a time, outside of a graph.
_AT_A_TIME = 32
# Rows asked about several times, to see whether the answers differ.
_ASKED_AGAIN = 16


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is seen of a model's graph, see `kgan.attacks.endings`.

    Attributes:
        kind: How it ends, a kind of `Ending`.
        odds: Whether the log of the odds is known there.
        rises: Whether functions that keep the classes' order stand before the end.
        hides: Whether the scores at the end may be flat.
        hides_behind: Whether those before these functions may be.
    """

    kind: str
    odds: bool
    rises: bool
    hides: bool
    hides_behind: bool

    @classmethod
    def of(cls, outputs: tf.Tensor) -> "Seen":
        end = endings.ending(outputs)
        behind = endings.behind(outputs)
        return cls(
            kind=end.kind,
            odds=end.odds is not None,
            rises=behind is not outputs,
            hides=endings.hides(end.scores),
            hides_behind=endings.hides(behind),
        )


class Questions:
    """A model's answers to some images, compiled as an attack gets them, and its own.

    Args:
        call: The model.
        functions: Where compiled functions are kept; emptied by the owner when the model changes.
        values: Whether the outputs are values of any shape, and not a row of class scores.
    """

    def __init__(self, call: ModelCall, functions: dict[Any, Any], *, values: bool = False):
        self._call = call
        self._functions = functions
        self._values = values

    def ask(self, images: np.ndarray) -> np.ndarray:
        """The compiled model's outputs for a few images: float32 (n, units), or values (n, ...).

        Images are those of the first rows of held inputs here; what they answer matters little.
        """
        shape = tuple(images.shape[1:])
        if ("ask", shape) not in self._functions:
            found: list[Seen] = []

            @tf.function(
                autograph=False, input_signature=[tf.TensorSpec([None, *shape], tf.float32)]
            )
            def ask(images):
                with held_inputs.rows(tf.range(tf.shape(images)[0])):
                    outputs = self._call.outputs_without_trace(images)
                found[:] = [Seen.of(outputs)]
                return tf.cast(outputs, tf.float32)

            with compiling(self._call.name):
                self._functions["ask", shape] = ask.get_concrete_function()
            self._functions["end", shape] = found
        try:
            with own_errors(self._call.model):
                outputs = self._functions["ask", shape](tf.constant(images)).numpy()
        except tf.errors.InvalidArgumentError as error:
            if self._call.batch is None:
                raise
            raise ValueError(
                f"{self._call.name} takes batches of {self._call.batch} images alone: make it anew "
                "with a batch of any size, keras.Input(shape)."
            ) from error
        if outputs.ndim == 0 or len(outputs) != len(images):
            raise ValueError(
                f"{self._call.name} must answer each image, and answered {len(images)} images by "
                f"an output of shape {outputs.shape}."
            )
        if self._values:
            return outputs if outputs.ndim > 1 else outputs[:, None]
        if outputs.ndim > 2 or (outputs.ndim == 2 and outputs.shape[1] == 0):
            raise ValueError(
                f"{self._call.name} must return one row of class scores for an image, "
                f"got an output of shape {outputs.shape}."
            )
        return outputs.reshape(len(images), -1)

    def seen(self, shape: tuple[int, ...]) -> "Seen":
        """What the graph shows that `ask` has compiled for images of this shape."""
        return self._functions["end", tuple(shape)][0]

    def own(
        self,
        images: np.ndarray,
        bounds: tuple[float, float] | None = None,
        indices: np.ndarray | None = None,
    ) -> np.ndarray:
        """The model's own outputs for any number of images.

        Args:
            images: The images.
            bounds: What black and white become; what they are for the model if `None`.
            indices: Index of each image in its data set; 0, 1, ... if `None`.
        """
        indices = np.arange(len(images)) if indices is None else indices
        found = []
        for start in range(0, len(images), _AT_A_TIME):
            some = slice(start, start + _AT_A_TIME)
            with held_inputs.rows(tf.constant(indices[some], tf.int32)):
                found.append(self._call.own_outputs(images[some], bounds))
        return np.concatenate(found)

    def compare(self, images: np.ndarray) -> tuple[np.ndarray, float]:
        """The compiled model's outputs, and how much its answers differ from the model's own."""
        compiled = self.ask(images)
        own = self.own(images).reshape(compiled.shape)
        return compiled, _gap(compiled, own)

    def differ(self, images: np.ndarray, *, rounding: float, rewind: bool = False) -> bool:
        """Whether the model answers differently when it is asked again.

        Args:
            images: Some images.
            rounding: The difference, relative to the largest output, that rounding explains.
            rewind: Whether it is asked again from the start of its random numbers.
        """
        # Several rows, since an answer that may change need not.
        rows = np.resize(images, (_ASKED_AGAIN, *images.shape[1:]))
        answers = []
        for _ in range(3):
            if rewind:
                self._call.rewind()
            answers.append(self.ask(rows))
        return any(_gap(answers[0], one) > rounding for one in answers[1:])

    def check_alone(self, images: np.ndarray, *, rounding: float) -> None:
        """Raises `ValueError` where the answer to an image depends on the others of its batch.

        Args:
            images: Several images.
            rounding: The difference, relative to the largest output, that rounding explains.
        """
        together = self.ask(images)
        alone = np.concatenate([self.ask(images[:1]), together[1:]])
        if _gap(alone, together) > rounding:
            raise ValueError(
                f"{self._call.name} answers an image otherwise alone than beside others, so no "
                "attack on one image can be judged. Call its BatchNormalization with "
                "training=False, and take means over the axes of an image alone."
            )

    def check_draws(self, images: np.ndarray) -> None:
        """Raises `ValueError` for a model that draws numbers where no compiled function sees it."""
        one, other = (self.own(images) for _ in range(2))
        if not np.allclose(one, other, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"{self._call.name} answers otherwise each time it is called, by numbers that it "
                "draws outside of TensorFlow, such as by numpy.random. A compiled attack would "
                "freeze one draw and flatter the model: draw with tf.random or keras.random in its "
                "layers."
            )


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, relative to the largest value; both may be infinite in one place."""
    differ = one != other
    finite = np.isfinite(other)
    largest = max(float(np.abs(other[finite]).max(initial=0.0)), TINY)
    return float(np.abs(one[differ] - other[differ]).max(initial=0.0)) / largest
