"""Decodes many image files: into memory, or once and in several processes into the cache."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np

from kgan.data.image_set import ImageSet, common_channels, with_channels
from kgan.data.prepared import Made, check_space
from kgan.decoding.array_file import ArrayFile
from kgan.decoding.image import Facts
from kgan.decoding.reading import Reading
from kgan.decoding.resize import as_pair
from kgan.decoding.rows import Decoded, Form, decode_rows, read_images
from kgan.files import atomic_path
from kgan.pixels import to_uint8
from kgan.progress import Progress

# Files of one piece of work: its rows come into memory together.
_ROWS = 64
# Files that are decoded before it is known what images are like.
_PROBES = 32
# Fewer files are decoded by this process, sooner than others have started.
_FEW = 512
# Work of so long may be lost with the machine.
_SECONDS = 5.0
_IDLE_SECONDS = 10
# Pieces of work for each process that wait for it.
_AHEAD = 32
_CHUNK = 256

Labelled = tuple[np.ndarray | None, tuple[str, ...] | None]
Classes = Callable[[list[str], tuple[str, ...]], Labelled]
"""From the names of the files that can be read, and the other ones with reasons, to labels and the
names of the classes."""


class Gathered(NamedTuple):
    """Images of files in memory.

    Attributes:
        fields: The fields `samples`, `exact` and `kind` of a `Dataset`.
        kept: Names of the files that were read.
        unreadable: The others, each with the reason.
        notes: What was done to the images that a user should know, a line each.
    """

    fields: dict[str, Any]
    kept: list[str]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]


def gather(what: str, root: Path, names: Sequence[str], reading: Reading) -> Gathered:
    """Decodes files into memory.

    Args:
        what: Name of the set; errors name it.
        root: The folder that the names are below.
        names: The files.
        reading: How images are read, with a size.

    Raises:
        FileNotFoundError: Where none can be read.
    """
    images, facts = read_images([str(root / name) for name in names], reading)
    found = _Facts(what, names, dict(enumerate(facts)))
    some = ImageSet(what, reading, found.read)
    fields = some.stacked([image for image in images if image is not None])
    return Gathered(fields, list(found.read), found.unreadable, tuple(some.notes()))


def prepare(
    folder: Path, what: str, root: Path, names: Sequence[str], reading: Reading, classes: Classes
) -> Made:
    """Decodes files in several processes into an array in a folder.

    Where a process was killed, another call goes on from what it has done.

    Args:
        folder: The entry of the cache.
        what: Name of the set; errors name it.
        root: The folder that the names are below.
        names: The files.
        reading: How images are read, with a size.
        classes: Gives the labels.
    """
    work = _Work(folder, what, root, names, reading)
    work.run()
    found = _Facts(what, names, work.facts)
    some = ImageSet(what, reading, found.read)
    labels, class_names = classes(list(found.read), found.unreadable)
    file, rows = work.path, np.array([row for row in range(len(names)) if row in found.rows])
    if not some.is_bytes:
        file = _scaled(folder, work, some, rows, found)
        rows = np.arange(len(rows))
    return Made(
        file.name,
        some.kind,
        rounded=some.is_exact,
        rows=None if len(rows) == len(names) else rows,
        labels=labels,
        class_names=class_names,
        unreadable=found.unreadable,
        notes=tuple(some.notes()),
    )


class _Facts:
    """What was found out about the files, told apart by whether they can be read."""

    def __init__(self, what: str, names: Sequence[str], facts: dict[int, Facts | str]):
        self.rows: dict[int, Facts] = {}
        self.read: dict[str, Facts] = {}
        unreadable = []
        for row, name in enumerate(names):
            one = facts[row]
            if isinstance(one, str):
                unreadable.append(f"{name} ({one})")
            else:
                self.rows[row] = self.read[name] = one
        self.unreadable = tuple(unreadable)
        if not self.read:
            if len(unreadable) == 1:
                raise FileNotFoundError(f"the image {unreadable[0]} cannot be read.")
            raise FileNotFoundError(
                f"none of the {len(names)} images in {what} can be read, such as {unreadable[0]}."
            )


class _Work:
    """The decoding of files, and the journal of what is done.

    A line of the journal is written once its rows are on the disk.
    """

    def __init__(self, folder: Path, what: str, root: Path, names: Sequence[str], reading: Reading):
        self.folder, self.what, self.root, self.names = folder, what, root, names
        self.reading = reading
        self.facts: dict[int, Facts | str] = {}
        self._journal = folder / "journal.jsonl"
        # First the name of an image of each number of channels.
        self._channels: dict[str, int] = {}
        self._later: list[Decoded] = []
        resumed = self._resumed()
        self.form = resumed or self._probed()
        self.path = self._path_of(self.form)
        if resumed is None:
            self._begin()
        else:
            # Without what was cut off, which the next line would be written behind.
            self._write_journal()

    def _path_of(self, form: Form) -> Path:
        return self.folder / f"images-{form.dtype}-{form.channels}.npy"

    def _shape(self, form: Form) -> tuple[int, ...]:
        return (len(self.names), *as_pair(self.reading.image_size), form.channels)  # type: ignore[arg-type]

    def _resumed(self) -> Form | None:
        """Reads what an earlier process has done."""
        try:
            first, *lines = self._journal.read_text().splitlines(keepends=True)
            form = Form(*json.loads(first))
        except (OSError, ValueError, TypeError):
            return None
        if not self._path_of(form).is_file():
            return None
        for line in lines:
            # A line may have been cut off, by a kill or by a disk that was full.
            with contextlib.suppress(ValueError, TypeError):
                start, facts = json.loads(line)
                found = [one if isinstance(one, str) else Facts.from_list(one) for one in facts]
                self.facts.update(enumerate(found, start))
        for row, one in self.facts.items():
            self._check_channels(row, [one])
        return form

    def _check_channels(self, start: int, facts: Sequence[Facts | str]) -> None:
        """Raises as soon as images were met that cannot be made alike."""
        for row, one in enumerate(facts, start):
            if isinstance(one, Facts) and one.channels not in self._channels.values():
                self._channels[self.names[row]] = one.channels
                common_channels(self.what, self._channels)

    def _probed(self) -> Form:
        """The form of some images from all over the set, which all of them probably have."""
        rows = np.unique(np.linspace(0, len(self.names) - 1, _PROBES).astype(int))
        images, _ = read_images([str(self.root / self.names[row]) for row in rows], self.reading)
        forms = [Form(str(one.dtype), one.shape[-1]) for one in images if one is not None]
        form = forms[0] if forms else Form("uint8", 3)
        for one in forms:
            form = form.with_(one)
        return form

    def _begin(self) -> None:
        self._check_space(self.form)
        self.facts = {}
        ArrayFile.make(self.path, self.form.dtype, self._shape(self.form)).close()
        self._write_journal()

    def _check_space(self, form: Form) -> None:
        size = float(np.prod(self._shape(form), dtype=np.int64)) * np.dtype(form.dtype).itemsize
        # Values that are not bytes are scaled into a second array.
        check_space(self.folder, size if form.dtype == "uint8" else 2 * size)

    def _write_journal(self) -> None:
        """The whole journal anew."""
        done = sorted(self.facts)
        lines = [json.dumps(self.form) + "\n"]
        for start in range(0, len(done), _ROWS):
            rows = done[start : start + _ROWS]
            # Rows are noted in the pieces in which they were decoded, from multiples of _ROWS on.
            lines.append(_line(rows[0], [self.facts[row] for row in rows]))
        with atomic_path(self._journal) as temporary:
            temporary.write_text("".join(lines))

    def run(self) -> None:
        """Decodes what is not decoded yet."""
        with Progress(len(self.names), done=len(self.facts), counts=True, stderr=True) as progress:
            progress.update(what="decoding images")
            while starts := [
                start for start in range(0, len(self.names), _ROWS) if start not in self.facts
            ]:
                self._later = []
                self._pass(starts, progress)
                if self._later:
                    self._widen()

    def _pass(self, starts: Sequence[int], progress: Progress) -> None:
        array = ArrayFile(self.path, write=True)
        waiting: list[Decoded] = []
        synced = time.monotonic()
        with open(self._journal, "a") as journal:

            def settle() -> None:
                array.sync()
                for one in waiting:
                    journal.write(_line(one.start, one.facts))
                journal.flush()
                waiting.clear()

            try:
                for one in self._decoded(starts):
                    self._check_channels(one.start, one.facts)
                    if not one.is_written:
                        self._later.append(one)
                        continue
                    waiting.append(one)
                    self.facts.update(enumerate(one.facts, one.start))
                    progress.update(len(self.facts))
                    if time.monotonic() - synced > _SECONDS:
                        settle()
                        synced = time.monotonic()
            finally:
                settle()
                array.close()

    def _decoded(self, starts: Sequence[int]) -> Iterator[Decoded]:
        """The results of all pieces of work, in any order."""
        work = (
            (
                str(self.path),
                self.form,
                start,
                [str(self.root / name) for name in self.names[start : start + _ROWS]],
                self.reading,
            )
            for start in starts
        )
        processes = min(joblib.cpu_count(), len(starts))
        if processes == 1 or len(starts) * _ROWS <= _FEW:
            yield from (decode_rows(*one) for one in work)
            return
        parallel = joblib.Parallel(
            processes,
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
            # Enough to do while what is done is written to the disk.
            pre_dispatch=_AHEAD * processes,
            idle_worker_timeout=_IDLE_SECONDS,
        )
        yield from parallel(joblib.delayed(decode_rows)(*one) for one in work)

    def _widen(self) -> None:
        """Copies what is done into an array that takes all forms that were met."""
        form = self.form
        for one in self._later:
            assert one.form is not None
            form = form.with_(one.form)
        self._check_space(form)
        old, path = ArrayFile(self.path), self._path_of(form)
        new = ArrayFile.make(path, form.dtype, self._shape(form))
        for start in sorted(self.facts)[::_ROWS]:
            rows = np.arange(start, min(start + _ROWS, len(self.names)))
            new.write(start, with_channels(old.read(rows), form.channels))
        new.sync()
        old.close()
        new.close()
        gone, self.form, self.path = self.path, form, path
        self._write_journal()
        gone.unlink()


def _line(start: int, facts: Sequence[Facts | str]) -> str:
    told = [one if isinstance(one, str) else one.as_list() for one in facts]
    return json.dumps([start, told]) + "\n"


def _scaled(folder: Path, work: _Work, some: ImageSet, rows: np.ndarray, found: _Facts) -> Path:
    """Writes the values of a set, scaled, in the form that its samples have."""
    floats = some.are_floats or some.is_exact
    path = folder / ("scaled.npy" if floats else "bytes.npy")
    shape = (len(rows), *some.kind.shape)
    check_space(folder, float(np.prod(shape, dtype=np.int64)) * (4 if floats else 1))
    source, target = ArrayFile(work.path), ArrayFile.make(path, "f4" if floats else "u1", shape)
    with Progress(len(rows), counts=True, stderr=True) as progress:
        progress.update(what="scaling images")
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            images = np.stack(
                [
                    some.scaled(image, found.rows[row].depth)
                    for image, row in zip(source.read(part), part.tolist(), strict=True)
                ]
            )
            target.write(start, images if floats else to_uint8(images))
            progress.update(start + len(part))
    target.sync()
    source.close()
    target.close()
    return path
