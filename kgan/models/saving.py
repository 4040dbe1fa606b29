"""Loads a model from its file; fails if any part of its state is missing."""

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras


def load(path: str | Path) -> keras.Model:
    """Loads a kgan model from a `.keras` file, with the state of all optimizers.

    Raises:
        FileNotFoundError: Where there is no such file.
        ValueError: Where any state in the file cannot be restored.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no saved model at {path}.")
    # A file names its layers, and importing them is what makes the names known.
    importlib.import_module("kgan.networks")
    with _strict(path):
        return keras.models.load_model(path)


def restore(gan: keras.Model, path: str | Path) -> None:
    """Sets every weight of `gan`, averaged and optimizers' ones included, from a `.keras` file.

    Raises:
        ValueError: Where any state in the file cannot be restored.
    """
    optimizer = getattr(gan, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        # A plain Keras model builds its optimizer at its first step, too late for its state.
        optimizer.build(gan.trainable_variables)
    with _strict(path):
        gan.load_weights(path)


@contextlib.contextmanager
def _strict(path: str | Path) -> Iterator[None]:
    """Makes a `ValueError` of whatever Keras says when some state is not restored."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*[Ss]kipping (variable|nested).*")
        try:
            yield
        except (UserWarning, ValueError, TypeError) as error:
            said = str(error).splitlines()[0][:200]
            raise ValueError(
                f"{path} does not fit this model: {said} It was written by "
                "another configuration, another version, or is damaged."
            ) from error
