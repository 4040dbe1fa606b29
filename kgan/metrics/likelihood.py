"""Bits per dimension, from log-likelihoods."""

import math
from typing import NamedTuple

import numpy as np

from kgan.metrics.checks import check_whole

UNIFORM_BITS = 8.0
"""What images of 8 bits cost where all are equally likely."""


class Bits(NamedTuple):
    """Bits per dimension of held-out and of training samples."""

    held_out: float
    train: float


def bits_per_dimension(train: np.ndarray, held_out: np.ndarray, *, dimensions: int) -> Bits:
    """What a value of a sample costs on average, by a model that says how likely samples are.

    Where all images of 8 bits are equally likely it is 8. A model that knows its training samples
    better than others like them has learnt some by heart.

    Args:
        train: Log-likelihoods of training samples in nats, (n,), or lower bounds of them.
        held_out: The same of held-out samples, (m,).
        dimensions: Values in a sample.

    Returns:
        `Bits`: bits per dimension of the held-out samples, and of the training samples.

    Raises:
        ValueError: for no samples, and log-likelihoods that are not finite.
    """
    check_whole(dimensions, "dimensions")
    for name, nats in (("train", train), ("held_out", held_out)):
        if np.ndim(nats) != 1 or not len(nats) or not np.isfinite(nats).all():
            raise ValueError(
                f"{name} must be finite log-likelihoods of shape (n,), n > 0, got the shape "
                f"{np.shape(nats)} and {np.size(nats) - int(np.isfinite(nats).sum())} that are not."
            )
    per_bit = dimensions * math.log(2)
    held_out_bits, train_bits = (-float(np.mean(nats)) / per_bit for nats in (held_out, train))
    return Bits(held_out_bits, train_bits)
