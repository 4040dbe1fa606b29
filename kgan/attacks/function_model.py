"""A classifier that is only a function: it answers, and shows no gradient."""

import contextlib
import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.labels import class_numbers


class FunctionModel(keras.Model):
    """A function from arrays to scores or to classes, as a model for attacks that only ask.

    It is called anew each time, so whatever answers behind it may change.

    Args:
        function: Takes a float32 array (n, ...) and returns scores (n, classes), or with `classes`
            class numbers (n,). One that takes uint8 says so: a `tf.function` by its signature,
            another by an attribute `input_dtype`.
        classes: Number of classes, where the function returns class numbers.
    """

    def __init__(self, function: Callable[[np.ndarray], Any], *, classes: int | None = None):
        super().__init__(name=getattr(function, "__name__", "function").strip("<>"))
        _check_threads()
        self.function = function
        self.classes = classes
        self.units = classes
        self.takes = _taken_by(function)
        # Why it did not answer; TensorFlow alone would tell it in a text of its own.
        self.error: Exception | None = None
        # What a stored result belongs to: nothing of a function can be compared, but of a file.
        self.identity = getattr(function, "identity", None) or str(uuid.uuid4())

    @property
    def input_shape(self) -> Any:
        """The shape (batch, ...) of the images, where the function says it."""
        shape = getattr(self.function, "input_shape", None)
        if shape is None:
            raise AttributeError(f"{self.name} does not say what it takes.")
        return shape

    def __call__(self, images: Any, training: bool = False) -> tf.Tensor:
        # Without Keras, which adds codes of colour to the function's errors.
        self.built = True
        return self.call(images)

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        if tf.executing_eagerly():
            return tf.constant(self.ask(np.asarray(images)))
        outputs = tf.numpy_function(self._ask_and_keep_error, [images], tf.float32, stateful=True)
        return tf.ensure_shape(outputs, [None, self.units])

    def _ask_and_keep_error(self, images: np.ndarray) -> np.ndarray:
        try:
            return self.ask(images)
        except Exception as error:
            self.error = error
            raise

    def ask(self, images: np.ndarray) -> np.ndarray:
        """The scores (n, units), where classes are returned one-hot."""
        answers = np.asarray(self.function(as_taken(images, self.takes)))
        if self.classes is not None:
            if answers.shape != (len(images),) or answers.dtype.kind not in "iu":
                raise ValueError(
                    f"{self.name} must return class numbers of shape ({len(images)},), as classes= "
                    f"says, returned {answers.dtype} of shape {answers.shape}."
                )
            # As an index, -1 would be the last class.
            numbers = class_numbers(
                answers, len(images), self.classes, what=f"class numbers that {self.name} returns"
            )
            return np.eye(self.classes, dtype=np.float32)[numbers]
        if answers.ndim != 2 or len(answers) != len(images) or answers.dtype.kind not in "fiu":
            told = f"{answers.dtype} of shape {answers.shape}"
            if answers.dtype.kind not in "fiu":
                first = next(iter(answers.ravel().tolist()), None)
                told = f"a {type(first).__name__} such as {str(first)[:40]!r}"
            raise ValueError(
                f"{self.name} must return scores of shape ({len(images)}, classes), returned "
                f"{told}. A function that returns class numbers goes in as "
                "kgan.attacks.Victim(function, classes=10)."
            )
        self.units = answers.shape[1]
        return answers.astype(np.float32)


def as_taken(images: np.ndarray, dtype: str) -> np.ndarray:
    """Images as a function of this dtype takes them; for uint8 rounded, where a cast would cut."""
    if dtype != "uint8":
        return images
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def _taken_by(function: Callable[[np.ndarray], Any]) -> str:
    """The dtype that a function says it takes: "uint8", or "float32" for all the others."""
    told = getattr(function, "input_dtype", None)
    if told is None:
        specs = tf.nest.flatten(getattr(function, "input_signature", None))
        told = getattr(specs[0], "dtype", None) if specs else None
    return "uint8" if told is not None and tf.as_dtype(told) == tf.uint8 else "float32"


@contextlib.contextmanager
def own_errors(model: keras.Model) -> Iterator[None]:
    """Within this context an error of a function is raised as the function raised it."""
    try:
        yield
    except tf.errors.OpError:
        error = getattr(model, "error", None)
        if not isinstance(error, Exception):
            raise
        model.error = None
        raise error from None


def _check_threads() -> None:
    """Warns where TensorFlow has one thread for operations, which the function's call holds."""
    threads = tf.config.threading.get_inter_op_parallelism_threads()
    threads = threads or int(os.environ.get("TF_NUM_INTEROP_THREADS") or 0) or _cores()
    if threads == 1:
        warnings.warn(
            "TensorFlow has one thread for operations (inter-op): a function that itself runs "
            "TensorFlow, as model.predict does, waits for itself for ever. Import kgan before the "
            "first model is made, or set TF_NUM_INTEROP_THREADS=2.",
            RuntimeWarning,
            stacklevel=4,
        )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
