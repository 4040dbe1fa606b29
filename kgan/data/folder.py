"""Loads a folder of image files; its subfolders, if it has any, are the classes."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgan.data.dataset import Dataset, check_class_name
from kgan.data.image_files import Classes, Labelled, gather, prepare
from kgan.data.listing import SPLITS, listing, splits, suffixes
from kgan.data.prepared import Made, key_of, prepared
from kgan.decoding.reading import Reading
from kgan.decoding.resize import as_pair

DEFAULT_SIZE = 64
# Files of so many bytes, and images of so many, are decoded in a moment.
FEW_FILE_BYTES, FEW_BYTES = 16 * 2**20, 64 * 2**20


def load_folder(
    folder: str | Path, split: str = "train", *, least: int = 2, **reading: Any
) -> Dataset:
    """Loads every image below `folder`, resized with antialiasing to one size.

    Files are loaded in the order of their names; `kgan.decoding.image_file` says what becomes of
    each mode. If all files are grey the images are grey, otherwise all are colour. EXIF rotation is
    applied. Hidden files and folders are left out, and runs and exports inside are no data. Files
    that cannot be read are skipped with a warning that lists them; what else a user should know is
    in the data set's `notes`.

    Many or large files are decoded once, by several processes, into the cache folder
    (`kgan.data.prepared`); a process that is killed meanwhile leaves what it has done to the next.
    Where they are more than 256 MB there, they stay on disk, and batches are read from it.

    Args:
        folder: The folder. If the images are in subfolders, each first-level subfolder is a class;
            images beside such subfolders are an error. Where the subfolders are called train, test
            or val they are splits, which hold images or classes in turn.
        split: Which of these; "train" alone for a folder without them.
        least: How many images there must be, 2, or 1 where nothing is learnt from them.
        **reading: Fields of `kgan.data.Reading`; the size is 64 by default.

    Raises:
        FileNotFoundError: If the folder does not exist or holds no image.
        ValueError: If some images are in class folders and others are not, or where the range of
            their values must be declared.
        OSError: If they fit neither into the cache folder nor into memory.
    """
    folder = Path(folder)
    wanted = Reading(**reading)
    wanted = dataclasses.replace(wanted, image_size=wanted.image_size or DEFAULT_SIZE)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}.")
    found = listing(folder)
    if not found.names:
        rest = f"; {found.notes[0]}" if found.notes else ""
        raise FileNotFoundError(
            f"no image in {folder}: looked for {', '.join(_usual_suffixes())} and others in it and "
            f"its subfolders{rest}."
        )
    top, chosen, class_names = _of_split(folder, found.names, split)
    names = [found.names[row] for row in chosen]
    if len(names) < least:
        # A split is named, whose folder may be the one that is short.
        raise ValueError(
            f"{folder / top} holds {len(names)} image (such as {names[0]}); a data set needs at "
            f"least {least}."
        )
    # Refused before anything is decoded.
    _classes(folder, top, names, class_names)

    def classes(kept: list[str], unreadable: tuple[str, ...]) -> Labelled:
        _check_none_lost(folder, top, kept, names if class_names is None else [], unreadable)
        return _classes(folder, top, kept, class_names)

    data = None
    if len(names) > 1 and (found.size > FEW_FILE_BYTES or _size(names, wanted) > FEW_BYTES):
        stamps = [found.stamps[row] for row in chosen]
        data = _prepared(folder, split, names, stamps, class_names, wanted, classes)
    if data is None:
        got = gather(str(folder), folder, names, wanted)
        labels, own = classes(got.kept, got.unreadable)
        data = Dataset(
            str(folder),
            labels=labels,
            class_names=own,
            unreadable=got.unreadable,
            notes=got.notes,
            least=least,
            **got.fields,
        )
    if data.unreadable:
        warnings.warn(
            f"skipped {len(data.unreadable)} unreadable of {len(names)} files in {folder}: "
            + "; ".join(data.unreadable),
            stacklevel=2,
        )
    return dataclasses.replace(data, notes=(*data.notes, *found.notes))


def _prepared(
    folder: Path,
    split: str,
    names: list[str],
    stamps: list[str],
    class_names: tuple[str, ...] | None,
    reading: Reading,
    classes: Classes,
) -> Dataset | None:
    """The images in the cache; `None` where it cannot take them, but memory can."""
    name = str(folder)
    root = folder.resolve()
    key = key_of(reading, root, class_names, *names, *stamps)
    shape = "x".join(map(str, as_pair(reading.image_size)))  # type: ignore[arg-type]
    what = f"{root}, {split}, {shape}"

    def make(entry: Path) -> Made:
        return prepare(entry, name, root, names, reading, classes)

    # While they are decoded they are held twice.
    return prepared(name, key, what, len(names), make, memory=2 * _size(names, reading))


def _size(names: Sequence[str], reading: Reading) -> int:
    """Bytes of so many colour images."""
    height, width = as_pair(reading.image_size)  # type: ignore[arg-type]
    return len(names) * height * width * 3


def folder_splits(folder: Path) -> tuple[str, ...]:
    """The splits that a folder's subfolders are, of "train", "val" and "test"; none is usual."""
    return tuple(splits(folder, listing(folder).names))


