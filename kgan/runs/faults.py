"""Tells mistakes of the caller, reported in one line, from faults of the program, whose traceback
is kept in a file."""

import dis
import errno
import tempfile
import time
import traceback
from pathlib import Path
from types import TracebackType

LINES = (ConnectionError, TimeoutError)
"""Errors of a connection: whoever was at its other end does not answer any more."""

_MISTAKES = (ValueError, TypeError, ImportError, FloatingPointError)
_FILES = (
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)
# Of a path too, but without a class of their own.
_NUMBERS = (errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
_PACKAGE = str(Path(__file__).parents[1])
_FILE = "error.txt"


def is_mistake(error: BaseException) -> bool:
    """Whether an error reports a mistake of the caller.

    These are errors that kgan raised on purpose, and errors of the file system about a path. A
    `ValueError` from a library is a fault of the program, which should have checked the value
    first and reported it in terms that the caller knows. A connection that breaks is nobody's
    mistake.
    """
    if isinstance(error, LINES):
        return False
    if isinstance(error, _FILES) or (isinstance(error, OSError) and error.errno in _NUMBERS):
        return True
    return isinstance(error, (*_MISTAKES, OSError)) and _raised_on_purpose(error.__traceback__)


def keep(error: BaseException, folder: Path | None = None) -> Path:
    """Writes the traceback of a fault to a file, once, and returns the file's path.

    Args:
        error: The exception.
        folder: The run's folder; `None` writes a temporary file.
    """
    kept: Path | None = getattr(error, "kept", None)
    if kept is not None:
        return kept
    text = time.strftime("%Y-%m-%d %H:%M:%S\n") + "".join(traceback.format_exception(error))
    try:
        if folder is None:
            raise FileNotFoundError
        path = folder / _FILE
        path.write_text(text)
    except OSError:
        # A full or read-only disk must not hide the error itself.
        handle, name = tempfile.mkstemp(prefix="kgan-error-", suffix=".txt")
        path = Path(name)
        with open(handle, "w") as file:
            file.write(text)
    error.kept = path  # type: ignore[attr-defined]
    return path


def _raised_on_purpose(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is a `raise` statement of kgan."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    operation = dis.opname[code.co_code[trace.tb_lasti]]
    return code.co_filename.startswith(_PACKAGE) and operation == "RAISE_VARARGS"
