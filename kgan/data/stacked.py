"""Stacked MNIST: three random digits as the channels of an image, 1,000 modes that can be counted.

Reference: Metz et al. 2017, section 3.3.1 (arXiv:1611.02163); the numbers of images and the use of
both splits follow Lin et al. 2018, section 4.2 (arXiv:1712.04086).
"""

from pathlib import Path
from typing import cast

import numpy as np

from kgan.data.dataset import Dataset
from kgan.data.tfds import load_tfds

_SIZES = {"train": 128_000, "test": 26_000}


class StackedImages:
    """Images whose channels are grey images of one array; each is built when it is needed.

    It replaces a uint8 array (n, height, width, channels) in a `Dataset` and takes less memory:
    128,000 stacked digits would take 301 MB, the 70,000 grey ones take 55 MB.

    Args:
        grey: Grey images, uint8 (m, height, width).
        parts: Row numbers in `grey` of the channels of each image, integers (n, channels).
    """

    ndim = 4
    dtype = np.dtype(np.uint8)

    def __init__(self, grey: np.ndarray, parts: np.ndarray):
        self.grey = grey
        self.parts = parts

    @property
    def arrays(self) -> list[np.ndarray]:
        """The two arrays that hold the data."""
        return [self.grey, self.parts]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.parts), *self.grey.shape[1:], self.parts.shape[1])

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, rows) -> np.ndarray:
        return np.moveaxis(self.grey[self.parts[rows]], -3, -1)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def load_stacked_mnist(
    split: str = "train", *, data_dir: str | Path | None = None, download: bool = False
) -> Dataset:
    """128,000 images of 28x28x3 whose channels are MNIST digits drawn with replacement by a seed.

    Labels are the three digits read as a number, red first: 0 to 999. They are the ground truth of
    the benchmark, which trains without them.

    Args:
        split: "train", or "test": 26,000 other draws. Both draw from all 70,000 digits.
        data_dir: Folder of prepared sets, which must contain MNIST; see `load_tfds`.
        download: Whether MNIST may be downloaded; see `load_tfds`.
    """
    if split not in _SIZES:
        raise ValueError(f"split of stacked-mnist must be train or test, got {split!r}.")
    digits = load_tfds("mnist", "train+test", data_dir=data_dir, download=download)
    assert digits.labels is not None
    random = np.random.default_rng(list(_SIZES).index(split))
    parts = random.integers(len(digits), size=(_SIZES[split], 3), dtype=np.int32)
    labels = digits.labels[parts] @ np.array([100, 10, 1])
    return Dataset(
        "stacked-mnist",
        cast(np.ndarray, StackedImages(digits.samples[..., 0], parts)),
        labels.astype(np.int32),
        tuple(f"{number:03d}" for number in range(1000)),
    )
