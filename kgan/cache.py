"""The cache folder: what is slow to compute and can be computed again.

`KGAN_CACHE` names it; by default it is `~/.cache/kgan`. In `sets` lie prepared sets of samples, an
entry each; in `features` those of reference sets.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kgan.files import atomic_path, size_of

if os.name == "posix":
    import fcntl

META = "meta.json"
"""The file of an entry that is written last, so that an entry which has it is whole."""

BEGUN = "begun.json"
"""The file of an entry that is written first, and says of what it is."""

_LEAST_LIMIT = 10 * 2**30
_GIGABYTE = 1e9


def cache_dir() -> Path:
    """The cache folder."""
    return Path(os.environ.get("KGAN_CACHE") or "~/.cache/kgan").expanduser()


def sets_dir() -> Path:
    """The folder of the prepared sets."""
    return cache_dir() / "sets"


def limit() -> float:
    """How many bytes prepared sets may take.

    `KGAN_CACHE_LIMIT` says it, in GB; by default half of what the disk has free or the sets take,
    and at least 10 GB.
    """
    said = os.environ.get("KGAN_CACHE_LIMIT")
    if said:
        try:
            gigabytes = float(said)
        except ValueError:
            gigabytes = -1.0
        if not gigabytes >= 0:
            raise ValueError(f"KGAN_CACHE_LIMIT must be a number of GB, such as 50, got {said!r}.")
        return gigabytes * _GIGABYTE
    used = sum(entry.size for entry in entries())
    there = next((one for one in (sets_dir(), *sets_dir().parents) if one.exists()), None)
    free = 0 if there is None else shutil.disk_usage(there).free
    return max(_LEAST_LIMIT, (used + free) / 2)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A prepared set.

    Attributes:
        folder: Its folder.
        what: Of what it is, such as a folder and its split.
        count: How many samples it holds, or will hold.
        size: Bytes on disk.
        used: When it was used last, in seconds since 1970.
        is_whole: Whether its preparation ended.
    """

    folder: Path
    what: str
    count: int
    size: int
    used: float
    is_whole: bool


def entries() -> list[Entry]:
    """The prepared sets, the last used one first."""
    found = []
    for folder in sets_dir().iterdir() if sets_dir().is_dir() else ():
        with contextlib.suppress(OSError):
            found.append(_entry(folder))
    return sorted(found, key=lambda entry: -entry.used)


def _entry(folder: Path) -> Entry:
    meta = read_meta(folder)
    told = meta or read_json(folder / BEGUN) or {}
    files = [one.stat() for one in folder.iterdir() if one.is_file()]
    return Entry(
        folder,
        str(told.get("what", "unknown")),
        int(told.get("count", 0)),
        # As a file with gaps takes less than it is long.
        sum(getattr(one, "st_blocks", one.st_size // 512) * 512 for one in files),
        max((one.st_mtime for one in files), default=folder.stat().st_mtime),
        meta is not None,
    )


def read_meta(folder: Path) -> dict[str, Any] | None:
    """What an entry says of itself; `None` where it is not whole."""
    return read_json(folder / META)


def read_json(path: Path) -> dict[str, Any] | None:
    """The values in a file; `None` where it is not there, or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: Any) -> None:
    """Writes values so that a reader never sees half of them."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def try_to_write(path: Path, content: Any) -> None:
    """As `write_json`, where the folder can be written to."""
    with contextlib.suppress(OSError):
        write_json(path, content)


def touch(folder: Path) -> None:
    """Notes that an entry is used now."""
    with contextlib.suppress(OSError):
        os.utime(folder / META, (time.time(), time.time()))


def drop_beyond(most: float, *, keep: Path) -> list[Entry]:
    """Removes the sets that were used least recently until the others take no more.

    A set that a process reads or prepares stays.

    Args:
        most: Bytes that the sets may take.
        keep: An entry that stays whatever it takes.

    Returns:
        What was removed.
    """
    total, dropped = 0, []
    for entry in sorted(entries(), key=lambda one: (one.folder != keep, -one.used)):
        total += entry.size
        if total <= most or entry.folder == keep:
            continue
        with contextlib.suppress(OSError):
            if remove(entry):
                dropped.append(entry)
                total -= entry.size
    return dropped


def remove(entry: Entry) -> bool:
    """Removes a set, and returns whether it could: one that is in use stays.

    Raises:
        OSError: Where the disk does not let it, such as a read-only one.
    """
    with contextlib.suppress(BlockingIOError, FileNotFoundError), in_use(entry.folder, alone=True):
        # What is left of a removal that is cut short shall not look whole.
        (entry.folder / META).unlink(missing_ok=True)
        shutil.rmtree(entry.folder)
        return True
    return False


def others() -> dict[str, Path]:
    """What lies in the cache folder beside the sets, by what it is."""
    names = {"features of reference sets": "features"}
    return {what: path for what, name in names.items() if (path := cache_dir() / name).is_dir()}


def remove_others() -> int:
    """Removes what lies beside the sets, and returns its bytes."""
    freed = 0
    for folder in others().values():
        freed += size_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return freed


@contextlib.contextmanager
def in_use(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Within this context nobody removes the entry.

    Args:
        folder: The entry's folder.
        alone: Whether nobody else may use it meanwhile.

    Raises:
        BlockingIOError: Where another process uses it so that this one cannot.
    """
    handle = hold(folder, alone=alone)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def hold(folder: Path, *, alone: bool = False) -> int | None:
    """As `in_use`, until the handle that it returns is closed, or the process ends."""
    if os.name != "posix":
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        # Some network file systems lock nothing.
        pass
    return handle
