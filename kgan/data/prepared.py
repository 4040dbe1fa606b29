"""Prepared sets: what is slow to read is made once, kept in the cache folder, and found again.

An entry of the cache holds an array in a .npy file, of which batches are read row by row. Grain
with ArrayRecord, which the field uses for files that differ in size, was weighed: its records are
framed one by one, so that each step decodes its batch again, in worker processes that it needs for
that, and its order is a state of the loader. Here all images have one size, so the place of a row
follows from its number, and any row of any step is one read.

An entry has the folder of its files in its name, and of each file its name, its size and the times
of its last change: like git, this takes a file that has all of these as unchanged. A hash of the
contents would read all files at each start, 150 GB of some sets. The time of the last change of the
inode is among them since nobody can set it: archives unpack many files of one size and one date.
"""

import errno
import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import kgan.cache
import kgan.data.stored
import kgan.kinds
from kgan.data.dataset import Dataset
from kgan.data.stored import StoredImages
from kgan.decoding.array_file import ArrayFile
from kgan.decoding.reading import Reading
from kgan.files import bytes_in_words, remove_left_behind

FORMAT = 2
"""Grows whenever images are read otherwise, so that entries of earlier versions are not taken."""

_SECONDS = 0.2
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Cannot(OSError):
    """The cache folder cannot take a set; the message says why."""


class Made(NamedTuple):
    """What a preparation leaves in its entry.

    Attributes:
        file: Name of the array's file.
        kind: What a sample is.
        rounded: Whether samples are the file's floats rounded to 8 bits, and the floats `exact`.
        rows: Those of the file that are samples; all where `None`.
        labels: int32 of the samples, or `None`.
        class_names: Of the classes, or `None`.
        unreadable: Files that were left out, each with the reason.
        notes: What was done to the samples that a user should know, a line each.
    """

    file: str
    kind: kgan.kinds.Images
    rounded: bool = False
    rows: np.ndarray | None = None
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def key_of(reading: Reading, *parts: Any) -> str:
    """The name of an entry.

    Args:
        reading: How images are read.
        *parts: Whatever else the samples follow from.
    """
    told = [FORMAT, repr(reading), *map(str, parts)]
    return hashlib.sha256(json.dumps(told).encode(errors="surrogateescape")).hexdigest()[:32]


def stamp(path: Path) -> str:
    """What tells a file from what it was before a change."""
    found = os.stat(path)
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def prepared(
    name: str,
    key: str,
    what: str,
    count: int,
    prepare: Callable[[Path], Made],
    *,
    memory: float,
) -> Dataset | None:
    """A data set that lies in the cache, or is prepared there now.

    Where another process prepares the same set, its end is awaited. What a process that was killed
    has left is used.

    Args:
        name: Name of the data set.
        key: Of the entry, from `key_of`.
        what: What `kgan cache` is to tell of it.
        count: About how many samples there will be.
        prepare: Makes the samples, in the folder that it gets, and may find a part of them there.
        memory: Bytes that it takes to read the set into memory in place of this.

    Returns:
        The data set; `None`, with a warning, where the cache cannot take it but memory can.

    Raises:
        Cannot: Where neither can.
    """
    try:
        return _found_or_made(kgan.cache.sets_dir() / key, name, what, count, prepare)
    except Cannot as error:
        if not _fits_in_memory(memory):
            raise
        warnings.warn(f"{error} They are read into memory now.", stacklevel=4)
        return None


def _found_or_made(
    folder: Path, name: str, what: str, count: int, prepare: Callable[[Path], Made]
) -> Dataset:
    told = False
    while True:
        _make(folder)
        try:
            if kgan.cache.read_meta(folder) is None:
                with kgan.cache.in_use(folder, alone=True):
                    if kgan.cache.read_meta(folder) is None:
                        _prepare(folder, what, count, prepare)
            found = _open(folder, name)
        except BlockingIOError:
            if not told:
                print(f"{what}: another process prepares this set; waiting for it", flush=True)
            told = True
            time.sleep(_SECONDS)
            continue
        except FileNotFoundError:
            if folder.is_dir():
                raise
            # It was removed meanwhile.
            continue
        if found is not None:
            return found


