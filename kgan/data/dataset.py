"""What every source of data becomes: samples and labels in memory, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """Samples in memory.

    Attributes:
        name: Where it came from: a name, a folder or a file.
        samples: Images as uint8 (n, height, width, channels), or as float32 in [0, 1] where the
            source had floats; or points as float32 (n, features). `StackedImages` stand for a
            uint8 array.
        labels: int32 (n,), or `None`.
        class_names: One for each class, or `None` without labels.
    """

    name: str
    samples: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self):
        _check_samples(self.name, self.samples)
        if self.labels is not None:
            _check_labels(self.name, self.labels, len(self.samples), self.class_names or ())

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def is_images(self) -> bool:
        return self.samples.ndim == 4

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return tuple(self.samples.shape[1:])

    @property
    def num_classes(self) -> int | None:
        return None if self.class_names is None else len(self.class_names)

    def take(self, rows: Sequence[int] | np.ndarray) -> "Dataset":
        """The samples of those row numbers, in that order."""
        labels = None if self.labels is None else self.labels[rows]
        return Dataset(self.name, self.samples[rows], labels, self.class_names)

    def as_float(self) -> np.ndarray:
        """All samples as float32, images in [0, 1]; four times the memory of uint8."""
        if self.samples.dtype == np.uint8:
            return np.asarray(self.samples).astype(np.float32) / np.float32(255)
        return self.samples


def _check_samples(name: str, samples: np.ndarray) -> None:
    if samples.ndim not in (2, 4):
        raise ValueError(
            f"samples of {name} must be images (n, height, width, channels) or points "
            f"(n, features), got shape {samples.shape}."
        )
    if len(samples) < 2:
        raise ValueError(f"{name} holds {len(samples)} sample(s); training needs at least 2.")
    if samples.ndim == 4 and samples.shape[-1] not in (1, 3):
        raise ValueError(
            f"images of {name} must have 1 (grey) or 3 (colour) channels last, "
            f"got shape {samples.shape}."
        )
    if samples.dtype == np.uint8 and samples.ndim == 4:
        return
    if samples.dtype != np.float32:
        raise ValueError(
            f"samples of {name} must be uint8 in [0, 255] or floats in [0, 1], got {samples.dtype}."
        )
    bad = int(np.count_nonzero(~np.isfinite(samples)))
    if bad:
        raise ValueError(f"samples of {name} hold {bad} values that are NaN or infinite.")
    low, high = float(samples.min()), float(samples.max())
    if samples.ndim == 4 and not (low >= 0.0 and high <= 1.0):
        remedy = "divide by 255" if high > 2 else "rescale with (x + 1) / 2" if low < 0 else "clip"
        raise ValueError(
            f"float images of {name} must be in [0, 1], got {low:g} to {high:g}: {remedy}."
        )


def _check_labels(name: str, labels: np.ndarray, n: int, class_names: Sequence[str]) -> None:
    if labels.shape != (n,) or labels.dtype != np.int32:
        raise ValueError(
            f"labels of {name} must be {n} whole numbers, one a sample, "
            f"got {labels.dtype} of shape {labels.shape}."
        )
    if n and not (labels.min() >= 0 and labels.max() < len(class_names)):
        raise ValueError(
            f"labels of {name} must be in [0, {len(class_names) - 1}] for {len(class_names)} "
            f"classes, got {labels.min()} to {labels.max()}."
        )
