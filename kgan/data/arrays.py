"""Arrays in .npy and .npz files."""

import dataclasses
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kgan.data.stored
import kgan.kinds
from kgan.data.array_images import images_of
from kgan.data.array_source import FileSource, lies_ready, prepare_source
from kgan.data.dataset import Dataset
from kgan.data.prepared import Made, key_of, prepared, stamp
from kgan.decoding.reading import Reading
from kgan.labels import class_numbers

_SAMPLE_KEYS = ("images", "samples", "x", "x_{split}", "{split}_images", "points", "arr_0")
_UNNUMBERED = (
    "labels go from {} to {}, so that the classes from 0 to {} have no sample: classes are counted "
    "from 0, subtract the smallest label if yours are not"
)
_GAPS = (
    "{} of {} classes up to the largest label have no sample, from {} on, and what a model makes "
    "of them nobody taught it: number the classes without gaps, or give class_names for all"
)
_OF_SPLIT = re.compile(r"[xy]_(train|test|val\w*)|(train|test|val\w*)_(images|labels)")
_MAGIC = b"\x93NUMPY"
_LABEL_KEYS = ("labels", "y", "y_{split}", "{split}_labels", "arr_1")


def load_arrays(
    path: str | Path, split: str = "train", *, labelled: bool = True, **reading: Any
) -> Dataset:
    """Samples, and labels where there are any, from a .npy or .npz file.

    Arrays of shape (n, height, width[, channels]) are images, of shape (n, features) points. The
    type of images says which values are black and white: bool 0 and 1, uint8 0 and 255, uint16 0
    and 65,535, floats 0 and 1. Whole numbers of another type are bytes, in [0, 255]. Whatever lies
    outside is declared, with `value_range`.

    Args:
        path: A .npy file of samples, or an .npz file with one of `images`, `samples`, `x`,
            `x_SPLIT`, `SPLIT_images`, `points`, and optionally `labels`, `y`, `y_SPLIT`,
            `SPLIT_labels` (whole numbers, or one-hot rows) and `class_names`.
        split: Name of the split, which replaces SPLIT in these keys.
        labelled: Whether labels are read, where there are any.
        **reading: Fields of `kgan.data.Reading`.
    """
    path, wanted = Path(path), Reading(**reading)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    samples, labels, names, unused = _read(path, split)
    if not labelled:
        # Whoever reads the labels reads other arrays too.
        labels, unused = None, []
    kind = kgan.kinds.of_array(str(path), samples.shape)
    if samples.dtype.kind not in "bfiu":
        raise ValueError(f"samples of {path} must be numbers, got {samples.dtype}.")
    if isinstance(samples, FileSource):
        samples.shape = (samples.shape[0], *kind.shape)
        data = None
        if isinstance(kind, kgan.kinds.Images):
            kind.check(str(path), np.broadcast_to(np.uint8(0), samples.shape))
            data = _prepared(path, split, samples, kind, wanted)
        if data is not None:
            return _labelled(data, labels, names, unused)
        samples = np.concatenate([part.images for part in samples.parts(0)])
    samples = samples.reshape(-1, *kind.shape)
    if not isinstance(kind, kgan.kinds.Images):
        wanted.refuse(str(path), f"which holds {kind.plural}")
        return _labelled(Dataset(str(path), samples.astype(np.float32)), labels, names, unused)
    # Its layout is checked before its values.
    kind.check(str(path), np.broadcast_to(np.uint8(0), samples.shape))
    images = images_of(str(path), samples, wanted)
    return _labelled(Dataset(str(path), **images._asdict()), labels, names, unused)


def _prepared(
    path: Path, split: str, source: FileSource, kind: kgan.kinds.Images, reading: Reading
) -> Dataset | None:
    """The images on disk; `None` where the cache cannot take them, but memory can."""
    what = f"{path.resolve()}, {source.key or split}"

    def prepare(folder: Path) -> Made:
        if lies_ready(source, kind, reading):
            shown = dataclasses.replace(kind, shown=reading.shown)
            return Made(str(path.resolve()), shown)
        return prepare_source(folder, str(path), source, reading)

    key = key_of(reading, path.resolve(), source.key, stamp(path))
    memory = 8 * source.nbytes
    return prepared(str(path), key, what, source.shape[0], prepare, memory=memory)


