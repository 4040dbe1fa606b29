"""Samples on disk that stand for an array: rows come into memory when they are asked for."""

import hashlib
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import kgan.cache
from kgan.decoding.array_file import ArrayFile
from kgan.pixels import to_uint8

IN_MEMORY = 256 * 2**20
"""Samples of at most as many bytes are taken into memory."""


class StoredImages:
    """Images in a file, in the place of an array (n, height, width, channels) of a `Dataset`.

    Indexing gives arrays in memory; `part` gives another of these.

    Args:
        file: The file.
        folder: The entry of the cache that the file belongs to, which nobody removes as long as
            this object lives; also keeps what is slow to compute of the samples.
        rows: Numbers of the file's rows; all of them by default.
        rounded: Whether floats of the file become uint8.
    """

    ndim = 4

    def __init__(
        self,
        file: ArrayFile,
        folder: Path,
        *,
        rows: np.ndarray | None = None,
        rounded: bool = False,
        hold: Any = None,
    ):
        self._file, self.folder, self._rounded = file, folder, rounded
        self._rows = rows
        self._hold = _Hold(folder) if hold is None else hold
        self.dtype = np.dtype(np.uint8) if rounded else file.dtype
        self.shape = (len(file) if rows is None else len(rows), *file.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes that they would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            if not key or key[0] is Ellipsis:
                return self[:][key]
            first = self[key[0]]
            kept = () if isinstance(key[0], (int, np.integer)) else (slice(None),)
            return first[(*kept, *key[1:])]
        if isinstance(key, (int, np.integer)):
            return self._read(self._numbers(np.array([key])))[0]
        return self._read(self._numbers(key))

    def rounded(self) -> "StoredImages":
        """The same as uint8."""
        return StoredImages(self._file, self.folder, rows=self._rows, rounded=True, hold=self._hold)

    def part(self, key: Any) -> Any:
        """Some of them: in memory where they are few, else on disk too."""
        rows = self._numbers(key)
        some = StoredImages(
            self._file, self.folder, rows=rows, rounded=self._rounded, hold=self._hold
        )
        return some[:] if some.nbytes <= IN_MEMORY else some

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def remembered(self, name: str, labels: np.ndarray | None, compute: Callable[[], Any]) -> Any:
        """A value that was computed of these samples before, or is computed now.

        Args:
            name: What it is.
            labels: Further values that it depends on.
            compute: Gives it, a value that JSON has.
        """
        digest = hashlib.sha256(f"{self.shape} {self.dtype}".encode())
        for array in (self._rows, labels):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        path = self.folder / f"{name}-{digest.hexdigest()[:16]}.json"
        found = kgan.cache.read_json(path)
        if found is None:
            found = {"value": compute()}
            kgan.cache.try_to_write(path, found)
        return found["value"]

    def _numbers(self, key: Any) -> np.ndarray:
        """Row numbers in the file."""
        n = len(self)
        if isinstance(key, slice):
            chosen = np.arange(*key.indices(n))
        else:
            chosen = np.asarray(key)
            if chosen.dtype == bool:
                if chosen.shape != (n,):
                    raise IndexError(f"a mask of {n} samples must have as many values.")
                chosen = np.flatnonzero(chosen)
            if chosen.size == 0:
                chosen = chosen.astype(np.int64)
            if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
                raise IndexError("samples are chosen by numbers, a slice or a mask.")
            if chosen.size and not (-n <= chosen.min() and chosen.max() < n):
                raise IndexError(f"rows must be in [0, {n - 1}], got {chosen.max()}.")
            chosen = np.where(chosen < 0, chosen + n, chosen)
        return chosen if self._rows is None else self._rows[chosen]

    def _read(self, rows: np.ndarray) -> np.ndarray:
        found = self._file.read(rows)
        return to_uint8(found) if self._rounded else found


class _Hold:
    """Keeps an entry of the cache from being removed, as long as it lives."""

    def __init__(self, folder: Path):
        handle = kgan.cache.hold(folder)
        if handle is not None:
            weakref.finalize(self, os.close, handle)
