"""Arrays in .npy files, of which single rows are read and written.

Rows are read with `pread`, not through a memory map: the pages of a map that were touched count as
memory of the process, so that it seems to grow with its data, and while a page comes from the disk
a map keeps every other thread of Python waiting. What was read before lies in the system's page
cache either way.
"""

import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np

_HAS_PREAD = hasattr(os, "preadv")


class ArrayFile:
    """An array in a .npy file.

    Args:
        path: The file; a C-contiguous array of numbers.
        write: Whether rows are written too.

    Raises:
        ValueError: Where it is no such file.
    """

    def __init__(self, path: str | Path, *, write: bool = False):
        self.path = Path(path)
        with open(self.path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, fortran, self.dtype = read(file)
            self._offset = file.tell()
        if fortran or self.dtype.hasobject or not shape:
            raise ValueError(f"{path} must hold a C-contiguous array of numbers.")
        self.shape: tuple[int, ...] = shape
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * self.dtype.itemsize
        flags = (os.O_RDWR if write else os.O_RDONLY) | getattr(os, "O_BINARY", 0)
        self._handle = os.open(self.path, flags | getattr(os, "O_CLOEXEC", 0))
        self._map: Any = None
        if not _HAS_PREAD:
            self._map = np.load(self.path, mmap_mode="r+" if write else "r")
        self.close = weakref.finalize(self, os.close, self._handle)

    @classmethod
    def make(cls, path: str | Path, dtype: Any, shape: tuple[int, ...]) -> "ArrayFile":
        """A new file of zeros, which takes no space on the disk until rows are written."""
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(
                file.tell() + int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            )
        return cls(path, write=True)

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The rows with these numbers, which are in [0, n)."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        if self._map is not None:
            found[:] = self._map[rows]
            return found
        if not found.size:
            return found
        memory = found.data.cast("B")
        # Neighbours come in one call.
        edges = np.flatnonzero(np.diff(rows) != 1) + 1
        for start, stop in zip([0, *edges], [*edges, len(rows)], strict=True):
            part = memory[int(start) * self._row_bytes : int(stop) * self._row_bytes]
            self._read_into(part, self._offset + int(rows[start]) * self._row_bytes)
        return found

    def _read_into(self, part: memoryview, position: int) -> None:
        while len(part):
            done = os.preadv(self._handle, [part], position)
            if not done:
                raise OSError(f"{self.path} is shorter than its header says: it was cut off.")
            part, position = part[done:], position + done

    def write(self, first: int, values: np.ndarray) -> None:
        """Puts rows in the place of those from `first` on."""
        values = np.ascontiguousarray(values, self.dtype)
        if self._map is not None:
            self._map[first : first + len(values)] = values
            return
        part, position = values.data.cast("B"), self._offset + first * self._row_bytes
        while len(part):
            done = os.pwrite(self._handle, part, position)
            part, position = part[done:], position + done

    def sync(self) -> None:
        """Waits until what was written is on disk."""
        if self._map is not None:
            self._map.flush()
        os.fsync(self._handle)
