"""Feeds a data set as private training needs it: each record is in a step by a coin of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import stats

import kgan.data.order
import kgan.random
from kgan.data.canaries import Canaries
from kgan.data.dataset import Dataset
from kgan.data.feed import reader
from kgan.rows import EncodedRows

# A batch overflows with this probability in all steps of a training together, at most; what does
# not fit is left out. Deltas are far larger.
_OVERFLOW = 1e-10
_STEPS = 1e6


def private_feed(
    dataset: Dataset,
    batch_size: int,
    *,
    key: np.ndarray,
    draws: int = 1,
    start: int = 0,
    canaries: Canaries | None = None,
    labels: bool = True,
    flip: bool = False,
    seed: int = 0,
) -> tf.data.Dataset:
    """An endless stream of Poisson samples: what `kgan.models.PrivateGAN` trains on.

    Each record is in a draw with the probability `batch_size / len(dataset)`, independently of all
    others; the accountants' guarantee is about this sampling, not about shuffled batches. A draw is
    padded to a fixed length. The stream is a function of the key and the step, so it can be entered
    anywhere.

    Args:
        dataset: A data set, for example from `kgan.data.load`.
        batch_size: Number of records to expect in a draw, from 1 to the number of records.
        key: Seed of the draws, int32 (2,); a `PrivateGAN` has one, `gan.key`.
        draws: Draws in a step, one for each discriminator half-step.
        start: Number of the first step, counted from 0.
        canaries: Of an audit, whose data these are: those that do not take part are never taken,
            and each batch has "watched" too, all canaries and then some other records, and
            "averaged", further records, new ones in each step: dicts of "samples" and perhaps
            "labels".
        labels: Whether to give labels if the data set has any.
        flip: Whether each image is mirrored left to right with probability 1/2.
        seed: Seed of the flips, an int.

    Returns:
        A `tf.data.Dataset` of dicts: "samples" (rows, ...), float32 and images in [0, 1];
        "taken" bool (rows,), false for padding; and "labels" int (rows,). Row i belongs to draw
        i modulo `draws`.
    """
    read = reader(dataset, seed=kgan.random.check_seed(seed), flip=flip)
    classes = tf.constant(dataset.labels) if labels and dataset.labels is not None else None

    def batch(step: tf.Tensor, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        found = {"samples": read(step, rows)}
        return found if classes is None else {**found, "labels": tf.gather(classes, rows)}

    return _stream(dataset, batch, batch_size, key=key, draws=draws, start=start, canaries=canaries)


def private_rows(
    dataset: Dataset,
    batch_size: int,
    *,
    encoded: EncodedRows,
    key: np.ndarray,
    draws: int = 1,
    start: int = 0,
    canaries: Canaries | None = None,
    seed: int = 0,
) -> tf.data.Dataset:
    """`private_feed` for a table: what `kgan.models.PrivateTableGAN` trains on.

    Args:
        dataset: A table.
        batch_size: As for `private_feed`, as are `key`, `draws` and `start`.
        encoded: Its rows, from `encoded_rows` of the model's encoder.
        key: Seed of the draws.
        draws: Draws in a step.
        start: Number of the first step.
        canaries: Of an audit.
        seed: Seed of the column for which each row stands in a step, an int.

    Returns:
        A `tf.data.Dataset` of dicts of "samples", `EncodedRows`; "chances" in [0, 1), float32, by
        which the column is drawn for which each row stands; and "taken".
    """
    places, codes = tf.constant(encoded.places), tf.constant(encoded.codes)
    seed = kgan.random.check_seed(seed)

    def batch(step: tf.Tensor, rows: tf.Tensor) -> dict[str, Any]:
        samples = EncodedRows(tf.gather(places, rows), tf.gather(codes, rows))
        place = kgan.random.step_seed(seed, step, "column")
        chances = kgan.random.stateless_uniform(place, [len(dataset)])
        return {"samples": samples, "chances": tf.gather(chances, rows)}

    return _stream(dataset, batch, batch_size, key=key, draws=draws, start=start, canaries=canaries)


def _stream(
    dataset: Dataset,
    batch: Callable[[tf.Tensor, tf.Tensor], dict[str, Any]],
    batch_size: int,
    *,
    key: np.ndarray,
    draws: int,
    start: int,
    canaries: Canaries | None,
) -> tf.data.Dataset:
    n = len(dataset)
    if not 1 <= batch_size <= n:
        raise ValueError(
            f"batch_size must be between 1 and the {n} samples of {dataset.name}, got {batch_size}."
        )
    if canaries is not None and canaries.data is not dataset:
        raise ValueError(
            f"canaries must be hidden in the data that are fed, {dataset.name}: pass canaries.data."
        )
    rate = batch_size / n
    draw = kgan.data.order.poisson(n, rate, capacity(n, rate), key=tf.constant(key, tf.int32))
    absent = np.zeros(n, bool)
    if canaries is not None:
        absent[canaries.others :] = ~canaries.included
    here = tf.constant(~absent)

    def drawn(step: tf.Tensor) -> dict[str, Any]:
        parts = [draw(step * draws + part) for part in range(draws)]
        rows, taken = (tf.reshape(tf.stack(one, axis=1), [-1]) for one in zip(*parts, strict=True))
        found = {**batch(step, rows), "taken": taken & tf.gather(here, rows)}
        if canaries is None:
            return found
        watched, averaged = _watched(step, canaries)
        return {**found, "watched": batch(step, watched), "averaged": batch(step, averaged)}

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(drawn, num_parallel_calls=1, deterministic=True).prefetch(2)


def _watched(step: tf.Tensor, canaries: Canaries) -> tuple[tf.Tensor, tf.Tensor]:
    """All canaries with some other records, and yet others, which hang on nothing but the step."""
    place = kgan.random.step_seed(0, step, "witnesses")
    draws = kgan.random.stateless_uniform(place, [canaries.others])
    wanted = canaries.witnesses + canaries.averaged
    _, some = tf.math.top_k(draws, min(wanted, canaries.others))
    some = tf.cast(some, tf.int64)
    first = min(canaries.witnesses, canaries.others // 2)
    own = tf.range(canaries.others, len(canaries.data), dtype=tf.int64)
    return tf.concat([own, some[:first]], 0), some[first:]


def capacity(n: int, rate: float) -> int:
    """Rows that a Poisson sample of `n` records is padded to: more are drawn as good as never."""
    if rate >= 1:
        return n
    most = int(stats.binom.isf(_OVERFLOW / _STEPS, n, rate)) + 1
    # Even numbers divide among replicas.
    return min(-(-most // 8) * 8, n)
