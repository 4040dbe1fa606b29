"""Loading data by name, from a folder, from a file, or from tensorflow-datasets."""

from pathlib import Path

import kgan.names
from kgan.data.arrays import load_arrays
from kgan.data.breast_cancer import TARGET, load_breast_cancer
from kgan.data.dataset import Dataset
from kgan.data.digits import load_digits
from kgan.data.folder import load_folder
from kgan.data.resize import ImageSize
from kgan.data.stacked import load_stacked_mnist
from kgan.data.synthetic import load_grid, load_ring
from kgan.data.table import SUFFIXES, load_table
from kgan.data.tfds import load_tfds

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


def load(
    name: str,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    image_size: ImageSize | None = None,
    download: bool = False,
) -> Dataset:
    """Loads data by name, from a folder of images, from a file, or from tensorflow-datasets.

    Args:
        name: A key of `DATASETS` or `COMPOSED`; a folder; a .npy or .npz file; a table in a .csv or
            .parquet file; or an image-classification set of tensorflow-datasets ("mnist",
            "fashion_mnist", "cifar10", ...).
        split: "train", "test", ...; a folder has one split, "train".
        data_dir: Folder of the prepared sets of tensorflow-datasets; by default TFDS_DATA_DIR.
        image_size: Size to which images are resized with antialiasing, a side or (height, width).
        download: Whether tensorflow-datasets may download a set that is not prepared.

    Returns:
        A `Dataset`: uint8 images (or floats in [0, 1]) or points, and labels where there are any;
        or rows of a table.

    Raises:
        FileNotFoundError, ValueError: If the data cannot be loaded; the message says what to do.
    """
    if name in DATASETS or name in COMPOSED:
        if image_size is not None:
            raise ValueError(
                f"image_size must be left out for {name}, which has one size, got {image_size}."
            )
        if name in COMPOSED:
            return COMPOSED[name](split, data_dir=data_dir, download=download)
        return DATASETS[name](split)
    path = Path(name).expanduser()
    if path.suffix in (".npy", ".npz"):
        return load_arrays(path, split, image_size=image_size)
    if path.suffix in SUFFIXES:
        return load_table(path, split)
    if path.is_dir():
        if split != "train":
            raise ValueError(f"split of a folder must be train, got {split!r}.")
        return load_folder(path, image_size=image_size)
    if path.exists() or "/" in name:
        raise FileNotFoundError(
            f"data {name!r} must be a folder of images, or a .npy, .npz, .csv or .parquet file."
        )
    try:
        return load_tfds(
            name.replace("-", "_"),
            split,
            data_dir=data_dir,
            image_size=image_size,
            download=download,
        )
    except ValueError as error:
        known = [*DATASETS, *COMPOSED, "mnist", "fashion_mnist", "cifar10"]
        hint = kgan.names.suggestion(name, known)
        raise ValueError(f"{error}{hint}") from error