def _usual_suffixes() -> list[str]:
    usual = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
    return [suffix for suffix in usual if suffix in suffixes()]


def _of_split(
    folder: Path, names: Sequence[str], split: str
) -> tuple[str, list[int], tuple[str, ...] | None]:
    """The subfolder of a split, the numbers of its files, and the classes of the training split.

    The subfolder is empty where there are no splits, or ends in a slash; the classes are `None`
    where the split's own count.
    """
    there = splits(folder, names)
    name = next((one for one, words in SPLITS.items() if split.lower() in words), split)
    if name not in there:
        if not there and name == "train":
            return "", list(range(len(names))), None
        have = (
            f"its splits are {', '.join(there)}"
            if there
            else ("it has no folders train, test or val, so train is all of it")
        )
        raise ValueError(f"split of {folder} cannot be {split!r}: {have}.")
    top = f"{there[name]}/"
    class_names = None
    if "train" in there and name != "train":
        class_names = _class_names(f"{there['train']}/", names)
    return top, [row for row, one in enumerate(names) if one.startswith(top)], class_names


def _class_names(top: str, names: Sequence[str]) -> tuple[str, ...] | None:
    """The folders directly below one, which hold files."""
    below = (name[len(top) :].partition("/") for name in names if name.startswith(top))
    return tuple(sorted({first for first, slash, _ in below if slash})) or None


def _classes(
    folder: Path,
    top: str,
    kept: Sequence[str],
    class_names: tuple[str, ...] | None,
) -> Labelled:
    """Labels and the names of classes, which another split may have given."""
    root = folder / top if top else folder
    parts = [name[len(top) :].partition("/") for name in kept]
    loose = [first for first, slash, _ in parts if not slash]
    if len(loose) == len(kept):
        return None, None
    if loose:
        raise ValueError(
            f"{root} holds {len(kept) - len(loose)} images in class folders and {len(loose)} "
            f"beside them (such as {loose[0]}): move those into a class folder, or away."
        )
    own = tuple(sorted({first for first, _, _ in parts}))
    if class_names is not None and (unknown := [one for one in own if one not in class_names]):
        raise ValueError(
            f"{root} has the class {unknown[0]!r}, which the training split has not: its classes "
            f"are {', '.join(class_names)}."
        )
    names = class_names or own
    for name in names:
        check_class_name(str(folder), name)
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[first] for first, _, _ in parts], np.int32), names


def _check_none_lost(
    folder: Path, top: str, kept: Sequence[str], names: Sequence[str], unreadable: Sequence[str]
) -> None:
    """The classes are numbered by those of the training split, so none may be lost there."""
    lost = sorted(set(_class_names(top, names) or ()) - set(_class_names(top, kept) or ()))
    if lost:
        raise ValueError(
            f"no image of the class {lost[0]!r} in {folder / top} can be read, such as "
            f"{unreadable[0]}: mend its files, or move its folder away."
        )
