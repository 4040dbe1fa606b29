"""The real data that generated samples are compared with, and held-out ones for the floor."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import kgan.data
from kgan.data import Dataset
from kgan.data.folder import SUFFIXES


@dataclasses.dataclass(frozen=True)
class RealData:
    """Real samples.

    Attributes:
        train: The samples to compare with: those that the generator was trained on.
        held_out: Other real samples, whose scores are the floor.
        floor: Real samples to compare `held_out` with, if `train` contains `held_out`; otherwise
            `None`.
        split: Name of the split of `train`.
    """

    train: Dataset
    held_out: Dataset
    floor: Dataset | None = None
    split: str = "train"


def real_data(
    name: str,
    *,
    split: str = "train",
    image_size: Sequence[int] | None = None,
    data_dir: str | Path | None = None,
    download: bool = False,
) -> RealData:
    """Loads real data by name, with held-out samples.

    Of a folder or an array file, which has one split, random halves take the place of held-out
    samples; of a mixture, independent draws from its own law.

    Args:
        name: Name of the data, as for `kgan.data.load`.
        split: The split that the generator was trained on.
        image_size: A side, or height and width, to resize images to; `None` leaves their own.
        data_dir: Folder of prepared sets, as for `kgan.data.load`.
        download: Whether a missing set may be downloaded, as for `kgan.data.load`.
    """
    path = Path(name).expanduser()
    has_splits = name in kgan.data.DATASETS or path.suffix in kgan.data.TABLE_SUFFIXES
    if not has_splits and path.exists():
        whole = folder_images(path, image_size) if path.is_dir() else kgan.data.load(name)
        rows = np.random.default_rng(0).permutation(len(whole))
        half = len(whole) // 2
        if half < 2:
            raise ValueError(f"{whole.name} holds {len(whole)} samples; a score needs at least 4.")
        return RealData(
            whole, whole.take(np.sort(rows[:half])), whole.take(np.sort(rows[half:])), split
        )
    options: dict[str, Any] = {
        "data_dir": data_dir,
        "image_size": None if image_size is None else (image_size[0], image_size[-1]),
        "download": download,
    }
    train = kgan.data.load(name, split, **options)
    if name in kgan.data.MIXTURES:
        return RealData(train, mixture_draws(name, len(train)), split=split)
    # The split that the generator was not trained on.
    other = "train" if split.startswith("test") else "test"
    return RealData(train, kgan.data.load(name, other, **options), split=split)


def mixture_draws(name: str, n: int) -> Dataset:
    """Independent draws from the distribution of a mixture, as from a perfect generator.

    Args:
        name: A key of `kgan.data.MIXTURES`.
        n: Number of draws.
    """
    centres, deviation = kgan.data.MIXTURES[name]
    random = np.random.default_rng(2)
    modes = random.integers(len(centres), size=n)
    points = centres[modes] + deviation * random.standard_normal((n, 2))
    names = tuple(f"mode {mode}" for mode in range(len(centres)))
    return Dataset(name, points.astype(np.float32), modes.astype(np.int32), names)


def folder_images(folder: Path, image_size: Sequence[int] | None) -> Dataset:
    """A folder's images at their own size, or at the size that is asked for."""
    if image_size is None:
        sizes = set()
        for path in folder.rglob("*"):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                try:
                    with Image.open(path) as image:
                        sizes.add((image.height, image.width))
                except OSError:
                    continue  # Loading warns about this file.
        if len(sizes) > 1:
            some = ", ".join(f"{height}x{width}" for height, width in sorted(sizes)[:3])
            raise ValueError(
                f"images of {folder} have {len(sizes)} sizes ({some}{', ...' * (len(sizes) > 3)}): "
                "choose one with --image-size."
            )
        image_size = next(iter(sizes), None)
    return kgan.data.load_folder(
        folder, image_size=None if image_size is None else (image_size[0], image_size[-1])
    )
