"""The inputs of a model that an attack leaves alone, and which rows of them an example has.

Examples leave the batch of a running attack, and some attacks ask about several images an example
at once. So the template says which rows of the data set the examples are (`rows`), the loop keeps
that up to date, and the model gets the values of these rows beside the images.
"""

import contextlib
import contextvars
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_ROWS: "contextvars.ContextVar[tf.Tensor | None]" = contextvars.ContextVar("rows", default=None)


@contextlib.contextmanager
def rows(indices: tf.Tensor | None) -> Iterator[None]:
    """Within this context the examples are these rows of the data set, int32 (batch,)."""
    token = _ROWS.set(indices)
    try:
        yield
    finally:
        _ROWS.reset(token)


class HeldInputs:
    """A model's inputs besides the images.

    Args:
        attacked: Name of the input that takes the images.
        values: By the names of the other inputs: arrays (n, ...) with a row for each image of the
            data set, in the order of `indices=`; or with a single row, which all images share.
    """

    def __init__(self, attacked: str, values: Mapping[str, Any]):
        self.attacked = attacked
        self.values = {name: np.asarray(value) for name, value in values.items()}
        for name, value in self.values.items():
            if value.ndim == 0 or len(value) == 0:
                raise ValueError(
                    f"held[{name!r}] must have a row for each image, or one for all, got the shape "
                    f"{value.shape}."
                )
        lengths = {len(value) for value in self.values.values()} - {1}
        if len(lengths) > 1:
            raise ValueError(f"held must have as many rows of each input, got {sorted(lengths)}.")
        self.count = lengths.pop() if lengths else None

    def check_model(self, model: keras.Model) -> None:
        """Raises `ValueError` where the model has other inputs, as far as it names them."""
        names = input_names(model)
        if names and set(names) != {self.attacked, *self.values}:
            raise ValueError(
                f"{model.name} takes the inputs {', '.join(names)}: name the attacked one, "
                f"input=, and give all others, held=, got input={self.attacked!r} and held="
                f"{sorted(self.values)}."
            )

    def check_rows(self, indices: np.ndarray) -> None:
        """Raises `ValueError` where an image has no row."""
        if self.count is not None and len(indices) and not indices.max() < self.count:
            raise ValueError(
                f"held has rows for {self.count} images, but an image has the index "
                f"{indices.max()}: give a row for each image of the data set, in its order."
            )

    def beside(self, model: keras.Model, images: tf.Tensor) -> Any:
        """What the model is called with: the images, and the held values of their rows."""
        indices = _ROWS.get()
        if indices is None:
            raise ValueError(
                f"{model.name} has held inputs, and nothing says which rows of them these images "
                "have: only attacks of kgan, run with indices=, and predict do."
            )
        # Several images of an example follow each other.
        indices = tf.repeat(indices, tf.shape(images)[0] // tf.maximum(tf.shape(indices)[0], 1))
        found = {self.attacked: images}
        for name, value in self.values.items():
            # Rows beyond the last only when the model is looked at, see `check_rows`.
            found[name] = tf.gather(tf.constant(value), indices % len(value))
        structure = getattr(model, "_inputs_struct", None)
        if structure is None:
            return found
        return keras.tree.map_structure(lambda one: found[one.name], structure)

    def __str__(self) -> str:
        return f"{self.attacked} is attacked, and {', '.join(self.values)} held"

    @property
    def digest(self) -> str:
        """A hash of the values, by which a stored result is known."""
        digest = hashlib.sha256()
        for name in sorted(self.values):
            digest.update(f"{name}{self.values[name].shape}".encode())
            digest.update(np.ascontiguousarray(self.values[name]).data)
        return digest.hexdigest()[:16]


def input_names(model: keras.Model) -> list[str]:
    """Names of a model's inputs; empty where it does not know them."""
    try:
        return [one.name for one in model.inputs or ()]
    except (AttributeError, ValueError):
        return []
