"""Which files below a folder are its images, and which of them belong to a split."""

import dataclasses
import functools
import json
import os
from collections import Counter
from pathlib import Path

from PIL import Image

SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""The splits that folders at the top may be, and what such folders are called."""

# What Pillow lists beside images: documents, films and data that other programs draw.
_NO_IMAGES = ("EPS", "MPEG", "WMF", "BUFR", "GRIB", "HDF5", "IPTC")


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies below a folder.

    Attributes:
        files: The image files, in the order of their paths.
        notes: What is not read, and why, a line each.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@functools.cache
def suffixes() -> frozenset[str]:
    """The suffixes of files that Pillow opens as images, in lower case."""
    known = Image.registered_extensions()
    return frozenset(
        suffix for suffix, form in known.items() if form in Image.OPEN and form not in _NO_IMAGES
    )


def listing(folder: Path) -> Listing:
    """The images below a folder.

    Hidden files and folders are left out, and so are runs and exports inside. A linked folder is
    read as if it lay there, but no folder is read twice.
    """
    walk = _Walk(folder)
    walk.run()
    files = tuple(sorted(walk.files))
    return Listing(files, tuple(walk.notes(files)))


def splits(folder: Path, files: tuple[Path, ...]) -> dict[str, str]:
    """The splits of a folder's images: from a key of `SPLITS` to the subfolder's name.

    Nothing where images lie beside subfolders, or where a subfolder is called otherwise.
    """
    tops = {path.relative_to(folder).parts[0] for path in files}
    names = {name: split for split, all_names in SPLITS.items() for name in all_names}
    if not tops or not all(top.lower() in names for top in tops):
        return {}
    if any(path.parent == folder for path in files):
        return {}
    found: dict[str, str] = {}
    for top in sorted(tops):
        split = names[top.lower()]
        if split in found:
            raise ValueError(f"{folder} holds {found[split]} and {top}, which mean the same split.")
        found[split] = top
    return found


class _Walk:
    """A walk through a folder: what is there first, then what is linked."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: list[Path] = []
        self._links: list[Path] = []
        self._others: Counter[str] = Counter()
        self._outputs: list[Path] = []
        self._twice: list[Path] = []
        self._tops: set[str] = set()
        root = folder.resolve()
        self._seen = {root}
        self._around = set(root.parents)

    def run(self) -> None:
        self._read(self.folder)
        while self._links:
            links, self._links = sorted(self._links), []
            for link in links:
                target = link.resolve()
                # A link to a folder around this one would lead back here.
                if target in self._seen or target in self._around:
                    self._twice.append(link)
                else:
                    self._seen.add(target)
                    self._read(link)

    def _read(self, folder: Path) -> None:
        if folder != self.folder and is_output(folder):
            self._outputs.append(folder)
            return
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = folder / entry.name
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                self._tops.add(path.relative_to(self.folder).parts[0])
                if entry.is_symlink():
                    self._links.append(path)
                else:
                    self._seen.add(path.resolve())
                    self._read(path)
            elif path.suffix.lower() in suffixes():
                self.files.append(path)
            else:
                self._others[path.suffix.lower() or "no suffix"] += 1

    def notes(self, files: tuple[Path, ...]) -> list[str]:
        notes = []
        if self._others:
            counts = ", ".join(f"{n} {suffix}" for suffix, n in self._others.most_common())
            notes.append(f"files that are not read as images: {counts}")
        if self._outputs:
            notes.append(f"runs and exports are no data: {self._named(self._outputs)}")
        if self._twice:
            notes.append(f"links to folders that are read already: {self._named(self._twice)}")
        full = {path.relative_to(self.folder).parts[0] for path in [*files, *self._outputs]}
        full |= {path.relative_to(self.folder).parts[0] for path in self._twice}
        if empty := sorted(self._tops - full):
            notes.append(f"folders without images are no classes: {', '.join(empty)}")
        return notes

    def _named(self, paths: list[Path]) -> str:
        names = [str(path.relative_to(self.folder)) for path in paths]
        return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself: no folder, and as a file one that cannot be read.
        return False


def is_output(folder: Path) -> bool:
    """Whether a folder is a run's, or an exported version."""
    if (folder / "saved_model.pb").is_file():
        return True
    path = folder / "config.json"
    if not path.is_file():
        return False
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # Other programs have files of that name too.
    return isinstance(content, dict) and isinstance(content.get("config"), dict)
