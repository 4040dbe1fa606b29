"""Large arrays and streams of images, a portion at a time, and their way into the cache."""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

import kgan.cache
import kgan.kinds
from kgan.data.array_images import ArrayImages, extremes_of, images_of
from kgan.data.prepared import Made, check_space
from kgan.decoding.array_file import ArrayFile
from kgan.decoding.reading import Reading
from kgan.files import atomic_path
from kgan.progress import Progress

_BYTES = 32 * 2**20
_SECONDS = 5.0
_STATE, _KEPT = "state.json", "kept.npy"


class Part(NamedTuple):
    """Some images (n, height, width, channels), as their source has them, and their labels."""

    images: np.ndarray
    labels: np.ndarray | None = None


class Source(Protocol):
    """Images that come a portion at a time.

    Attributes:
        shape: Of all of them, (n, height, width, channels).
        dtype: Of their values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    def parts(self, start: int) -> Iterator[Part]:
        """The images from number `start` on, in order."""


class FileSource:
    """An array in a .npy file, or in a .npz file under a key.

    Args:
        path: The file.
        key: The key of a .npz file.

    Raises:
        ValueError: For an array of Python objects.
    """

    def __init__(self, path: Path, key: str | None = None):
        self.path, self.key = path, key
        with self._opened() as file:
            self.shape, self._fortran, self.dtype = _header(file)
        if self.dtype.hasobject:
            raise ValueError(f"{path} must hold numbers, got Python objects.")

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def _opened(self) -> Any:
        if self.key is None:
            return open(self.path, "rb")
        return zipfile.ZipFile(self.path).open(f"{self.key}.npy")

    def parts(self, start: int) -> Iterator[Part]:
        each = self.nbytes // max(1, self.shape[0])
        size = max(1, _BYTES // max(1, each))
        if self._fortran:
            whole = self._read_whole()
            for first in range(start, self.shape[0], size):
                yield Part(whole[first : first + size])
            return
        with self._opened() as file:
            _header(file)
            file.seek(start * each, 1)
            for first in range(start, self.shape[0], size):
                count = min(size, self.shape[0] - first)
                content = file.read(count * each)
                if len(content) < count * each:
                    raise ValueError(
                        f"{self.path} is shorter than its header says: it was cut off."
                    )
                yield Part(np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:]))

    def _read_whole(self) -> np.ndarray:
        if self.key is None:
            return np.load(self.path, mmap_mode="r")
        with np.load(self.path) as content:
            return content[self.key]


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def lies_ready(source: FileSource, kind: kgan.kinds.Images, reading: Reading) -> bool:
    """Whether batches can be read from the file itself: bytes that nothing is done to."""
    same_size = reading.image_size is None or kind.shape[:2] == _pair(reading.image_size)
    return (
        source.key is None
        and source.dtype == np.uint8
        and not source._fortran
        and same_size
        and reading.channels is None
        and reading.value_range is None
    )


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def prepare_source(folder: Path, what: str, source: Source, reading: Reading) -> Made:
    """Writes the images of a source, as they are read, into an array in a folder.

    Where a process was killed, another call goes on from what it has done.

    Args:
        folder: The entry of the cache.
        what: Name of the set; errors name it.
        source: The images.
        reading: How they are read.
    """
    n = source.shape[0]
    state = kgan.cache.read_json(folder / _STATE) or {}
    extremes = state.get("extremes")
    with Progress(n, counts=True, stderr=True) as progress:
        if extremes is None and (source.dtype != np.uint8 or reading.value_range is not None):
            progress.update(what="smallest and largest value")
            extremes = _extremes(what, source, progress)
        made = _made_of(what, next(source.parts(0)).images[:1], reading, extremes)
        one = made.samples if made.exact is None else made.exact
        path, done = folder / "images.npy", int(state.get("done", 0))
        if not done:
            shape = (n, *one.shape[1:])
            check_space(folder, float(np.prod(shape, dtype=np.int64)) * one.dtype.itemsize)
            ArrayFile.make(path, one.dtype, shape).close()
        labels = _kept(folder) if done else None
        progress.update(done, what="preparing images")
        array, synced = ArrayFile(path, write=True), time.monotonic()
        for part in source.parts(done):
            some = _made_of(what, part.images, reading, extremes)
            array.write(done, some.samples if some.exact is None else some.exact)
            if part.labels is not None:
                labels = np.zeros(n, np.int32) if labels is None else labels
                labels[done : done + len(part.images)] = part.labels
            done += len(part.images)
            progress.update(done)
            if time.monotonic() - synced > _SECONDS:
                array.sync()
                if labels is not None:
                    with atomic_path(folder / _KEPT) as temporary:
                        np.save(temporary, labels)
                kgan.cache.write_json(folder / _STATE, {"extremes": extremes, "done": done})
                synced = time.monotonic()
        array.sync()
        array.close()
    if done != n:
        raise ValueError(f"{what} must hold {n} images, got {done}.")
    rounded = made.exact is not None
    return Made(path.name, made.kind, rounded=rounded, labels=labels, notes=made.notes)


def _kept(folder: Path) -> np.ndarray | None:
    path = folder / _KEPT
    return np.load(path) if path.is_file() else None


def _made_of(what: str, images: np.ndarray, reading: Reading, extremes: Any) -> ArrayImages:
    return images_of(what, images, reading, extremes=None if extremes is None else tuple(extremes))


def _extremes(what: str, source: Source, progress: Progress) -> list[float]:
    low, high, done = np.inf, -np.inf, 0
    for part in source.parts(0):
        least, most = extremes_of(what, part.images)
        low, high, done = min(low, least), max(high, most), done + len(part.images)
        progress.update(done)
    return [low, high]
