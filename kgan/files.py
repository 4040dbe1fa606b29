"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


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
    temporary = target.parent / f".tmp-{uuid.uuid4().hex[:8]}-{target.name}"
    try:
        yield temporary
        if temporary.is_file():
            # On disk before it has the name: a crash leaves the old file or the new one.
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        temporary.rename(target) if temporary.is_dir() else os.replace(temporary, target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
