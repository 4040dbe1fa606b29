"""Arrays in .npy and .npz files."""

import zipfile
from pathlib import Path

import numpy as np

import kgan.kinds
from kgan.data.dataset import Dataset
from kgan.data.resize import ImageSize, resize_batch
from kgan.labels import class_numbers

_SAMPLE_KEYS = ("images", "samples", "x", "x_{split}", "{split}_images", "points", "arr_0")
_LABEL_KEYS = ("labels", "y", "y_{split}", "{split}_labels", "arr_1")


def load_arrays(
    path: str | Path, split: str = "train", *, image_size: ImageSize | None = None
) -> Dataset:
    """Samples, and labels where there are any, from a .npy or .npz file.

    Args:
        path: A .npy file of samples, or an .npz file with one of `images`, `samples`, `x`,
            `x_SPLIT`, `SPLIT_images`, `points`, and optionally `labels`, `y`, `y_SPLIT`,
            `SPLIT_labels`.
        split: Name of the split, which replaces SPLIT in these keys.
        image_size: Size to which uint8 images are resized, a side or (height, width).

    Images are uint8 in [0, 255] or floats in [0, 1], shape (n, height, width[, channels]); arrays
    of shape (n, features) are points. Labels are whole numbers, or one-hot rows.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    samples, labels = _read(path, split)
    kind = kgan.kinds.of_array(str(path), samples.shape)
    samples = samples.reshape(-1, *kind.shape)
    if samples.dtype == bool:
        samples = samples.astype(np.uint8) * np.uint8(255)
    are_images = isinstance(kind, kgan.kinds.Images)
    if are_images and np.issubdtype(samples.dtype, np.integer):
        low, high = samples.min(initial=0), samples.max(initial=0)
        if low < 0 or high > 255:
            raise ValueError(
                f"whole-number images of {path} must be in [0, 255], got {low} to {high}."
            )
        samples = samples.astype(np.uint8)
    else:
        if samples.dtype.kind not in "fiu":
            raise ValueError(f"samples of {path} must be numbers, got {samples.dtype}.")
        samples = samples.astype(np.float32)
    if image_size is not None and are_images:
        if samples.dtype != np.uint8:
            raise ValueError(
                f"image_size resizes uint8 images; those of {path} are floats. "
                "Convert them to uint8 or resize them first."
            )
        samples = resize_batch(samples, image_size)
    if labels is None:
        return Dataset(str(path), samples)
    labels = class_numbers(labels, len(labels), what=f"labels of {path}")
    names = tuple(str(label) for label in range(int(labels.max(initial=0)) + 1))
    return Dataset(str(path), samples, labels, names)


def has_split(path: Path, split: str) -> bool:
    """Whether a file has keys for this split, rather than one set for all splits."""
    if path.suffix != ".npz":
        return False
    with np.load(path, allow_pickle=False) as content:
        first = next((key for key in _SAMPLE_KEYS if key.format(split=split) in content), "")
    return "{split}" in first


def _read(path: Path, split: str) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        with open(path, "rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content, None
            sample_keys = [key.format(split=split) for key in _SAMPLE_KEYS]
            label_keys = [key.format(split=split) for key in _LABEL_KEYS]
            found = next((key for key in sample_keys if key in content), None)
            if found is None:
                raise ValueError(
                    f"{path} must hold one of {', '.join(sample_keys)}; "
                    f"it holds {', '.join(content.files)}."
                )
            label_key = next((key for key in label_keys if key in content), None)
            return content[found], None if label_key is None else content[label_key]
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"{path} is not a readable .npy or .npz file: {error}.") from error
