"""From a dataset in memory to batches: the batch of a step is a pure function of (seed, step)."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

import kgan.data.order
import kgan.random
from kgan.data.dataset import Dataset
from kgan.data.stacked import StackedImages


def steps_per_epoch(dataset: Dataset, batch_size: int) -> int:
    """Full batches in a pass over the data.

    Raises:
        ValueError: Where the batch is larger than the data.
    """
    if not 1 <= batch_size <= len(dataset):
        raise ValueError(
            f"batch_size must be between 1 and the {len(dataset)} samples of {dataset.name}, "
            f"got {batch_size}."
        )
    return len(dataset) // batch_size


def feed(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    labels: bool = True,
    flip: bool = False,
) -> tf.data.Dataset:
    """An endless stream of training batches, float32, images in [0, 1].

    Each pass takes the samples in an order that is a function of (seed, pass) and leaves out the
    last incomplete batch, so the stream can be entered at any step: `start=k` gives the batches
    that `start=0` gives from step k on. Pass `steps_per_epoch` to `fit`.

    Args:
        dataset: From `kgan.data.load`.
        batch_size: Samples in a (global) batch.
        seed: Seed of the order and the flips.
        start: Number of the first step.
        labels: Whether to give `(samples, labels)` where the data has labels.
        flip: Whether each image is mirrored left to right with probability 1/2.

    Returns:
        A `tf.data.Dataset` of samples, or `(samples, labels)`.
    """
    seed = kgan.random.check_seed(seed)
    steps_per_epoch(dataset, batch_size)
    if flip and not dataset.is_images:
        raise ValueError(f"flip must be off for points, as those of {dataset.name}.")
    take = _taker(dataset.samples)
    classes = tf.constant(dataset.labels) if labels and dataset.labels is not None else None
    order = kgan.data.order.shuffled(len(dataset), batch_size, seed=seed)

    def batch(step):
        rows = order(step)
        images = to_float(take(rows))
        if flip:
            seeds = kgan.random.step_seed(seed, step, "flip")
            coin = kgan.random.stateless_uniform(seeds, [batch_size, 1, 1, 1])
            images = tf.where(coin < 0.5, images, images[:, :, ::-1])
        return images if classes is None else (images, tf.gather(classes, rows))

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def _taker(samples: np.ndarray | StackedImages) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of row numbers, inside a graph, that gives those samples."""
    if isinstance(samples, StackedImages):
        grey, parts = tf.constant(samples.grey), tf.constant(samples.parts)
        return lambda rows: tf.transpose(tf.gather(grey, tf.gather(parts, rows)), [0, 2, 3, 1])
    values = tf.constant(samples)
    return lambda rows: tf.gather(values, rows)


def to_float(samples: tf.Tensor) -> tf.Tensor:
    """uint8 images to float32 in [0, 1]; floats as they are."""
    return tf.cast(samples, tf.float32) / 255.0 if samples.dtype == tf.uint8 else samples
