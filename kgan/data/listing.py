"""Which files below a folder are its images, and which of them belong to a split."""

import dataclasses
import functools
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""The splits that folders at the top may be, and what such folders are called."""

_SPLIT_OF = {word: split for split, words in SPLITS.items() for word in words}

# Folders of file servers and of archives, with thumbnails or what was deleted.
_OF_SERVERS = ("@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "lost+found", "__MACOSX")
# What Pillow lists beside images: documents, films and data that other programs draw.
_NO_IMAGES = ("EPS", "MPEG", "WMF", "BUFR", "GRIB", "HDF5", "IPTC")


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies below a folder.

    Attributes:
        names: The image files, below the folder and with slashes, in the order of their paths.
        stamps: Of each file its size and the times of its last change.
        size: Bytes of all files.
        notes: What is not read, and why, a line each.
    """

    names: tuple[str, ...]
    stamps: tuple[str, ...] = ()
    size: int = 0
    notes: tuple[str, ...] = ()


@functools.cache
def suffixes() -> frozenset[str]:
    """The suffixes of files that Pillow opens as images, in lower case."""
    known = Image.registered_extensions()
    # What opens JPEG files opens those of several pictures too.
    opened = {*Image.OPEN, "MPO"} - set(_NO_IMAGES)
    return frozenset(suffix for suffix, form in known.items() if form in opened)


def listing(folder: Path) -> Listing:
    """The images below a folder.

    Hidden files and folders are left out, and so are those of file servers, and runs and exports
    inside. A linked folder is read as if it lay there, but no folder is read twice.
    """
    walk = _Walk(folder)
    walk.run()
    # Folder by folder, as paths are sorted.
    names = sorted(walk.files, key=lambda name: name.split("/"))
    found = [walk.files[name] for name in names]
    return Listing(
        tuple(names),
        tuple(stamp for stamp, _ in found),
        sum(size for _, size in found),
        tuple(walk.notes(names)),
    )


def splits(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The splits of a folder's images: from a key of `SPLITS` to the subfolder's name.

    Nothing where images lie beside subfolders, or where a subfolder is called otherwise.
    """
    tops = {name.partition("/")[0] for name in names}
    if not tops or not all(top.lower() in _SPLIT_OF for top in tops):
        return {}
    if any("/" not in name for name in names):
        return {}
    found: dict[str, str] = {}
    for top in sorted(tops):
        split = _SPLIT_OF[top.lower()]
        if split in found:
            raise ValueError(f"{folder} holds {found[split]} and {top}, which mean the same split.")
        found[split] = top
    return found


class _Walk:
    """A walk through a folder: what is there first, then what is linked."""

    def __init__(self, folder: Path):
        self.folder = folder
        # The stamp and the size of each, by its name.
        self.files: dict[str, tuple[str, int]] = {}
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
        below = "" if folder == self.folder else f"{folder.relative_to(self.folder).as_posix()}/"
        for entry in found:
            if entry.name.startswith(".") or entry.name in _OF_SERVERS:
                continue
            suffix = os.path.splitext(entry.name)[1].lower()
            if _is_folder(entry):
                path = folder / entry.name
                self._tops.add(path.relative_to(self.folder).parts[0])
                if entry.is_symlink():
                    self._links.append(path)
                else:
                    self._seen.add(path.resolve())
                    self._read(path)
            elif suffix in suffixes():
                self.files[below + entry.name] = _stamp(entry)
            else:
                self._others[suffix or "no suffix"] += 1

    def notes(self, names: Sequence[str]) -> list[str]:
        notes = []
        if self._others:
            counts = ", ".join(f"{n} {suffix}" for suffix, n in self._others.most_common())
            notes.append(f"files that are not read as images: {counts}")
        if self._outputs:
            notes.append(f"runs and exports are no data: {self._named(self._outputs)}")
        if self._twice:
            notes.append(f"links to folders that are read already: {self._named(self._twice)}")
        full = {name.partition("/")[0] for name in names}
        full |= {path.relative_to(self.folder).parts[0] for path in [*self._outputs, *self._twice]}
        tops = {name.partition("/")[0] for name in names if "/" in name}
        called = sorted(top for top in tops if top.lower() in _SPLIT_OF)
        if len(called) > 1 and len(called) < len(tops):
            rest = ", ".join(sorted(tops - set(called))[:5])
            notes.append(
                f"{', '.join(called)} are classes and no splits here, as {rest} lie beside them: "
                "move those away if they are none"
            )
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


def _stamp(entry: os.DirEntry[str]) -> tuple[str, int]:
    """What tells a file from what it was before a change, and its size."""
    try:
        found = entry.stat()
    except OSError:
        # Such as a link to nothing; reading tells what is wrong.
        return "", 0
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}", found.st_size


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
