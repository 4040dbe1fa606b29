"""Samples of two domains: apart, for translation that learns without pairs, or in pairs."""

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

import kgan.data.order
import kgan.random
from kgan.data.dataset import Dataset
from kgan.data.feed import reader
from kgan.kinds import Images, Kind


@dataclass(frozen=True)
class Domains:
    """Samples of two domains, of which no two belong together.

    Attributes:
        a: Samples of domain A.
        b: Samples of domain B: of the same kind, images of the same height and width.
        paired: Whether each sample of A belongs to the sample of B at the same row.
    """

    a: Dataset
    b: Dataset

    paired: ClassVar[bool] = False

    def __post_init__(self):
        if not self._fit():
            one, other = ("x".join(map(str, kind.shape)) for kind in self.kinds)
            raise ValueError(
                f"domains must have samples of one size, got {one} in {self.a.name} and {other} in "
                f"{self.b.name}. Resize both (--image-size)."
            )

    def _fit(self) -> bool:
        """Whether there may be a translation: images of one height and width, or equal kinds."""
        one, other = self.kinds
        if isinstance(one, Images) and isinstance(other, Images):
            return one.shape[:2] == other.shape[:2]
        return one == other

    def __len__(self) -> int:
        """Samples of the larger domain: a pass over it is an epoch."""
        return max(len(self.a), len(self.b))

    @property
    def name(self) -> str:
        return f"{self.a.name} and {self.b.name}"

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        """What a sample of A is, and one of B."""
        return self.a.kind, self.b.kind

    @property
    def class_names(self) -> None:
        """None: a translation knows no classes."""
        return None

    def fingerprint(self) -> dict[str, Any]:
        """What tells these data from others: how many there are, and a hash of all of them."""
        parts = self.a.fingerprint(), self.b.fingerprint()
        hashes = " ".join(part["sha256"] for part in parts)
        return {
            "count": sum(part["count"] for part in parts),
            "sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        }


@dataclass(frozen=True)
class Pairs(Domains):
    """Samples of two domains in one order: each of A belongs to the one of B at its row.

    Images of B may be larger than those of A by a whole factor, and have other channels.
    """

    paired: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        if len(self.a) != len(self.b):
            raise ValueError(
                f"pairs must be as many in both domains, got {len(self.a)} samples of "
                f"{self.a.name} and {len(self.b)} of {self.b.name}."
            )

    def _fit(self) -> bool:
        one, other = self.kinds
        if isinstance(one, Images) and isinstance(other, Images):
            factor = other.height // one.height
            return factor > 0 and other.shape[:2] == (factor * one.height, factor * one.width)
        return one == other

    @property
    def factor(self) -> int:
        """How many times as large images of B are; 1 for other samples."""
        one, other = self.kinds
        if isinstance(one, Images) and isinstance(other, Images):
            return other.height // one.height
        return 1

    def take(self, rows: np.ndarray) -> "Pairs":
        """The pairs with the given row numbers, in that order."""
        return Pairs(self.a.take(rows), self.b.take(rows))


def feed_apart(
    domains: Domains,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    flip: bool = False,
    crop: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """An endless stream of training batches `(a, b)`, float32, images in [0, 1].

    Each domain has an order of its own, so that no two samples stay together; the passes of the
    smaller domain begin more often. The batch of a step is a function of (seed, step): `start=k`
    gives the batches that `start=0` gives from step k on. Pass `steps_per_epoch` to `fit`.

    Args:
        domains: Samples of two domains.
        batch_size: Samples of each domain in a (global) batch.
        seed: Seed of the orders and the flips.
        start: Number of the first step.
        flip: Whether each image is mirrored left to right with probability 1/2.
        crop: (height, width) of a random part that is cut from each image.
    """
    seed = kgan.random.check_seed(seed)
    orders = kgan.data.order.apart(len(domains.a), len(domains.b), batch_size, seed=seed)
    readers = [
        reader(one, seed=seed, flip=flip, purpose=f"flip {name}", crop=crop)
        for name, one in (("a", domains.a), ("b", domains.b))
    ]

    def batch(step):
        return tuple(read(step, order(step)) for read, order in zip(readers, orders, strict=True))

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def feed_pairs(
    pairs: Pairs,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    flip: bool = False,
    crop: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """An endless stream of training batches `(a, b)` of pairs, float32, images in [0, 1].

    Both of a pair are mirrored or not, and the same part is cut from both. The published "random
    jitter" is this: images are read a little larger than the crop. A batch is a function of
    (seed, step), as those of `kgan.data.feed`.

    Args:
        pairs: The pairs.
        batch_size: Pairs in a (global) batch.
        seed: Seed of the order, the flips and the crops.
        start: Number of the first step.
        flip: Whether each pair is mirrored left to right with probability 1/2.
        crop: (height, width) of the part of A; of larger images of B the part is larger by their
            factor.
    """
    seed = kgan.random.check_seed(seed)
    order = kgan.data.order.shuffled(len(pairs), batch_size, seed=seed)
    readers = []
    for one, unit in ((pairs.a, 1), (pairs.b, pairs.factor)):
        part = None if crop is None else (crop[0] * unit, crop[1] * unit)
        readers.append(
            reader(one, seed=seed, flip=flip, purpose="flip of a pair", crop=part, unit=unit)
        )

    def batch(step):
        rows = order(step)
        return tuple(read(step, rows) for read in readers)

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)
