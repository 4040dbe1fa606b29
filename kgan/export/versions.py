"""The numbered folders of a servable: the versions that a server finds there."""

import re
from pathlib import Path

from kgan import files

_NUMBER = re.compile(r"[0-9]+")


def folders(servable: str | Path) -> dict[int, Path]:
    """The versions in a servable's folder by their number, ascending.

    As for TensorFlow Serving, a folder whose name is a number is a version, leading zeros or not;
    of two for one number the name without zeros counts.

    Args:
        servable: The servable's folder, such as `saved_models/digits`.

    Raises:
        OSError: Where the folder is there and cannot be read.
    """
    servable = Path(servable)
    if not servable.is_dir():
        return {}
    found = [path for path in servable.iterdir() if _NUMBER.fullmatch(path.name) and path.is_dir()]
    found.sort(key=lambda path: (int(path.name), -len(path.name)))
    return {int(path.name): path for path in found}


def newest(servable: str | Path) -> Path | None:
    """The folder of the highest version, `None` where there is none."""
    found = folders(servable)
    return found[max(found)] if found else None


def next_number(servable: str | Path) -> int:
    """One more than the highest version; 1 for a new servable."""
    return max(folders(servable), default=0) + 1


def add(servable: str | Path, folder: Path) -> Path:
    """Makes a complete folder the next version, at once.

    Args:
        servable: The servable's folder.
        folder: The version's content, on the same file system; it is moved.

    Returns:
        The version's folder. Where two exports end at once, each gets a number of its own.
    """
    while True:
        target = Path(servable) / str(next_number(servable))
        try:
            added = folder.rename(target)
        except OSError:
            # Another export may have taken the number meanwhile.
            if not target.exists():
                raise
        else:
            files.sync_names(servable)
            return added
