"""Writing files so that a reader never sees half of one, and a process of its own folder."""

import contextlib
import errno
import os
import re
import shutil
import socket
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

if os.name == "posix":
    import fcntl

# The machine and the process tell whether whoever made a temporary file still runs.
_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
_NAME = re.compile(r"\.tmp-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-.*")
_OLD_SECONDS = 24 * 3600
_ours: set[Path] = set()


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path that becomes `target` when the block ends without an error.

    The temporary path lies beside the target (a rename is atomic only within a file system) and
    keeps its suffixes, since writers choose their format by them. After an error it is removed and
    an older `target` stays as it was.

    Args:
        target: The file or folder to write. An existing file is replaced; an existing folder is an
            error, as a folder cannot be replaced atomically.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_path(target.parent, target.name) as temporary:
        yield temporary
        # On disk before it has the name: a crash leaves the old file or the new one.
        sync(temporary)
        temporary.rename(target) if temporary.is_dir() else os.replace(temporary, target)
        sync_names(target.parent)


@contextlib.contextmanager
def temporary_path(folder: Path, name: str) -> Iterator[Path]:
    """Yields a path in a folder, hidden, for a file or folder that is gone when the block ends."""
    path = folder / f".tmp-{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}-{name}"
    _ours.add(path)
    try:
        yield path
    finally:
        _ours.discard(path)
        _remove(path)


def remove_left_behind(folder: str | os.PathLike[str], *, all_of_them: bool = False) -> None:
    """Removes what processes that were killed left of `atomic_path`, directly in a folder.

    Args:
        folder: The folder; one that is not there is passed over.
        all_of_them: Whether nobody else writes into the folder, so that every temporary file is
            one that was left. Otherwise those of processes that run, or may run on another
            machine, stay for a day.
    """
    folder = Path(folder)
    for path in folder.glob(".tmp-*") if folder.is_dir() else ():
        if path not in _ours and (all_of_them or _is_left_behind(path)):
            _remove(path)


def sync(path: Path) -> None:
    """Waits until a file, or everything in a folder, is on disk."""
    if path.is_dir():
        for one in path.rglob("*"):
            _sync(one)
    if path.exists():
        _sync(path)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def bytes_in_words(count: float) -> str:
    """A number of bytes to three digits, in the unit that suits it: "49.8 MB"."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:.3g} {units[0]}"


def sync_names(folder: str | os.PathLike[str]) -> None:
    """Waits until the names in a folder are on disk: what was renamed in it keeps its name."""
    _sync(Path(folder))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within this context no other process can lock the folder; the lock ends with the process.

    Raises:
        BlockingIOError: Where another process has it.
    """
    if os.name != "posix":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            # Some network file systems lock nothing.
            pass
        yield
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        # A folder cannot be opened on Windows.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems write no folder to disk on demand.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_left_behind(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match and match["host"] == _HOST:
        process = int(match["process"])
        return process == os.getpid() or not _runs(process)
    try:
        return time.time() - path.stat().st_mtime > _OLD_SECONDS
    except OSError:
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True


def read_token(path: Path) -> str:
    """The token in a file, a line of printable ASCII."""
    token = path.expanduser().read_text(encoding="utf-8", errors="replace").strip()
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise ValueError(f"{path} must hold a token: one line of ASCII without spaces.")
    return token
