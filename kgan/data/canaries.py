"""Records of random values, which an audit hides among the data and looks for afterwards."""

import numpy as np

from kgan.data.dataset import Dataset
from kgan.kinds import Images, Table
from kgan.rows import Category, Date, Id, Integer, Rows


def canaries(data: Dataset, count: int, random: np.random.Generator) -> np.ndarray | Rows:
    """Random samples of the kind of the data: each value is evenly drawn among all it may be.

    Args:
        data: The data among which they go.
        count: How many, from 20 to half of the data.
        random: Where the draws come from.

    Returns:
        float32 images in [0, 1]; points within the range of the data; or rows of a table, within
        its columns.
    """
    if not 20 <= count <= len(data) // 2:
        raise ValueError(
            f"canaries must be from 20 to half of the {len(data)} records, got {count}."
        )
    if isinstance(data.kind, Table):
        return Rows({one.name: _values(one, count, random) for one in data.kind.columns})
    shape = (count, *data.sample_shape)
    if isinstance(data.kind, Images):
        return random.random(shape, np.float32)
    values = data.as_float()
    return random.uniform(values.min(0), values.max(0), shape).astype(np.float32)


def with_canaries(
    data: Dataset, chosen: np.ndarray | Rows, canaries: int, random: np.random.Generator
) -> Dataset:
    """The data, in which chosen canaries take places of records.

    Args:
        data: The data.
        chosen: Those that take part.
        canaries: How many there are, with those that do not take part.
        random: Where the choice of records, and labels of canaries, come from.
    """
    # As many records as before, so that the sampling rate is the run's.
    rows = random.permutation(len(data))[: len(data) - len(chosen)]
    kept = data.take(np.sort(rows))
    labels = data.labels
    if labels is not None:
        drawn = random.integers(0, data.num_classes, len(chosen)).astype(np.int32)
        labels = np.concatenate([kept.labels, drawn])
    values: np.ndarray | Rows
    if isinstance(chosen, Rows):
        values = Rows.joined([kept.samples, chosen])
    else:
        values = np.concatenate([kept.as_float(), chosen])
    return Dataset(f"{data.name} with canaries", values, labels, data.class_names, data.kind)


def _values(column, count: int, random: np.random.Generator) -> np.ndarray:
    if isinstance(column, Category):
        chosen = random.integers(0, len(column.values), count)
        return np.array(column.values, column.dtype)[chosen]
    if isinstance(column, Id):
        numbers = np.arange(count)
        if column.prefix is None:
            return numbers
        return np.array([f"{column.prefix}{one}" for one in numbers], object)
    if isinstance(column, Integer):
        return random.integers(column.low, column.high + 1, count).astype(column.dtype)
    if isinstance(column, Date):
        steps = random.integers(column.low, column.high + 1, count)
        return (steps * column.step).astype(column.dtype)
    return random.uniform(column.low, column.high, count).astype(column.dtype)
