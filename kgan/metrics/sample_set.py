"""Samples with the values that metrics need: prepared samples, features, probabilities."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import kgan.kinds
from kgan.kinds import Images, Kind, Points
from kgan.metrics.cache import cached_features
from kgan.metrics.extractor import Extractor
from kgan.pixels import rounded_to_8_bits
from kgan.portions import part


@dataclasses.dataclass(frozen=True)
class Preparation:
    """Preparation of the samples of a kind before they are measured.

    Attributes:
        prepare: Function applied to the samples first, or `None`.
        words: Description of `prepare` for a protocol.
        are_features: Whether the samples are features already, so that no extractor is needed.
    """

    prepare: Callable[[Any], Any] | None = None
    words: str = "none"
    are_features: bool = False


# Images of more values are not all held as floats.
_MOST_VALUES = 2**26


class RoundedImages:
    """Many images in the place of an array, rounded to 8 bits when rows are asked for.

    Args:
        images: uint8, or floats in [0, 1]: an array, or what stands for one.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, images: Any):
        self._images = images
        self.shape = tuple(images.shape)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        return rounded_to_8_bits(self._images[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def _rounded(images: Any) -> Any:
    if int(np.prod(images.shape, dtype=np.int64)) > _MOST_VALUES:
        return RoundedImages(images)
    return rounded_to_8_bits(images)


PREPARATIONS: dict[type[Kind], Preparation] = {
    # Samples in memory and samples in PNG files get the same scores.
    Images: Preparation(_rounded, "rounded to 8 bits"),
    Points: Preparation(are_features=True),
}
"""By kind; what is not here is measured as it is."""


def preparation(kind: Kind) -> Preparation:
    """The preparation for samples of a kind."""
    return PREPARATIONS.get(type(kind), Preparation())


class SampleSet:
    """Samples with the values that metrics need, each computed on first use.

    Args:
        samples: Samples in memory, an array or `kgan.rows.Rows`, in the units of their kind; images
            also as uint8.
        labels: Class numbers, int (n,), or `None`.
        kind: Kind of the samples; by default `kgan.kinds.of_array` of the array.
        extractor: The extractor of features and probabilities, or `None`.
        data: Name of the real data; if given, features are cached on disk.
        split: Name of the split of the real data.
    """

    def __init__(
        self,
        samples: Any,
        labels: np.ndarray | None = None,
        *,
        kind: Kind | None = None,
        extractor: Extractor | None = None,
        data: str | None = None,
        split: str = "train",
    ):
        samples = samples if hasattr(samples, "shape") else np.asarray(samples)
        if labels is not None and np.shape(labels)[:1] != (len(samples),):
            raise ValueError(
                f"labels must be one for each of {len(samples)} samples, got the shape "
                f"{np.shape(labels)}."
            )
        self._samples = samples
        self.labels = labels
        self.kind = kind or kgan.kinds.of_array(data or "a sample set", samples.shape)
        self.extractor = extractor
        self.data = data
        self.split = split

    def __len__(self) -> int:
        return len(self._samples)

    @functools.cached_property
    def samples(self) -> Any:
        """The samples as they are measured; images float32, rounded to 8 bits.

        Many images are `RoundedImages`, of which portions come into memory.
        """
        prepare = preparation(self.kind).prepare
        return self._samples if prepare is None else prepare(self._samples)

    @functools.cached_property
    def features(self) -> np.ndarray:
        """Features, float32 (n, d), from the extractor; for points the points themselves."""
        if preparation(self.kind).are_features:
            return self.samples
        if self.extractor is None:
            raise ValueError("an extractor must be given (--extractor) for scores of features.")
        if self.data is None:
            return self.extractor.features(self._samples)
        return cached_features(self.extractor, self._samples, data=self.data, split=self.split)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """Class probabilities, float32 (n, classes), from the extractor."""
        if self.extractor is None:
            raise ValueError("an extractor must be given (--extractor) for scores of classes.")
        return self.extractor.probabilities(self._samples)

    def take(self, rows: np.ndarray) -> "SampleSet":
        """The samples with the given row numbers, with features that were computed already."""
        taken = SampleSet(
            part(self._samples, rows),
            None if self.labels is None else self.labels[rows],
            kind=self.kind,
            extractor=self.extractor,
            data=self.data,
            split=self.split,
        )
        for name in ("features", "probabilities"):
            if name in self.__dict__:
                taken.__dict__[name] = self.__dict__[name][rows]
        return taken

    def random(self, n: int) -> "SampleSet":
        """`n` random rows, always the same ones; all rows if there are not more."""
        if n >= len(self):
            return self
        return self.take(np.sort(np.random.default_rng(0).permutation(len(self))[:n]))
