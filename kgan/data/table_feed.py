"""From a table in memory to batches: the batch of a step is a pure function of (seed, step)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import kgan.data.order
from kgan.data.dataset import Dataset
from kgan.data.feed import steps_per_epoch
from kgan.kinds import Table
from kgan.rows import EncodedRows


def feed_rows(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    encoded: EncodedRows | None = None,
    by_category: bool = True,
    parts: Sequence[tuple[int, int]] | None = None,
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
        encoded: The rows in the short form of `kgan.networks.TableEncoder.encoded_rows`, which
            spares each step its encoding.
        by_category: Whether rows are drawn for categories, where there are some.
        parts: Of what rows are drawn for in place of the categories of columns: the number of each
            column of `encoded.codes`, and how many codes it has.

    Returns:
        A `tf.data.Dataset` of (columns, categories): a dict of float32, int64 and string tensors
        (batch,), and the number of the category that each row was drawn for, int32 (batch,), among
        all categories of `Table.conditions`, or of `parts`. Without categories, of the columns
        alone. Where `encoded` is given, of (`EncodedRows`, categories), with -1 for no category.
    """
    steps_per_epoch(dataset, batch_size)
    table = dataset.kind
    if not isinstance(table, Table):
        raise ValueError(f"{dataset.name} must be a table, got {dataset.kind.plural}.")
    draws = by_category and bool(table.conditions if parts is None else parts)
    if encoded is None:
        columns = {name: _constant(values) for name, values in dataset.samples.columns.items()}

        def taken(rows: tf.Tensor) -> Any:
            return {name: tf.gather(values, rows) for name, values in columns.items()}

    else:
        places, codes = tf.constant(encoded.places), tf.constant(encoded.codes)

        def taken(rows: tf.Tensor) -> Any:
            return EncodedRows(tf.gather(places, rows), tf.gather(codes, rows))

    if draws:
        if parts is None:
            codes_of = [column.codes(dataset.samples[column.name]) for column in table.conditions]
            sizes = [len(column.values) for column in table.conditions]
        else:
            if encoded is None:
                raise ValueError("encoded must be given with parts, which are parts of its codes.")
            codes_of, sizes = [encoded.codes[:, one] for one, _ in parts], [n for _, n in parts]
        drawn = kgan.data.order.by_category(codes_of, sizes, batch_size, seed=seed)

        def batch(step):
            rows, categories = drawn(step)
            return taken(rows), categories

    else:
        shuffled = kgan.data.order.shuffled(len(dataset), batch_size, seed=seed)

        def batch(step):
            rows = taken(shuffled(step))
            return rows if encoded is None else (rows, tf.fill([batch_size], -1))

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def _constant(values: np.ndarray) -> tf.Tensor:
    if values.dtype == object:
        return tf.constant(values.tolist())
    # Dates are counts of microseconds.
    return tf.constant(values.astype(np.int64) if values.dtype.kind == "M" else values)
