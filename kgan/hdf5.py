"""Tries whether the HDF5 part of a model file can be read at all.

HDF5's library may never come back from a damaged heap, and holds the interpreter meanwhile, so
that not even Ctrl-C ends it. Another process tries first, and is ended where it takes too long.
"""

import os
import subprocess
import sys
from pathlib import Path

SECONDS = 30.0
"""How long the other process may take, besides the time to read a file of its size."""

_BYTES_PER_SECOND = 10e6

_LOOK = """
import io, sys, zipfile
import h5py

def look(name, one):
    dict(one.attrs)

path = sys.argv[1]
if zipfile.is_zipfile(path):
    path = io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5"))
with h5py.File(path) as file:
    look("", file)
    file.visititems(look)
"""


def check_readable(path: str | Path) -> None:
    """Raises where HDF5's library would hang on a file, or end the process.

    Whatever else is wrong with the file is left to who reads it, and has an error of its own.

    Args:
        path: A `.keras` or `.h5` file.

    Raises:
        ValueError: If the file cannot be read to its end.
    """
    if not sys.executable:
        return
    command = [sys.executable, "-I", "-c", _LOOK, str(path)]
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    seconds = SECONDS + size / _BYTES_PER_SECOND
    try:
        ended = subprocess.run(
            command,
            timeout=seconds,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"{path} cannot be loaded: it is damaged, HDF5 does not come to an end with it."
        ) from error
    if ended.returncode < 0:
        raise ValueError(
            f"{path} cannot be loaded: it is damaged, HDF5 breaks down over it "
            f"(signal {-ended.returncode})."
        )
