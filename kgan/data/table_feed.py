"""From a table in memory to batches: the batch of a step is a pure function of (seed, step)."""

import numpy as np
import tensorflow as tf

import kgan.data.order
from kgan.data.dataset import Dataset
from kgan.data.feed import steps_per_epoch
from kgan.kinds import Table


def feed_rows(
    dataset: Dataset, batch_size: int, *, seed: int = 0, start: int = 0
) -> tf.data.Dataset:
    """An endless stream of training batches of a table: its columns, and what each row stands for.

    Where the table has categories, rows are drawn as `kgan.data.order.by_category` says; else each
    pass takes every row once. The stream can be entered at any step, as that of
    `kgan.data.feed`.

    Args:
        dataset: Its kind is a `kgan.kinds.Table`.
        batch_size: Rows in a (global) batch.
        seed: Seed of the draws.
        start: Number of the first step.

    Returns:
        A `tf.data.Dataset` of (columns, categories): a dict of float32, int64 and string tensors
        (batch,), and the number of the category that each row was drawn for, int32 (batch,), among
        all categories of `Table.conditions`. Without categories, of the columns alone.
    """
    steps_per_epoch(dataset, batch_size)
    table = dataset.kind
    if not isinstance(table, Table):
        raise ValueError(f"{dataset.name} must be a table, got {dataset.kind.plural}.")
    columns = {name: _constant(values) for name, values in dataset.samples.columns.items()}

    def taken(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.gather(values, rows) for name, values in columns.items()}

    if table.conditions:
        codes = [column.codes(dataset.samples[column.name]) for column in table.conditions]
        sizes = [len(column.values) for column in table.conditions]
        drawn = kgan.data.order.by_category(codes, sizes, batch_size, seed=seed)

        def batch(step):
            rows, categories = drawn(step)
            return taken(rows), categories

    else:
        shuffled = kgan.data.order.shuffled(len(dataset), batch_size, seed=seed)

        def batch(step):
            return taken(shuffled(step))

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def _constant(values: np.ndarray) -> tf.Tensor:
    return tf.constant(values.tolist() if values.dtype == object else values)
