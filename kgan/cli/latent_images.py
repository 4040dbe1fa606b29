"""The images that `kgan latents` looks for: those that are given, and held-out ones beside them."""

from typing import Any, NamedTuple

import numpy as np

import kgan.data
from kgan.cli.latent_view import View
from kgan.data import Dataset
from kgan.decoding.reading import channels_of
from kgan.labels import class_number, class_numbers
from kgan.runs.source import reading_of


class Wanted(NamedTuple):
    """Images to look for, n of them.

    Attributes:
        images: Float32 (n, height, width, channels) in [0, 1].
        labels: The model's numbers of their classes, int32 (n,), or `None` for a model without.
        known: What they are called.
        columns: Where each is in its row of the picture, int (n,).
    """

    images: np.ndarray
    labels: np.ndarray | None
    known: str
    columns: np.ndarray


def given(view: View) -> Wanted:
    """The images that the user names, or some of those that the run was trained on."""
    settings, n = view.settings, view.settings.n
    data, known = _images(view)
    if len(data) < n:
        print(f"{known}: {len(data)} image{'s' * (len(data) > 1)}, all that there are (--n {n})")
    rows = np.random.default_rng(settings.seed).permutation(len(data))[:n]
    labels = _classes(view, data, known, rows)
    return Wanted(data.some_as_float(rows), labels, known, np.arange(len(rows)))


def held_out(view: View, beside: Wanted) -> Wanted | None:
    """Images of the run's data that it was not trained on: what a new image can hope for.

    A generator may know the images of its training by heart. Of a conditional one each has the
    class of the image that it stands beside, as some are easier to find than others.

    Args:
        view: The GAN.
        beside: The images that they are beside; a column whose class has too few stays empty.

    Returns:
        The images; `None` where there are none, which is told.
    """
    try:
        data = _held_out_data(view)
        rows = np.random.default_rng(view.settings.seed).permutation(len(data))
        if beside.labels is None:
            columns = np.arange(min(len(beside.images), len(data)))
            rows = rows[: len(columns)]
        else:
            columns, rows = _alike(beside.labels, rows, _own_classes(view, data)[rows])
        if not len(rows):
            raise ValueError("none of them has these classes.")
        images = data.some_as_float(rows)
    except (ImportError, OSError, ValueError) as error:
        print(f"no held-out images beside: {error}")
        return None
    labels = None if beside.labels is None else beside.labels[columns]
    return Wanted(images, labels, f"held-out images of {data.name}", columns)


def _alike(
    labels: np.ndarray, rows: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For labels the first rows of the same class: the places of those that have one, and rows."""
    columns, found = [], []
    for label in np.unique(labels):
        places, own = np.flatnonzero(labels == label), rows[classes == label]
        columns.append(places[: len(own)])
        found.append(own[: len(places)])
    order = np.argsort(np.concatenate(columns))
    return np.concatenate(columns)[order], np.concatenate(found)[order]


def _held_out_data(view: View) -> Dataset:
    """The split that the run has not seen; raises `ValueError` where there is none."""
    run, recipe = view.source.run, view.source.recipe
    if run is None or recipe is None:
        raise ValueError("a .keras file does not tell its data, as a run folder does.")
    settings = recipe.settings
    split = _unseen(settings.data, settings.split)
    data = kgan.data.load(
        settings.data,
        split,
        data_dir=settings.data_dir,
        **reading_of(run),
    )
    _check_shape(view, data, f"the split {split} of {settings.data}")
    return data


def _unseen(name: str, split: str) -> str:
    other = kgan.data.held_out_split(name)
    if other is None:
        raise ValueError(f"{name} has no split test or val.")
    if split == other:
        return "train"
    # Not "all", nor "train+test".
    if not split.startswith("train") or other in split:
        raise ValueError(f"the run was trained on the split {split} of {name}.")
    return other


def _classes(view: View, data: Dataset, known: str, rows: np.ndarray) -> np.ndarray | None:
    """The classes of some of the images by the model's numbers, int32 (n,).

    Those that the user names, or else those of the images, by their names: a folder has an order of
    its own.

    Raises:
        ValueError: Where nothing tells the classes, or for one that the model has not.
    """
    if view.settings.labels or view.gan.num_classes is None:
        return view.labels(len(rows))
    if data.labels is None:
        raise ValueError(
            f"labels must be given for {known}, whose images have no classes, as the model makes "
            f"those of {view.gan.num_classes}. Say of which they are: --labels (several in turn), "
            "or put them into folders that are called as the classes are."
        )
    try:
        return _own_classes(view, data)[rows]
    except ValueError as error:
        raise ValueError(f"{error} Rename the folder, or say which: --labels.") from None


def _own_classes(view: View, data: Dataset) -> np.ndarray:
    """The classes of all images of a data set by the model's numbers, int32 (n,)."""
    classes, names = view.gan.num_classes, data.class_names or ()
    assert classes is not None
    if data.labels is None:
        raise ValueError(f"{data.name} has no classes.")
    numbers = [class_number(name, view.source.class_names, classes) for name in names]
    labels = np.array(numbers, np.int32)[data.labels] if names else data.labels
    return class_numbers(labels, len(data), classes)


def _images(view: View) -> tuple[Dataset, str]:
    path, run = view.settings.images, view.source.run
    if path is not None:
        height, width, channels = view.gan.sample_shape
        reading: dict[str, Any] = {} if run is None else reading_of(run)
        reading["image_size"] = (height, width)
        # Others than a model makes would be compared with each of its channels.
        reading["channels"] = reading.get("channels") or channels_of(channels)
        data = kgan.data.load_given(str(path.expanduser()), **reading)
        _check_shape(view, data, str(path))
        return data, str(path)
    if view.source.recipe is None:
        raise ValueError(
            "images must be given for a .keras file: a folder or file of them, or a picture."
        )
    return view.source.recipe.data(), "images of the training"


def _check_shape(view: View, data: Dataset, known: str) -> None:
    if data.sample_shape != view.gan.sample_shape:
        raise ValueError(
            f"images must have the shape {view.gan.sample_shape} that the model makes, got "
            f"{data.sample_shape} of {known}."
        )
