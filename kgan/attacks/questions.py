"""Asks a model about a few images, outside of an attack, and compares its answers."""

from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks import head as heads
from kgan.attacks.model_call import ModelCall
from kgan.attacks.reading import TINY

# Images that the model itself is asked about at a time, outside of a graph.
_AT_A_TIME = 32
# Rows asked about several times, to see whether the answers differ.
_ASKED_AGAIN = 16


class Questions:
    """A model's answers to some images, compiled as an attack gets them, and its own.

    Args:
        call: The model.
        functions: Where compiled functions are kept; emptied by the owner when the model changes.
    """

    def __init__(self, call: ModelCall, functions: dict[Any, Any]):
        self._call = call
        self._functions = functions

    def ask(self, images: np.ndarray) -> np.ndarray:
        """The compiled model's outputs for a few images, as a float32 array (n, units)."""
        shape = tuple(images.shape[1:])
        if ("ask", shape) not in self._functions:
            found: list[str] = []

            @tf.function(
                autograph=False, input_signature=[tf.TensorSpec([None, *shape], tf.float32)]
            )
            def ask(images):
                outputs = self._call.outputs_without_trace(images)
                found[:] = [heads.ending(outputs).kind]
                return tf.cast(outputs, tf.float32)

            self._functions["ask", shape] = ask.get_concrete_function()
            self._functions["end", shape] = found
        outputs = self._functions["ask", shape](tf.constant(images)).numpy()
        if outputs.ndim > 2 or (outputs.ndim == 2 and outputs.shape[1] == 0):
            raise ValueError(
                f"{self._call.name} must return one row of class scores for an image, "
                f"got an output of shape {outputs.shape}."
            )
        return outputs.reshape(len(images), -1)

    def ending(self, shape: tuple[int, ...]) -> str:
        """How the graph ends that `ask` has compiled for images of this shape."""
        return self._functions["end", tuple(shape)][0]

    def own(self, images: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
        """The model's own outputs for any number of images, were they brought into these bounds."""
        starts = range(0, len(images), _AT_A_TIME)
        return np.concatenate(
            [self._call.own_outputs(images[i : i + _AT_A_TIME], bounds) for i in starts]
        )

    def compare(self, images: np.ndarray) -> tuple[np.ndarray, float]:
        """The compiled model's outputs, and how much its answers differ from the model's own."""
        compiled = self.ask(images)
        own = self._call.own_outputs(images).reshape(compiled.shape)
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

    def check_draws(self, images: np.ndarray) -> None:
        """Raises `ValueError` for a model that draws numbers where no compiled function sees it."""
        one, other = (self._call.own_outputs(images) for _ in range(2))
        if not np.allclose(one, other, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"{self._call.name} answers otherwise each time it is called, by numbers that it "
                "draws outside of TensorFlow, such as by numpy.random. A compiled attack would "
                "freeze one draw and flatter the model: draw with tf.random or keras.random in its "
                "layers."
            )


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    largest = max(float(np.abs(other).max(initial=0.0)), TINY)
    return float(np.abs(one - other).max(initial=0.0)) / largest
