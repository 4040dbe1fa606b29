"""Calls a model on images in [0, 1] without leaving a trace in it, and picks its class scores."""

import contextlib
import dataclasses
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.function_model import FunctionModel
from kgan.attacks.held_inputs import HeldInputs, input_names, rows
from kgan.attacks.intake import Intake, input_dtype


@contextlib.contextmanager
def compiling(name: str) -> Iterator[None]:
    """Within this context a model is traced; says what to do where that cannot be."""
    try:
        yield
    except (AttributeError, NotImplementedError, TypeError) as error:
        # Keras colours the error, and adds the arguments.
        said = re.sub("\x1b\\[[0-9;]*m", "", str(error)).split("\n\nArguments")[0]
        said = said.split("\n\n")[-1].rstrip(".")
        raise ValueError(
            f"{name} cannot be compiled, as attacks that follow gradients need it: {said}. Write "
            "its call with keras.ops or TensorFlow alone; or let attacks only ask it, "
            "kgan.attacks.Victim(lambda images: model(images).numpy())."
        ) from error


class ModelCall:
    """A model, what it takes, and which of its outputs are the class scores.

    Args:
        model: The model.
        intake: The conversion of images in [0, 1] to what it takes.
        output: Name or number of the class scores among several outputs; `None` for one output.
        held: The inputs besides the images; `None` for a model that takes images alone.
    """

    def __init__(
        self,
        model: keras.Model,
        intake: Intake,
        output: str | int | None = None,
        held: HeldInputs | None = None,
    ):
        self.name = model.name
        self.intake = intake
        self.output = output
        self.held = held
        self._model: Callable[[], keras.Model | None] = lambda: model
        self._seeds: list[keras.Variable] = []
        self._draws = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def model(self) -> keras.Model:
        """The model itself.

        Raises:
            ReferenceError: When it is held weakly, and gone.
        """
        model = self._model()
        if model is None:
            raise ReferenceError(f"the model {self.name} is gone.")
        return model

    def hold_weakly(self) -> None:
        """Lets the model go when nobody else holds it."""
        self._model = weakref.ref(self.model)

    @property
    def image_shape(self) -> tuple[int | None, ...] | None:
        """The shape of one image, channels last; `None` where the model does not know it."""
        expected = self._input_shape
        if not isinstance(expected, tuple) or not expected or isinstance(expected[0], tuple):
            return None
        shape = expected[1:]
        return shape[1:] + shape[:1] if self.intake.layout == "channels_first" else shape

    @property
    def batch(self) -> int | None:
        """The only number of images that the model takes at a time; `None` for any."""
        expected = self._input_shape
        return expected[0] if isinstance(expected, tuple) and expected else None

    @property
    def _input_shape(self) -> Any:
        """The shape (batch, ...) of the images that the model takes; `None` where it is unknown."""
        try:
            if self.held is not None:
                place = input_names(self.model).index(self.held.attacked)
                return tuple(self.model.inputs[place].shape)
            return self.model.input_shape
        except (AttributeError, ValueError):
            return None  # A subclassed model may not know its input shape.

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` where the model does not take images of this shape (batch, ...)."""
        for name in ("mean", "std"):
            values = getattr(self.intake, name)
            if values is not None and len(values) not in (1, shape[-1]):
                raise ValueError(
                    f"{name} must be a number or one for each of the {shape[-1]} channels of "
                    f"images (channels last), got {len(values)}."
                )
        shape = (shape[0], *self.intake.shape(shape[1:]))
        expected = self._input_shape
        if expected is None:
            return
        if isinstance(expected, dict) and len(expected) == 1:
            (expected,) = expected.values()
        if not isinstance(expected, tuple) or len(expected) == 0 or isinstance(expected[0], tuple):
            names = ", ".join(input_names(self.model))
            raise ValueError(
                f"{self.name} must take one tensor of images, takes {expected}. Attack one of its "
                f"inputs ({names}) and hold the others: kgan.attacks.Victim(model, input=..., "
                "held={name: values})."
            )
        if not _fits(expected, shape):
            turned = (shape[0], shape[-1], *shape[1:-1])
            hint = (
                " Its channels come first? Declare it: --data-format channels_first, or "
                'kgan.attacks.Victim(model, data_format="channels_first").'
            )
            raise ValueError(
                f"images must have the shape {expected} that {self.name} takes, got {shape}."
                + (hint if _fits(expected, turned) else "")
            )

    # Calling it

    def outputs(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """The class scores as the model gives them, for images in [0, 1]."""
        return self.select(self._answer(images, training))

    def outputs_without_trace(self, images: tf.Tensor) -> tf.Tensor:
        """The same at inference, in graph mode, without a change of the model's variables."""
        with keras.StatelessScope(state_mapping=self._fresh_seeds()):
            # The gradient of a reshape has a shape, also where that of a tf.py_function has none.
            return self.outputs(tf.reshape(images, tf.shape(images)))

    def own_outputs(self, images: np.ndarray, bounds: tuple[float, float] | None = None) -> Any:
        """The same as the model itself answers, called eagerly.

        Args:
            images: float32 (n, ...) in [0, 1].
            bounds: What black and white become, in place of the intake's.

        Returns:
            float32 array.
        """
        intake = self.intake if bounds is None else dataclasses.replace(self.intake, bounds=bounds)
        with keras.StatelessScope():
            taken = intake(tf.constant(images))
            if intake.whole:
                taken = tf.cast(taken, input_dtype(self.model))
            outputs = self.model(self._beside(taken), training=False)
            return np.asarray(tf.cast(self.select(outputs), tf.float32))

    def _answer(self, images: tf.Tensor, training: bool) -> Any:
        model = self.model
        taken = self.intake(images)
        # A function has no gradient that a cast could stop.
        if not self.intake.whole or isinstance(model, FunctionModel):
            return model(self._beside(taken), training=training)
        # Called as a whole, the model would cast its input, which no gradient passes.
        if training:
            raise ValueError(
                f"{self.name} takes whole numbers: make it anew with a float32 input to train it "
                "against attacks."
            )
        outputs = getattr(model, "_outputs_struct", model.outputs)
        found = keras.Function(model.inputs, outputs)([taken])
        return found[0] if isinstance(found, list | tuple) and len(found) == 1 else found

    def _beside(self, taken: tf.Tensor) -> Any:
        if self.held is not None:
            return self.held.beside(self.model, taken)
        structure = getattr(self.model, "_inputs_struct", None)
        # A single input may have a name.
        return dict.fromkeys(structure, taken) if isinstance(structure, dict) else taken

    def select(self, outputs: Any) -> tf.Tensor:
        """The class scores in what the model returns."""
        if isinstance(outputs, tf.Tensor):
            if self.output is not None:
                raise ValueError(
                    f"output must be left out: {self.name} has one, got {self.output!r}."
                )
            return outputs
        known = self.named(outputs)
        if self.output is None and len(outputs) == 1:
            (only,) = outputs.values() if isinstance(outputs, dict) else outputs
            return only
        if self.output not in known:
            raise ValueError(
                f"{self.name} must return one tensor, got {type(outputs).__name__}. Choose the "
                f"class scores, output={' or '.join(map(repr, known)) or 'name'}: --output NAME, "
                "or kgan.attacks.Victim(model, output=...), or wrap it in a keras.Model that "
                "returns them alone."
            )
        return known[self.output]

    def named(self, values: Any) -> dict[Any, Any]:
        """One value for each output, by the output's name and number as far as it has them."""
        if isinstance(values, dict):
            return dict(values)
        if not isinstance(values, list | tuple):
            return {}
        names = getattr(self.model, "output_names", None) or ()
        return dict(enumerate(values)) | dict(zip(names, values, strict=False))

    # Its randomness

    def find_seeds(self, shape: tuple[int, ...], *, has_own_code: bool) -> None:
        """Finds the seeds that the model advances when asked, whether it tracks them or not.

        Args:
            shape: Shape of one image.
            has_own_code: Whether some layers are the user's own.
        """
        signature = tf.TensorSpec([None, *shape], tf.float32)
        assigned: list[keras.Variable] = []

        def call(images: tf.Tensor) -> None:
            with rows(tf.range(tf.shape(images)[0])):
                self.outputs(images)

        def record(images: tf.Tensor) -> None:
            with _Recording(assigned):
                call(images)

        if has_own_code:
            # A compiled function inside the model must be traced outside of a scope first, or its
            # trace would hold what the scope put in the variables' places.
            with compiling(self.name):
                tf.function(call, autograph=False).get_concrete_function(signature)
        tf.function(record, autograph=False).get_concrete_function(signature)
        known = {id(one): one for one in (*self.model.variables, *assigned)}
        self._seeds = [one for one in known.values() if one.path.endswith("seed_generator_state")]

    def _fresh_seeds(self) -> list[tuple[keras.Variable, tf.Tensor]]:
        if not self._seeds:
            return []
        count = tf.cast(self._draws.assign_add(1), tf.uint32)
        return [
            (seed, tf.cast(tf.stack([count, tf.constant(number, tf.uint32)]), seed.dtype))
            for number, seed in enumerate(self._seeds)
        ]

    def rewind(self, start: tf.Tensor | int = 0) -> None:
        """Resets the seeds of a random model, so that its next draws are those after `start`."""
        if self._seeds:
            self._draws.assign(tf.cast(start, tf.int64) * 2**20)


def _fits(expected: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    """Whether images of this shape (batch, ...) are what is expected; `None` fits any size."""
    return len(expected) == len(shape) and all(
        want in (None, have) for want, have in zip(expected[1:], shape[1:], strict=True)
    )


class _Recording(keras.StatelessScope):
    """A scope that also tells which variables were assigned in it."""

    def __init__(self, assigned: list[keras.Variable]):
        super().__init__()
        self._assigned = assigned

    def add_update(self, update: tuple[keras.Variable, tf.Tensor]) -> None:
        self._assigned.append(update[0])
        super().add_update(update)
