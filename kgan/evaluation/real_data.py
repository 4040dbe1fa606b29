"""The real data that generated samples are compared with, and held-out ones for the floor."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import kgan.data
from kgan.data import Dataset
from kgan.data.listing import listing


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
    data_dir: str | Path | None = None,
    download: bool = False,
    **reading: Any,
) -> RealData:
    """Loads real data by name, with held-out samples.

    Of a folder or an array file that has one split random halves take the place of held-out
    samples; of a mixture, independent draws from its own law.

    Args:
        name: Name of the data, as for `kgan.data.load`.
        split: The split that the generator was trained on.
        data_dir: Folder of prepared sets, as for `kgan.data.load`.
        download: Whether a missing set may be downloaded, as for `kgan.data.load`.
        **reading: Fields of `kgan.data.Reading`. A folder's images keep their own size where none
            is given.
    """
    path = Path(name).expanduser()
    has_splits = name in kgan.data.DATASETS or path.suffix in kgan.data.TABLE_SUFFIXES
    if not has_splits and path.exists():
        return _of_files(name, path, split, reading)
    options: dict[str, Any] = {"data_dir": data_dir, "download": download, **reading}
    train = kgan.data.load(name, split, **options)
    if name in kgan.data.MIXTURES:
        return RealData(train, mixture_draws(name, len(train)), split=split)
    # The split that the generator was not trained on.
    other = "train" if split.startswith("test") else "test"
    return RealData(train, kgan.data.load(name, other, **options), split=split)


def _of_files(name: str, path: Path, split: str, reading: dict[str, Any]) -> RealData:
    """Real data of a folder or a file, which may have splits."""

    def load(one: str) -> Dataset:
        if path.is_dir():
            return folder_images(path, one, **reading)
        return kgan.data.load(name, one, **reading)

    train = load(split)
    if reading.get("value_range") == "auto":
        # What is held out is scaled as the other images are.
        reading = {**reading, "value_range": getattr(train.kind, "value_range", None)}
    other = kgan.data.held_out_split(name)
    if other is not None and split == "train":
        return RealData(train, load(other), split=split)
    rows = np.random.default_rng(0).permutation(len(train))
    half = len(train) // 2
    if half < 2:
        raise ValueError(f"{train.name} holds {len(train)} samples; a score needs at least 4.")
    return RealData(
        train, train.take(np.sort(rows[:half])), train.take(np.sort(rows[half:])), split
    )


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


def folder_images(folder: Path, split: str = "train", **reading: Any) -> Dataset:
    """A folder's images at their own size, or at the size that is asked for.

    Args:
        folder: The folder.
        split: As for `kgan.data.load_folder`.
        **reading: Fields of `kgan.data.Reading`.
    """
    if reading.get("image_size") is None:
        sizes = set()
        for name in listing(folder).names:
            try:
                with Image.open(folder / name) as image:
                    sizes.add((image.height, image.width))
            except (OSError, SyntaxError, ValueError):
                continue  # Loading warns about this file.
        if len(sizes) > 1:
            some = ", ".join(f"{height}x{width}" for height, width in sorted(sizes)[:3])
            raise ValueError(
                f"images of {folder} have {len(sizes)} sizes ({some}{', ...' * (len(sizes) > 3)}): "
                "choose one with --image-size."
            )
        reading = {**reading, "image_size": next(iter(sizes), None)}
    return kgan.data.load_folder(folder, split, **reading)
