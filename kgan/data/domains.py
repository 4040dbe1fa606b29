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
        kinds = self.kinds
        same = type(kinds[0]) is type(kinds[1])
        if same and isinstance(kinds[0], Images):
            same = kinds[0].shape[:2] == kinds[1].shape[:2]
        elif same:
            same = kinds[0] == kinds[1]
        if not same:
            one, other = ("x".join(map(str, kind.shape)) for kind in kinds)
            raise ValueError(
                f"domains must have samples of one size, got {one} in {self.a.name} and {other} in "
                f"{self.b.name}. Resize both (--image-size)."
            )

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
    """Samples of two domains in one order: each of A belongs to the one of B at its row."""

    paired: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        if len(self.a) != len(self.b):
            raise ValueError(
                f"pairs must be as many in both domains, got {len(self.a)} samples of "
                f"{self.a.name} and {len(self.b)} of {self.b.name}."
            )


def feed_apart(
    domains: Domains, batch_size: int, *, seed: int = 0, start: int = 0, flip: bool = False
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
    """
    seed = kgan.random.check_seed(seed)
    orders = kgan.data.order.apart(len(domains.a), len(domains.b), batch_size, seed=seed)
    readers = [
        reader(one, seed=seed, flip=flip, purpose=f"flip {name}")
        for name, one in (("a", domains.a), ("b", domains.b))
    ]

    def batch(step):
        return tuple(read(step, order(step)) for read, order in zip(readers, orders, strict=True))

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)
