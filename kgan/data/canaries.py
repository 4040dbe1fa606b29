"""Records of random values, which an audit hides among the data and looks for afterwards."""

from dataclasses import dataclass

import numpy as np

from kgan.data.dataset import Dataset
from kgan.kinds import Images, Table
from kgan.rows import Category, Date, Id, Integer, Rows


@dataclass(frozen=True)
class Canaries:
    """Data whose last records are canaries, of which a coin of each decides whether it takes part.

    Attributes:
        data: As many records as there were. Whatever is told of them beside the training is told
            with all canaries, and so tells nothing of the coins.
        included: Whether each canary takes part, bool (canaries,). The others are never drawn: one
            coin adds one record, or takes it away, and changes nothing else.
        witnesses: How many of the other records each batch holds beside what it trains on.
        averaged: How many of them, drawn apart from those, tell the mean of all.
    """

    data: Dataset
    included: np.ndarray
    witnesses: int = 500
    averaged: int = 1500

    def __len__(self) -> int:
        return len(self.included)

    @property
    def others(self) -> int:
        """Number of records that are no canaries."""
        return len(self.data) - len(self)


def with_canaries(data: Dataset, count: int, random: np.random.Generator) -> Canaries:
    """Puts random samples in the places of some, and tosses their coins.

    Each value of a canary is evenly drawn among all that it may be: images of float32 in [0, 1],
    points within the range of the data, rows of a table within its columns; and so is its label.

    Args:
        data: The data among which they go.
        count: How many, from 20 to half of the data.
        random: Where all draws come from: of a seed that nobody knows where the audit shall hold
            against somebody.
    """
    if not 20 <= count <= len(data) // 2:
        raise ValueError(
            f"canaries must be from 20 to half of the {len(data)} records, got {count}."
        )
    kept = data.take(np.sort(random.permutation(len(data))[count:]))
    made = _samples(data, count, random)
    values: np.ndarray | Rows
    if isinstance(made, Rows):
        values = Rows.joined([kept.samples, made])
    else:
        values = np.concatenate([kept.as_float(), made])
    labels = kept.labels
    if labels is not None:
        drawn = random.integers(0, data.num_classes, count).astype(np.int32)
        labels = np.concatenate([labels, drawn])
    name = f"{data.name} with canaries"
    mixed = Dataset(name, values, labels, data.class_names, data.kind)
    return Canaries(mixed, random.random(count) < 0.5)


def _samples(data: Dataset, count: int, random: np.random.Generator) -> np.ndarray | Rows:
    if isinstance(data.kind, Table):
        return Rows({one.name: _values(one, count, random) for one in data.kind.columns})
    shape = (count, *data.sample_shape)
    if isinstance(data.kind, Images):
        return random.random(shape, np.float32)
    values = data.as_float()
    return random.uniform(values.min(0), values.max(0), shape).astype(np.float32)


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
