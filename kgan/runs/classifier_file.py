"""Classifiers in files: their names, loading them, and checks that they fit the data."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from kgan.attacks.input_range import check_range
from kgan.attacks.victim import Victim, victim_of
from kgan.data import Dataset
from kgan.hdf5 import check_readable
from kgan.labels import class_numbers
from kgan.models.saving import damaged
from kgan.names import printable
from kgan.settings import CLASSIFIER_PRESETS
from kgan.settings.groups import DeclaredVictim

# Number of images on which the range that a model takes is judged.
_JUDGED = 256


def new_name(folder: Path, name: str, *, data: str | None) -> str:
    """A name in a folder of classifiers under which nothing is replaced.

    Args:
        folder: The folder of the files NAME.keras.
        name: The name that was asked for.
        data: The data that a plain classifier is trained on; `None` for one that is hardened.

    Returns:
        The first of NAME, NAME-2, NAME-3, ... that is free.

    Raises:
        ValueError: If `kgan attack` would take the file for a preset's classifier.
    """
    if name in CLASSIFIER_PRESETS and data != CLASSIFIER_PRESETS[name].data:
        raise ValueError(
            f"name must not be {name}: kgan attack keeps a plain classifier of its own under it. "
            "Choose another --name."
        )
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    free = next(one for one in names if not (folder / f"{one}.keras").exists())
    if free != name:
        print(printable(f"{folder / name}.keras is kept; the new classifier will be {free}.keras"))
    return free


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
    check_readable(path)
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


def check_model_range(model: keras.Model | Victim, data: Dataset) -> None:
    """Raises `ValueError` where the model seems to take images in another range.

    Args:
        model: The model, which fits the data.
        data: Labelled images; without labels nothing is judged.
    """
    if data.labels is None:
        return
    few = data.take(np.linspace(0, len(data) - 1, min(len(data), _JUDGED)).astype(int))
    victim = victim_of(model, few.as_float())
    check_range(victim, few.as_float(), class_numbers(few.labels, len(few), victim.classes))