def _labelled(
    data: Dataset,
    labels: np.ndarray | None,
    names: tuple[str, ...] | None,
    unused: Sequence[str],
) -> Dataset:
    if unused:
        note = f"arrays that nothing reads: {', '.join(unused)}"
        data = dataclasses.replace(data, notes=(*data.notes, note))
    if labels is None:
        return data
    # One-hot rows have a column for each class, also for those of which there is no sample.
    columns = labels.shape[1] if labels.ndim == 2 and labels.shape[1] > 1 else 0
    labels = class_numbers(labels, len(labels), what=f"labels of {data.name}")
    count = max(columns, int(labels.max(initial=0)) + 1)
    notes = data.notes
    without = np.setdiff1d(np.arange(count), labels)
    if len(labels) and labels.min() > 0:
        notes = (*notes, _UNNUMBERED.format(labels.min(), labels.max(), labels.min() - 1))
    elif len(without) and not columns and names is None:
        notes = (*notes, _GAPS.format(len(without), count, without[0]))
    names = names or tuple(str(label) for label in range(count))
    return dataclasses.replace(data, labels=labels, class_names=names, notes=notes)


def label_rows(path: str | Path, split: str) -> np.ndarray:
    """The labels of an .npz file that do not exclude each other.

    Returns:
        int32 (n, labels) of 0 and 1.
    """
    with np.load(path, allow_pickle=False) as content:
        keys = [key.format(split=split) for key in _LABEL_KEYS]
        found = next((content[key] for key in keys if key in content), None)
    if found is None:
        raise ValueError(f"{path} must hold labels as one of {', '.join(keys)}.")
    if found.ndim != 2 or not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"labels of {path} must be rows of 0 and 1, one for each label, got {found.dtype} of "
            f"the shape {found.shape}."
        )
    return found.astype(np.int32)


def rows_beside(path: str | Path, split: str, key: str, n: int) -> np.ndarray:
    """Another array of an .npz file, with a row for each sample, or one for all.

    Args:
        path: The file.
        split: Name of the split.
        key: Name of the array, which `_SPLIT` may follow, or `SPLIT_` precede.
        n: Number of samples.
    """
    with np.load(path, allow_pickle=False) as content:
        keys = [key, f"{key}_{split}", f"{split}_{key}"]
        found = next((content[one] for one in keys if one in content), None)
        if found is None:
            raise ValueError(
                f"{path} holds no array {', '.join(keys[:-1])} or {keys[-1]}; it holds "
                f"{', '.join(content.files)}."
            )
    if found.ndim == 0 or len(found) not in (1, n):
        raise ValueError(
            f"{key} of {path} must have a row for each of the {n} samples, or one for all, got the "
            f"shape {found.shape}."
        )
    return found


def has_split(path: Path, split: str) -> bool:
    """Whether a file has keys for this split, rather than one set for all splits."""
    if path.suffix.lower() != ".npz":
        return False
    with np.load(path, allow_pickle=False) as content:
        first = next((key for key in _SAMPLE_KEYS if key.format(split=split) in content), "")
    return "{split}" in first


def _read(
    path: Path, split: str
) -> tuple[np.ndarray | FileSource, np.ndarray | None, tuple[str, ...] | None, list[str]]:
    """Samples, labels, the names of the classes, and the arrays that no split has a use for.

    Many samples are not read yet.
    """
    sample_keys = [key.format(split=split) for key in _SAMPLE_KEYS]
    label_keys = [key.format(split=split) for key in _LABEL_KEYS]
    try:
        with open(path, "rb") as file:
            is_array = file.read(len(_MAGIC)) == _MAGIC
            source = FileSource(path) if is_array else None
            if source is not None and _is_large(source):
                return source, None, None, []
            file.seek(0)
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content, None, None, []
            keys = content.files
            wanted = [
                next((key for key in several if key in keys), "")
                for several in (sample_keys, label_keys, ["class_names"])
            ]
            first, *others = wanted
            source = FileSource(path, first) if first else None
            samples: Any = source
            if source is None or not _is_large(source):
                samples = content[first] if first else None
            labels, names = (content[key] if key else None for key in others)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        # NumPy names no file, and advises to trust whatever a file holds.
        said = str(error).split(". ")[0].rstrip(".")
        raise ValueError(
            f"{path} is not a readable .npy or .npz file of numbers: {said}."
        ) from error
    if samples is None:
        raise ValueError(
            f"{path} must hold one of {', '.join(sample_keys)}; it holds {', '.join(keys)}."
        )
    unused = [key for key in keys if key not in wanted and not _OF_SPLIT.fullmatch(key)]
    if labels is None or names is None:
        return samples, labels, None, unused
    return samples, labels, tuple(map(_text, names.ravel())), unused


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _is_large(source: FileSource) -> bool:
    return source.nbytes > kgan.data.stored.IN_MEMORY and len(source.shape) in (3, 4)
