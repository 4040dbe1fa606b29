"""A data set: samples of a declared kind, with labels, checked once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import kgan.kinds
from kgan.data.stored import StoredImages
from kgan.kinds import Images, Kind
from kgan.portions import part, portions

# As many classes or files are named in a line.
_NAMED = 10


@dataclass(frozen=True, repr=False)
class Dataset:
    """Samples in memory, or on disk.

    Attributes:
        name: Where it came from: a name, a folder or a file.
        samples: Images as uint8 (n, height, width, channels), or as float32 in [0, 1] where the
            source had floats; or points as float32 (n, features); or `kgan.rows.Rows` of a table.
            `StackedImages` stand for a uint8 array, and `StoredImages` for one on disk, of which
            rows come into memory when they are asked for.
        labels: int32 (n,), or `None`.
        class_names: One for each class, or `None` without labels.
        kind: What a sample is; by default `kgan.kinds.of_array` of the samples.
        exact: Images of a source with more than 8 bits, with all their levels: float32 in [0, 1].
            `samples` are these rounded to 8 bits; networks are fed with `values`.
        unreadable: Files that were left out, each with the reason.
        notes: What was done to the samples that a user should know, a line each.
        least: How many samples there must be: 2, or 1 where nothing is learnt from them.
    """

    name: str
    samples: Any
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    kind: Kind = None  # type: ignore[assignment]
    exact: np.ndarray | None = None
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    least: int = 2

    def __post_init__(self):
        if self.kind is None:
            kind = kgan.kinds.of_array(self.name, self.samples.shape)
            object.__setattr__(self, "kind", kind)
        for samples in (self.samples, self.exact):
            if samples is not None:
                # Those on disk were checked when they were written.
                on_disk = isinstance(samples, StoredImages)
                self.kind.check(self.name, samples[:2] if on_disk else samples)
        if len(self.samples) < self.least:
            raise ValueError(
                f"{self.name} holds {len(self.samples)} sample(s); a data set needs at least "
                f"{self.least}."
            )
        for one in self.class_names or ():
            check_class_name(self.name, one)
        if self.labels is not None:
            _check_labels(self.name, self.labels, len(self.samples), self.class_names or ())

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def is_images(self) -> bool:
        return isinstance(self.kind, Images)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.kind.shape

    @property
    def num_classes(self) -> int | None:
        return None if self.class_names is None else len(self.class_names)

    @property
    def values(self) -> Any:
        """The samples with all their levels."""
        return self.samples if self.exact is None else self.exact

    def summary(self) -> str:
        """How many samples there are of what shape, and of each class: a line."""
        shape = "x".join(map(str, self.sample_shape))
        what = self.kind.plural if self.is_images else "samples"
        parts = [f"{len(self):,} {what} of {shape}"]
        if self.unreadable:
            files = ", ".join(one.split(" (")[0] for one in self.unreadable[:_NAMED])
            more = len(self.unreadable) - _NAMED
            parts.append(
                f"{len(self.unreadable)} unreadable ({files}{f' and {more} more' * (more > 0)})"
            )
        if self.labels is not None and self.class_names is not None:
            counts = np.bincount(self.labels, minlength=len(self.class_names))
            some = [f"{name} {n:,}" for name, n in zip(self.class_names, counts, strict=True)]
            rest = f" and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
            word = "class" if len(some) == 1 else "classes"
            parts.append(f"{len(some):,} {word}: {', '.join(some[:_NAMED])}{rest}")
        return ", ".join(parts)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}: {self.summary()})"

    def fingerprint(self) -> dict[str, Any]:
        """Values that identify the data: number of samples, a hash of all data, the classes."""
        sha256 = self._sha256()
        names = None if self.class_names is None else list(self.class_names)
        found = {"count": len(self), "sha256": sha256, "class_names": names}
        if self.is_images and self.kind.value_range is not None:  # type: ignore[attr-defined]
            found["value_range"] = list(self.kind.value_range)  # type: ignore[attr-defined]
        return found

    def _sha256(self) -> str:
        if isinstance(self.samples, StoredImages):
            return self.samples.remembered("sha256", self.labels, self._computed_sha256)
        return self._computed_sha256()

    def _computed_sha256(self) -> str:
        digest = hashlib.sha256()
        for array in (*_arrays(self.samples), self.exact, self.labels):
            if array is not None:
                digest.update(f"{array.dtype} {array.shape}".encode())
                for some in portions(array):
                    digest.update(np.ascontiguousarray(some).data)
        return digest.hexdigest()

    def take(self, rows: Sequence[int] | np.ndarray) -> "Dataset":
        """A data set of the samples with the given row numbers, in that order.

        Many samples that are on disk stay there.
        """
        return replace(
            self,
            samples=part(self.samples, rows),
            labels=None if self.labels is None else self.labels[rows],
            exact=None if self.exact is None else part(self.exact, rows),
        )

    def as_float(self) -> np.ndarray:
        """All samples as float32, images in [0, 1]; four times the memory of uint8.

        Of many samples take some: `data.take(rows).as_float()`.
        """
        return self.kind.as_float(self.values)

    def some_as_float(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The samples with the given row numbers, in that order, which may be but one."""
        return self.kind.as_float(part(self.values, rows))


def _arrays(samples: Any) -> Sequence[np.ndarray]:
    """The arrays that hold the samples."""
    return samples.arrays if hasattr(samples, "arrays") else [samples]


def check_class_name(name: str, class_name: str) -> None:
    """Raises for a name that no export can hold, which would be told when the training ends."""
    wrong = None
    if len(class_name.splitlines()) != 1:
        wrong = "be of one line"
    elif not class_name.isascii():
        try:
            class_name.encode()
        except UnicodeEncodeError:
            # The name of a folder that was unpacked from an archive of another encoding.
            wrong = "be text in UTF-8"
    if wrong:
        raise ValueError(f"class_names of {name} must each {wrong}, got {class_name!a}: rename it.")


def _check_labels(name: str, labels: np.ndarray, n: int, class_names: Sequence[str]) -> None:
    if labels.shape != (n,) or labels.dtype != np.int32:
        raise ValueError(
            f"labels of {name} must be int32 of shape ({n},), one a sample, "
            f"got {labels.dtype} of shape {labels.shape}."
        )
    if n and not (labels.min() >= 0 and labels.max() < len(class_names)):
        raise ValueError(
            f"labels of {name} must be in [0, {len(class_names) - 1}] for {len(class_names)} "
            f"classes, got {labels.min()} to {labels.max()}."
        )
