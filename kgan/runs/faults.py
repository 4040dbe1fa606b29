"""Whose fault an error is: the caller's, told in one line, or the program's, kept with its
traceback."""

import dis
import tempfile
import time
import traceback
from pathlib import Path
from types import TracebackType

_MISTAKES = (ValueError, TypeError, ImportError, FloatingPointError)
_FILES = (
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)
_PACKAGE = str(Path(__file__).parents[1])
_FILE = "error.txt"


def is_mistake(error: BaseException) -> bool:
    """Whether an error tells of a mistake of the caller's.

    These are errors that kgan raised on purpose, and what the file system says of a path. A
    `ValueError` that some library raised on the way is a fault of the program: it should have been
    seen, and told in the caller's words, before.
    """
    if isinstance(error, _FILES):
        return True
    return isinstance(error, (*_MISTAKES, OSError)) and _raised_on_purpose(error.__traceback__)


def keep(error: BaseException, folder: Path | None = None) -> Path:
    """Writes the traceback of a fault into the folder, once, and tells where.

    Args:
        error: The fault.
        folder: The run's folder; a temporary file takes it where there is none.
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
    """Whether the innermost frame is kgan's and stands at a `raise`."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    operation = dis.opname[code.co_code[trace.tb_lasti]]
    return code.co_filename.startswith(_PACKAGE) and operation == "RAISE_VARARGS"
