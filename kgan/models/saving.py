"""Loads a model from its file; fails if any part of its state is missing."""

import contextlib
import importlib
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from kgan.hdf5 import check_readable

_UNKNOWN = re.compile(r"Could not locate (class|function) '([^']+)'")
_CAUSE = "Exception encountered: "


def load(
    path: str | Path,
    custom_objects: Mapping[str, Any] | None = None,
    *,
    safe_mode: bool = True,
) -> keras.Model:
    """Loads a kgan model from a `.keras` file, with the state of all optimizers.

    Args:
        path: The file.
        custom_objects: Layers, losses and whatever else of the user's own the file needs, by name,
            where they were not registered with `keras.saving.register_keras_serializable`.
        safe_mode: Whether a Lambda layer, which may run any code, is refused.

    Raises:
        FileNotFoundError: Where there is no such file.
        ValueError: Where the file needs what is not known, or any state in it cannot be restored.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no saved model at {path}.")
    # A file names its layers, and importing them is what makes the names known.
    importlib.import_module("kgan.networks")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_strict(path))
        if custom_objects:
            # Optimizers are made after the model, and Keras hands nothing on to them.
            stack.enter_context(keras.saving.custom_object_scope(dict(custom_objects)))
        return keras.saving.load_model(path, safe_mode=safe_mode)


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
        check_readable(path)
        try:
            yield
        except (UserWarning, ValueError, TypeError) as error:
            raise ValueError(_said(path, str(error).strip())) from error
        except Exception as error:
            raise damaged(path, error) from error


def damaged(path: str | Path, error: Exception) -> Exception:
    """What to raise for an error that nobody meant to raise when a file was read.

    Of the file system's errors, which tell about a path, the same one.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error
    said = " ".join(str(error).split())[:200] or "no message"
    return ValueError(
        f"{path} cannot be loaded: it is damaged, or has layers that cannot be made. "
        f"{type(error).__name__}: {said}"
    )


def _said(path: str | Path, message: str) -> str:
    """What is wrong with a file, in Keras's words where there are no better ones."""
    unknown = _UNKNOWN.search(message)
    if unknown is not None:
        what, name = unknown.groups()
        short = name.rpartition(">")[2]
        return (
            f"{path} needs the {what} {short!r}, which is not known here: pass "
            f"custom_objects={{{short!r}: {short}}}, or import the module that registers it."
        )
    # Around the cause Keras puts the whole configuration of each model that holds it.
    cause = message.rpartition(_CAUSE)[2]
    return (
        f"{path} does not fit this model: another configuration or another version of kgan wrote "
        f"it, or it is damaged. {cause}"
    )
