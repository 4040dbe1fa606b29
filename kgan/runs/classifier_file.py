"""Loads a classifier from a file and checks that it fits the data."""

from collections.abc import Iterable
from pathlib import Path

import keras

from kgan.attacks.victim import Victim, victim_of
from kgan.data import Dataset
from kgan.models.saving import damaged
from kgan.settings.groups import DeclaredVictim


def load_classifier(path: Path, *, presets: Iterable[str] = ()) -> keras.Model:
    """Loads a classifier from a `.keras` or `.h5` file; errors say what to do instead.

    Args:
        path: Path of the file.
        presets: Names that the caller accepts in place of a path; the error lists them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file or folder holds no Keras model that can be loaded.
    """
    if any(path.glob("saved_model.pb")) or any(path.glob("*/saved_model.pb")):
        raise ValueError(
            f"model {path} is a SavedModel folder, from which no Keras model comes back. Save the "
            'model itself: model.save("model.keras"), and pass that file. (kgan attack takes the '
            "folder too, for attacks that only ask.)"
        )
    if not path.is_file() or path.suffix not in (".keras", ".h5"):
        names = ", ".join(presets)
        raise FileNotFoundError(
            f"model must be a .keras file{f' or one of {names}' if names else ''}, "
            f"got {str(path)!r}{'' if path.exists() else ', which is not there'}."
        )
    try:
        return keras.models.load_model(path, compile=False)
    except (TypeError, ValueError) as error:
        said = str(error).strip().splitlines() or ["no message"]
        raise ValueError(
            f"{path} cannot be loaded: {said[0]} (If it has layers of your own, call "
            "kgan.robustness.evaluate from Python, where they are known.)"
        ) from error
    except Exception as error:
        raise damaged(path, error) from error


def declared(model: keras.Model, settings: DeclaredVictim) -> keras.Model | Victim:
    """The model with what the settings declare of it."""
    return Victim(model, **settings.declared) if settings.declared else model


def check_fit(path: str | Path, model: keras.Model | Victim, data: Dataset) -> None:
    """Raises `ValueError` if the model takes other images or has fewer classes than the data."""
    try:
        victim = victim_of(model, data.take([0, 1]).as_float())
    except ValueError as error:
        raise ValueError(f"{path} and {data.name} do not fit: {error}") from error
    if data.num_classes is not None and data.num_classes > victim.classes:
        raise ValueError(
            f"{path} has {victim.classes} classes, but {data.name} has {data.num_classes}."
        )
