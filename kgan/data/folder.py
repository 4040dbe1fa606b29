"""Loads a folder of image files; its subfolders, if it has any, are the classes."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kgan.data.dataset import Dataset
from kgan.data.image_file import decode
from kgan.data.image_set import ImageSet
from kgan.data.listing import SPLITS, listing, splits, suffixes
from kgan.data.reading import Reading

DEFAULT_SIZE = 64
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What reading an image file may raise where the file is at fault."""


def load_folder(folder: str | Path, split: str = "train", **reading: Any) -> Dataset:
    """Loads every image below `folder`, resized with antialiasing to one size.

    Files are loaded in the order of their names; `kgan.data.image_file` says what becomes of each
    mode. If all files are grey the images are grey, otherwise all are colour. EXIF rotation is
    applied. Hidden files and folders are left out, and runs and exports inside are no data. Files
    that cannot be read are skipped with a warning that lists them; what else a user should know is
    in the data set's `notes`.

    Args:
        folder: The folder. If the images are in subfolders, each first-level subfolder is a class;
            images beside such subfolders are an error. Where the subfolders are called train, test
            or val they are splits, which hold images or classes in turn.
        split: Which of these; "train" alone for a folder without them.
        **reading: Fields of `kgan.data.Reading`; the size is 64 by default.

    Raises:
        FileNotFoundError: If the folder does not exist or holds no image.
        ValueError: If some images are in class folders and others are not, or where the range of
            their values must be declared.
    """
    folder = Path(folder)
    wanted = Reading(**reading)
    wanted = dataclasses.replace(wanted, image_size=wanted.image_size or DEFAULT_SIZE)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}.")
    found = listing(folder)
    if not found.files:
        rest = f"; {found.notes[0]}" if found.notes else ""
        raise FileNotFoundError(
            f"no image in {folder}: looked for {', '.join(_usual_suffixes())} and others in it and "
            f"its subfolders{rest}."
        )
    root, files, names = _of_split(folder, found.files, split)
    images, kept, unreadable = ImageSet(str(folder), wanted), [], []
    for path in files:
        told = path.relative_to(folder)
        try:
            images.add(str(told), decode(path))
            kept.append(path)
        except UNREADABLE as error:
            unreadable.append(f"{told} ({error})")
    if unreadable:
        warnings.warn(
            f"skipped {len(unreadable)} unreadable of {len(files)} files in {folder}: "
            + "; ".join(unreadable),
            stacklevel=2,
        )
    if not len(images):
        raise FileNotFoundError(f"none of the {len(files)} images in {folder} can be read.")
    labels, class_names = _classes(root, kept, names)
    if labels is not None and names is None:
        # The classes are numbered by those of the training split, so none may be lost there.
        own = _class_names(root, files) or ()
        if lost := sorted(set(own) - set(class_names or ())):
            raise ValueError(
                f"no image of the class {lost[0]!r} in {root} can be read, such as "
                f"{unreadable[0]}: mend its files, or move its folder away."
            )
    made = images.finish()
    return Dataset(
        str(folder),
        made.samples,
        labels,
        class_names,
        made.kind,
        exact=made.exact,
        unreadable=tuple(unreadable),
        notes=(*made.notes, *found.notes),
    )


def folder_splits(folder: Path) -> tuple[str, ...]:
    """The splits that a folder's subfolders are, of "train", "val" and "test"; none is usual."""
    return tuple(splits(folder, listing(folder).files))


def _usual_suffixes() -> list[str]:
    usual = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
    return [suffix for suffix in usual if suffix in suffixes()]


def _of_split(
    folder: Path, files: tuple[Path, ...], split: str
) -> tuple[Path, tuple[Path, ...], tuple[str, ...] | None]:
    """The folder of a split, its files, and the classes of the training split, if it has some."""
    there = splits(folder, files)
    name = next((one for one, words in SPLITS.items() if split.lower() in words), split)
    if name not in there:
        if not there and name == "train":
            return folder, files, None
        have = (
            f"its splits are {', '.join(there)}"
            if there
            else ("it has no folders train, test or val, so train is all of it")
        )
        raise ValueError(f"split of {folder} cannot be {split!r}: {have}.")

    def of(one: str) -> tuple[Path, tuple[Path, ...]]:
        root = folder / there[one]
        return root, tuple(path for path in files if root in path.parents)

    names = None
    if "train" in there and name != "train":
        names = _class_names(*of("train"))
    return (*of(name), names)


def _class_names(folder: Path, files: tuple[Path, ...]) -> tuple[str, ...] | None:
    parts = [path.relative_to(folder).parts for path in files]
    return tuple(sorted({one[0] for one in parts if len(one) > 1})) or None


def _classes(
    folder: Path, files: list[Path], names: tuple[str, ...] | None
) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """Labels and the names of classes, which another split may have given."""
    parts = [path.relative_to(folder).parts for path in files]
    loose = [path for path, one in zip(files, parts, strict=True) if len(one) == 1]
    if len(loose) == len(files):
        return None, None
    if loose:
        raise ValueError(
            f"{folder} holds {len(files) - len(loose)} images in class folders and {len(loose)} "
            f"beside them (such as {loose[0].name}): move those into a class folder, or away."
        )
    own = tuple(sorted({one[0] for one in parts}))
    if names is not None and (unknown := [name for name in own if name not in names]):
        raise ValueError(
            f"{folder} has the class {unknown[0]!r}, which the training split has not: its classes "
            f"are {', '.join(names)}."
        )
    names = names or own
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[one[0]] for one in parts], np.int32), names