def check_space(folder: Path, size: float) -> None:
    """Raises `Cannot` unless so many bytes more find place beside a folder."""
    free = shutil.disk_usage(folder).free
    if free < size:
        needed, there = bytes_in_words(size), bytes_in_words(free)
        raise Cannot(
            f"the prepared images need {needed} in {kgan.cache.cache_dir()}, whose disk has "
            f"{there} free: make room (kgan cache lists what lies there), name a folder on another "
            "disk with KGAN_CACHE, or choose smaller images."
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if kgan.cache.read_meta(folder) is None and not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise Cannot(
            f"the cache folder {kgan.cache.cache_dir()} cannot be written to ({error.strerror}): "
            "name another one with KGAN_CACHE."
        ) from error


def _prepare(folder: Path, what: str, count: int, prepare: Callable[[Path], Made]) -> None:
    remove_left_behind(folder, all_of_them=True)
    try:
        kgan.cache.write_json(folder / kgan.cache.BEGUN, {"what": what, "count": count})
        made = prepare(folder)
        for name, array in (("rows", made.rows), ("labels", made.labels)):
            if array is not None:
                np.save(folder / f"{name}.npy", array)
        for path in folder.iterdir():
            if path.name not in (made.file, "rows.npy", "labels.npy", kgan.cache.BEGUN):
                path.unlink()
        meta = {
            "what": what,
            "count": count if made.rows is None else len(made.rows),
            "file": made.file,
            "rounded": made.rounded,
            "kind": made.kind.get_config(),
            "class_names": made.class_names,
            "unreadable": made.unreadable,
            "notes": made.notes,
        }
        kgan.cache.write_json(folder / kgan.cache.META, meta)
    except Cannot:
        if not any(folder.glob("*.npy")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Cannot(
            f"the disk of {folder} is full ({error.strerror}) while {what} is prepared. What is "
            "done is kept: make room and start again, or name another folder with KGAN_CACHE."
        ) from error
    for gone in kgan.cache.drop_beyond(kgan.cache.limit(), keep=folder):
        print(f"dropped from the cache, as not used for long: {gone.what}", flush=True)


def _open(folder: Path, name: str) -> Dataset | None:
    """The set of an entry; `None` where it is gone."""
    with kgan.cache.in_use(folder):
        meta = kgan.cache.read_meta(folder)
        if meta is None:
            return None
        kgan.cache.touch(folder)
        file, kind = ArrayFile(Path(folder, meta["file"])), kgan.kinds.from_config(meta["kind"])
        # An array of grey images may lack the axis of its one channel.
        file.shape = (len(file), *kind.shape)
        rows, labels = (_array(folder / f"{one}.npy") for one in ("rows", "labels"))
        stored = StoredImages(file, folder, rows=rows)
        images = _images(stored, bool(meta["rounded"]))
        unreadable = tuple(meta["unreadable"])
        return Dataset(
            name,
            labels=labels,
            class_names=None if meta["class_names"] is None else tuple(meta["class_names"]),
            kind=kind,
            unreadable=unreadable,
            notes=tuple(meta["notes"]),
            **images,
        )


def _images(stored: StoredImages, rounded: bool) -> Mapping[str, Any]:
    """The fields `samples` and `exact`: in memory where they are few."""
    samples = stored.rounded() if rounded else stored
    found = {"samples": samples, "exact": stored if rounded else None}
    if stored.nbytes <= kgan.data.stored.IN_MEMORY:
        return {one: None if some is None else some[:] for one, some in found.items()}
    return found


def _array(path: Path) -> np.ndarray | None:
    return np.load(path, allow_pickle=False) if path.is_file() else None


def _fits_in_memory(size: float) -> bool:
    """Whether so many bytes are at most a quarter of the machine's memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 8 * 2**30
    return size <= memory / 4
