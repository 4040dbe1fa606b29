"""Loading data by name, from a folder, from a file, or from tensorflow-datasets."""

import re
from pathlib import Path
from typing import Any

import kgan.names
from kgan.data.arrays import load_arrays
from kgan.data.breast_cancer import TARGET, load_breast_cancer
from kgan.data.dataset import Dataset
from kgan.data.digits import load_digits
from kgan.data.folder import load_folder
from kgan.data.stacked import load_stacked_mnist
from kgan.data.synthetic import load_grid, load_ring
from kgan.data.table import SUFFIXES, load_table
from kgan.data.tfds import load_tfds
from kgan.decoding.reading import Reading

DATASETS = {
    "digits": load_digits,
    "ring": load_ring,
    "grid": load_grid,
    "breast-cancer": load_breast_cancer,
}
"""The sets that need no files; every other name is a file, a folder, or tensorflow-datasets'."""

TARGETS = {"breast-cancer": TARGET}
"""Of tables, the category that is usually told from the other columns."""

COMPOSED = {"stacked-mnist": load_stacked_mnist}
"""The sets that are made of one of tensorflow-datasets'."""


# What a set of tensorflow-datasets may be called here; all else is meant as a path.
_CATALOGUE_NAME = re.compile(r"[\w-]+(:[\d.*]+)?")


def load(
    name: str,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    **reading: Any,
) -> Dataset:
    """Loads data by name, from a folder of images, from a file, or from tensorflow-datasets.

    Args:
        name: A key of `DATASETS` or `COMPOSED`; a folder; a .npy or .npz file; a table in a .csv or
            .parquet file; or an image-classification set of tensorflow-datasets ("mnist",
            "fashion_mnist", "cifar10", ...).
        split: "train", "test", ...; a folder has "train" alone, unless its subfolders are called
            train, test or val.
        data_dir: Folder of the prepared sets of tensorflow-datasets; by default TFDS_DATA_DIR.
        download: Whether tensorflow-datasets may download a set that is not prepared.
        **reading: Fields of `kgan.data.Reading`: `image_size`, `resize`, `channels`, `background`,
            `value_range`, `shown_channels`.

    Returns:
        A `Dataset`: uint8 images (or floats in [0, 1]) or points, and labels where there are any;
        or rows of a table.

    Raises:
        FileNotFoundError, ValueError: If the data cannot be loaded; the message says what to do.
    """
    wanted = Reading(**reading)
    if not name.strip():
        raise ValueError(
            f"data must be the name of a set, a folder or a file, got {name!r}; the folder that "
            "you are in is '.'."
        )
    if name in DATASETS or name in COMPOSED:
        if wanted.image_size is not None:
            raise ValueError(
                f"image_size must be left out for {name}, which has one size, "
                f"got {wanted.image_size}."
            )
        wanted.refuse(name, "which has one form", but=("resize", "background"))
        if name in COMPOSED:
            return COMPOSED[name](split, data_dir=data_dir, download=download)
        return DATASETS[name](split)
    path = Path(name).expanduser()
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz") and not path.is_dir():
        return load_arrays(path, split, **reading)
    if suffix in SUFFIXES and not path.is_dir():
        wanted.refuse(name, "which is a table")
        return load_table(path, split)
    if path.is_dir():
        return load_folder(path, split, **reading)
    if path.exists() or not _CATALOGUE_NAME.fullmatch(name):
        raise FileNotFoundError(_no_such_data(name, path))
    try:
        return load_tfds(
            name.replace("-", "_"), split, data_dir=data_dir, download=download, **reading
        )
    except ValueError as error:
        if "is neither" not in str(error):
            raise
        raise ValueError(f"{error}{_nearest(name, path)}") from error


def is_set(name: str) -> bool:
    """Whether `load` knows a set of this name, so that it is no path."""
    if name in DATASETS or name in COMPOSED:
        return True
    import tensorflow_datasets as tfds

    return name.partition(":")[0].replace("-", "_") in tfds.list_builders()


def _no_such_data(name: str, path: Path) -> str:
    allowed = "a folder of images, or a .npy, .npz, .csv or .parquet file"
    if path.exists():
        return f"data {name!r} must be {allowed}."
    if "\\" in name and (slashed := Path(name.replace("\\", "/")).expanduser()).exists():
        return f"no such folder: {name!r}. Did you mean {str(slashed)!r}?"
    return f"no such folder or file: {name!r}; data must be {allowed}.{_nearest(name, path)}"


def _nearest(name: str, path: Path) -> str:
    """What the user may have meant: a known set, or a neighbour of the path."""
    known = [*DATASETS, *COMPOSED, "mnist", "fashion_mnist", "cifar10"]
    if path.parent.is_dir():
        known += [str(one) for one in path.parent.iterdir() if not one.name.startswith(".")]
    return kgan.names.suggestion(name, known)
