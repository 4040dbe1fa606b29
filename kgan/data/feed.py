"""Feeds a data set as batches; each batch is a pure function of (seed, step)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import kgan.data.order
import kgan.random
from kgan.data.cropping import check_crop, random_crop
from kgan.data.dataset import Dataset
from kgan.data.stacked import StackedImages
from kgan.data.stored import StoredImages

# Samples of so many bytes are held a second time, by TensorFlow.
_MOST_COPIED = 64 * 2**20


def steps_per_epoch(dataset: Dataset, batch_size: int) -> int:
    """Number of full batches in a pass over the data.

    Raises:
        ValueError: If the batch is larger than the data.
    """
    if not 1 <= batch_size <= len(dataset):
        raise ValueError(
            f"batch_size must be between 1 and the {len(dataset)} samples of {dataset.name}, "
            f"got {batch_size}."
        )
    return len(dataset) // batch_size


class Part(NamedTuple):
    """What one of several workers reads of each batch: a piece for each of its replicas.

    Attributes:
        worker: Number of the worker, from 0.
        workers: How many there are.
        replicas: How many replicas each of them has.
    """

    worker: int
    workers: int
    replicas: int = 1


def feed(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    labels: bool = True,
    flip: bool = False,
    part: Part | None = None,
    order: kgan.data.order.Order | None = None,
) -> tf.data.Dataset:
    """An endless stream of training batches, float32, images in [0, 1].

    Each pass takes the samples in an order that is a function of (seed, pass) and leaves out the
    last incomplete batch, so the stream can be entered at any step: `start=k` gives the batches
    that `start=0` gives from step k on. Pass `steps_per_epoch` to `fit`.

    Args:
        dataset: A data set, for example from `kgan.data.load`.
        batch_size: Number of samples in a (global) batch.
        seed: Seed of the order and the flips, an int.
        start: Number of the first step, counted from 0.
        labels: Whether to return `(samples, labels)` if the data set has labels.
        flip: Whether each image is mirrored left to right with probability 1/2.
        part: What is read of each batch: the pieces of one worker, a piece after the other, in the
            place of the whole. The batch size must be a multiple of the number of all pieces.
        order: Which rows a step has, such as from `kgan.data.order.balanced`; by default those of a
            shuffled pass.

    Returns:
        A `tf.data.Dataset` of samples, or `(samples, labels)`.
    """
    seed = kgan.random.check_seed(seed)
    steps_per_epoch(dataset, batch_size)
    part = part or Part(0, 1)
    size = batch_size // (part.workers * part.replicas)
    read = reader(dataset, seed=seed, flip=flip, batch_size=batch_size)
    classes = tf.constant(dataset.labels) if labels and dataset.labels is not None else None
    order = order or kgan.data.order.shuffled(len(dataset), batch_size, seed=seed)

    def batch(number):
        step, replica = number // part.replicas, number % part.replicas
        first = (part.worker * part.replicas + replica) * size
        places = first + tf.range(size, dtype=tf.int64)
        rows = tf.gather(order(step), places)
        samples = read(step, rows, tf.cast(places, tf.int32))
        return samples if classes is None else (samples, tf.gather(classes, rows))

    steps = tf.data.Dataset.range(start * part.replicas, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def reader(
    dataset: Dataset,
    *,
    seed: int,
    flip: bool = False,
    purpose: str = "flip",
    crop: tuple[int, int] | None = None,
    unit: int = 1,
    batch_size: int | None = None,
) -> Callable[..., tf.Tensor]:
    """A function of (step, rows), inside a graph, that gives those samples for training.

    Of a part of a batch it takes the places of its rows in the whole batch too.

    Args:
        dataset: From `kgan.data.load`.
        seed: Seed of the flips and of the places of the crops.
        flip: Whether each image is mirrored left to right with probability 1/2.
        purpose: What the flips and crops are of: two readers of a step draw alike for one purpose,
            and apart for two.
        crop: (height, width) of a random part that is cut from each image; `None` leaves it whole.
        unit: Pixels by which the place of a crop moves. Of two readers the one whose images are
            twice as large cuts the same part with twice the crop and twice the unit.
        batch_size: Rows of the whole batch, for a reader of parts; without a crop.

    Returns:
        A function that gives float32 samples, images in [0, 1].
    """
    if flip and not dataset.is_images:
        raise ValueError(f"flip must be off for {dataset.kind.plural}, as those of {dataset.name}.")
    if crop is not None:
        check_crop(dataset.name, dataset.kind, crop)
    take = _taker(dataset.values)

    def read(step: tf.Tensor, rows: tf.Tensor, places: tf.Tensor | None = None) -> tf.Tensor:
        samples = to_float(take(rows))
        if crop is not None:
            place = kgan.random.step_seed(seed, step, f"crop of {purpose}")
            samples = random_crop(samples, crop, place, unit=unit)
        if not flip:
            return samples
        coin = kgan.random.stateless_uniform(
            kgan.random.step_seed(seed, step, purpose),
            [tf.shape(rows)[0] if places is None else batch_size, 1, 1, 1],
        )
        coin = coin if places is None else tf.gather(coin, places)
        return tf.where(coin < 0.5, samples, samples[:, :, ::-1])

    return read


def _taker(samples: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """A graph function that maps row numbers to samples."""
    if isinstance(samples, StoredImages) or (
        isinstance(samples, np.ndarray) and samples.nbytes > _MOST_COPIED
    ):
        return lambda rows: _taken(samples, rows)
    if isinstance(samples, StackedImages):
        grey, parts = tf.constant(samples.grey), tf.constant(samples.parts)
        return lambda rows: tf.transpose(tf.gather(grey, tf.gather(parts, rows)), [0, 2, 3, 1])
    values = tf.constant(samples)
    return lambda rows: tf.gather(values, rows)


def _taken(samples: Any, rows: tf.Tensor) -> tf.Tensor:
    """Rows that Python reads: TensorFlow would hold a copy of all of them."""
    found = tf.numpy_function(
        lambda numbers: samples[numbers], [rows], tf.as_dtype(samples.dtype), stateful=False
    )
    return tf.ensure_shape(found, [*rows.shape, *samples.shape[1:]])


def to_float(samples: tf.Tensor) -> tf.Tensor:
    """Converts uint8 images to float32 in [0, 1]; floats are returned unchanged."""
    return tf.cast(samples, tf.float32) / 255.0 if samples.dtype == tf.uint8 else samples
