"""Samples a portion at a time, so that a set on disk never comes into memory as a whole."""

from collections.abc import Iterator
from typing import Any

import numpy as np

_BYTES = 32 * 2**20


def part(samples: Any, rows: Any) -> Any:
    """The samples with the given row numbers; many of those on disk stay there."""
    return samples.part(rows) if hasattr(samples, "part") else samples[rows]


def portions(samples: Any, *, most: int | None = None) -> Iterator[np.ndarray]:
    """The samples in consecutive arrays.

    Args:
        samples: An array, or what stands for one.
        most: Bytes of a portion, as the samples are kept; by default 32 MB.
    """
    n = len(samples)
    each = int(np.prod(samples.shape[1:], dtype=np.int64)) * samples.dtype.itemsize
    size = max(1, (_BYTES if most is None else most) // max(1, each))
    for start in range(0, n, size):
        yield np.asarray(samples[start : start + size])
