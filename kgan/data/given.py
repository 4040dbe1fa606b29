"""Images that a model is asked about: a picture file or a folder may hold but one."""

from pathlib import Path
from typing import Any

from kgan.data.dataset import Dataset
from kgan.data.folder import load_folder
from kgan.data.image_files import gather
from kgan.data.listing import suffixes
from kgan.data.load import COMPOSED, DATASETS, load
from kgan.data.table import SUFFIXES
from kgan.decoding.reading import Reading


def load_given(name: str, *, what: str = "images", **reading: Any) -> Dataset:
    """Loads images that a model is asked about: a picture, a folder or a file of some, or a set.

    Args:
        name: A picture file, or as for `kgan.data.load`.
        what: The setting that names them; errors begin with it.
        **reading: Fields of `kgan.data.Reading`, with a size. Sets that have one form alone
            ("digits") have that.

    Returns:
        The images, one or more.

    Raises:
        FileNotFoundError, ValueError: If they cannot be loaded; the message says what to do.
    """
    if name in DATASETS or name in COMPOSED:
        return load(name)
    path = Path(name).expanduser()
    suffix = path.suffix.lower()
    if path.is_dir():
        return load_folder(path, least=1, **reading)
    if suffix in SUFFIXES:
        raise ValueError(f"{what} must be images, got the table {path}.")
    if path.is_file() and suffix in suffixes():
        got = gather(str(path), path.parent, [path.name], Reading(**reading))
        return Dataset(str(path), notes=got.notes, least=1, **got.fields)
    return load(name, **reading)
