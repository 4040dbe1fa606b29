"""Checks, before the work starts, of what could fail at its end: folders, names, disk space."""

import contextlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import kgan.export
from kgan.files import bytes_in_words

# The last and the best state, and one that is being written.
_COPIES = 3

# What HDF5 adds, by files of 65 to 415 arrays: two groups a layer, and the head of an array.
_LAYER_BYTES, _ARRAY_BYTES = 2060, 345
# The groups of an optimizer and its configuration; what each file has besides.
_OPTIMIZER_BYTES, _FILE_BYTES = 3000, 3400


# Larger pictures are refused by many programs that would show them.
_PICTURE_PIXELS = 2**27


def check_count(n: int, shape: Sequence[int], *, picture: bool = False) -> None:
    """Raises where so many samples could not be held in memory until they are written.

    Args:
        n: How many.
        shape: Of one, float32.
        picture: Whether all are images (height, width, channels) of one picture.

    Raises:
        ValueError: If they are more than the machine's memory holds twice, or one picture.
    """
    each = 4 * math.prod(shape)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    most = max(1, memory // (2 * each))
    size = "x".join(map(str, shape))
    if n > most:
        raise ValueError(
            f"n must be at most {most:,} for samples of {size}, which are held in memory until all "
            f"are made, got {n:,}. Make fewer at a time, each time with another seed."
        )
    shown = max(1, _PICTURE_PIXELS // math.prod(shape[:2]))
    if picture and n > shown:
        raise ValueError(
            f"n must be at most {shown:,} for images of {size} in one picture, got {n:,}. Let out "
            "be a folder, or end in .npz."
        )


def check_folder(what: str, folder: Path) -> None:
    """Raises unless a folder can be written to, or be made.

    Args:
        what: The setting that names the folder, for an error.
        folder: The folder; it is not made.

    Raises:
        NotADirectoryError: If a file is in the way.
        PermissionError: If it cannot be written to.
    """
    there = _nearest(folder)
    if not there.is_dir():
        raise NotADirectoryError(f"{what} must be a folder, and {there} is a file: choose another.")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise PermissionError(
            f"{what} must be a folder to write to, and {there} is not ({error.strerror}): choose "
            "another."
        ) from error


def check_export(folder: Path, family: str) -> None:
    """Raises unless a model of a family can become the next version in a servable's folder.

    Args:
        folder: The servable's folder, `export_dir/NAME`.
        family: The model's family, as manifests have it.
    """
    check_folder("export_dir", folder)
    newest = kgan.export.versions.newest(folder)
    found = None
    if newest is not None:
        with contextlib.suppress(ValueError, OSError):
            found = kgan.export.manifest.read(newest).family
    if found not in (None, family):
        raise FileExistsError(
            f"{folder} holds versions of another model, of the family {found}: a server would "
            f"answer with the new one, a {family}. Choose a --name or an --export-dir."
        )


def check_file(what: str, path: Path) -> None:
    """Raises unless a file of that path can be written.

    Args:
        what: What names the file, for an error.
        path: The file.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{what} must be a file, and {path} is a folder: choose another.")
    check_folder(what, path.parent)


def check_space(model: Any, folder: Path) -> str:
    """Says how much the checkpoints take and how much is free.

    Args:
        model: The model, compiled.
        folder: The run's folder.

    Raises:
        OSError: If they do not fit.
    """
    size = checkpoint_bytes(model)
    free = shutil.disk_usage(_nearest(folder)).free
    if free < _COPIES * size:
        needed = bytes_in_words(_COPIES * size)
        raise OSError(
            f"{folder} has {bytes_in_words(free)} free, and its checkpoints need {needed}: "
            "make room, or choose another --runs-dir."
        )
    return f"checkpoints of {bytes_in_words(size)} each; {bytes_in_words(free)} free"


def checkpoint_bytes(model: Any) -> int:
    """How many bytes a `.keras` file of a model takes, to a tenth.

    Beside the values there are the groups of HDF5 for each layer and the configuration, which are
    most of a small model's file.
    """
    values = list(model.weights)
    beside = _FILE_BYTES
    for optimizer in _optimizers(model):
        if optimizer.built:
            values += optimizer.variables
            # Around another one it keeps that one's state both as its own and beside it.
            inner = getattr(optimizer, "inner_optimizer", None)
            values += [] if inner is None else inner.variables
        else:
            # It is built when training begins; Adam keeps two values for each that it trains.
            values += 2 * list(model.trainable_weights)
        beside += _OPTIMIZER_BYTES
    layers = len(list(model._flatten_layers()))
    config = json.dumps(keras.saving.serialize_keras_object(model.get_config()), default=str)
    groups = layers * _LAYER_BYTES + len(values) * _ARRAY_BYTES
    return sum(map(_bytes, values)) + groups + len(config) + beside


def _optimizers(model: Any) -> list[Any]:
    """A model's optimizers: those of its players, or the one that it was compiled with."""
    names = getattr(model, "optimizers", ("optimizer",))
    found = [getattr(model, name, None) for name in names]
    return [optimizer for optimizer in found if optimizer is not None]


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = folder.expanduser().absolute()
    while not path.exists():
        path = path.parent
    return path


def _bytes(variable: Any) -> int:
    return math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
