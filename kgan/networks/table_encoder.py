"""Rows of a table as the vectors that networks see, and back."""

import dataclasses
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

import kgan.kinds
import kgan.random
from kgan.kinds import Table
from kgan.networks import row_activation
from kgan.networks.number_modes import number_modes
from kgan.rows import Category, Integer, Number, Rows

Columns = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where what lies in an encoded row.

    A number takes one value in [-1, 1], its place in its mode, and a one-hot vector of its modes; a
    category takes a one-hot vector.

    Attributes:
        sizes: Length of each part, in order.
        one_hot: Of each part whether it is a one-hot vector.
        conditions: (start, stop) of each category with two values or more, by its name: what a
            generator can be asked for.
    """

    sizes: tuple[int, ...]
    one_hot: tuple[bool, ...]
    conditions: Mapping[str, tuple[int, int]]

    @property
    def size(self) -> int:
        """Length of an encoded row."""
        return sum(self.sizes)

    @property
    def condition_size(self) -> int:
        """Length of a condition: how many categories can be asked for, of all columns."""
        return sum(stop - start for start, stop in self.conditions.values())


@keras.saving.register_keras_serializable(package="kgan")
class TableEncoder(keras.layers.Layer):
    """Encodes the columns of a table for networks, and decodes them; made by `fitted`.

    A number is seen relative to one of its modes (mode-specific normalisation), a category as a
    one-hot vector. Decoding gives the table's own units: numbers rounded as the table's are,
    integers as int64, texts as strings, all within what was seen. What was learnt from the data is
    kept in float64 variables, so it is saved with the weights.

    Args:
        table: The kind of the rows.
        modes: How many modes each column of numbers has, in the table's order.

    Reference: Xu et al. 2019, section 4.2 (arXiv:1907.00503).
    """

    def __init__(self, table: Table | Mapping, modes: tuple[int, ...], **options):
        super().__init__(**{**options, "trainable": False})
        self.table = table if isinstance(table, Table) else _table(table)
        self.modes = tuple(modes)
        self.layout = _layout(self.table, self.modes)
        total = (sum(self.modes),)
        self.centers, self.deviations, self.mode_weights, self.scales = (
            self._state(name, total) for name in ("centers", "deviations", "weights", "scales")
        )
        self.frequencies = self._state("frequencies", (self.layout.condition_size,))
        self.built = True

    def _state(self, name: str, shape: tuple[int, ...]) -> keras.Variable:
        # Not cast to what a network computes in.
        return self.add_weight(
            name=name,
            shape=shape,
            dtype="float64",
            initializer="zeros",
            trainable=False,
            autocast=False,
        )

    @classmethod
    def fitted(cls, table: Table, rows: Rows, *, seed: int = 0) -> "TableEncoder":
        """An encoder of these rows.

        Args:
            table: Their kind.
            rows: The rows to learn from.
            seed: Seed of the fit of the modes.
        """
        found = []
        for column in table.columns:
            if isinstance(column, Category):
                continue
            whole = isinstance(column, Integer)
            step = 1.0 if isinstance(column, Integer) else _step(column)
            values = rows[column.name].astype(np.float64)
            found.append(number_modes(values, step=step, whole=whole, seed=seed))
        encoder = cls(table, tuple(len(one.centers) for one in found))
        for name in ("centers", "deviations", "weights", "scales"):
            variable = encoder.mode_weights if name == "weights" else getattr(encoder, name)
            parts = [getattr(one, name) for one in found]
            variable.assign(np.concatenate(parts) if parts else np.zeros(0))
        shares = [
            np.bincount(column.codes(rows[column.name]), minlength=len(column.values)) / len(rows)
            for column in table.conditions
        ]
        encoder.frequencies.assign(np.concatenate(shares) if shares else np.zeros(0))
        return encoder

    def encode(self, columns: Columns, *, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Encoded rows, float64 (n, size).

        Args:
            columns: Tensors (n,) by name, of the table's types. Numbers beyond what was seen are
                clipped.
            seed: From `kgan.random.step_seed`: each number draws its mode from the posterior. By
                default the likeliest mode is taken.

        Raises:
            tf.errors.InvalidArgumentError: When the graph runs on a value that is no category.
        """
        parts, start = [], 0
        sizes = iter(self.modes)
        noise = None
        if seed is not None and self.modes:
            rows = tf.shape(next(iter(columns.values())))[0]
            noise = row_activation.gumbel(kgan.random.uniform(seed, [rows, sum(self.modes)]))
        for column in self.table.columns:
            values = tf.convert_to_tensor(columns[column.name])
            if isinstance(column, Category):
                parts.append(_one_hot(column, values))
            else:
                stop = start + next(sizes)
                drawn = None if noise is None else noise[:, start:stop]
                parts += self._encode_number(column, values, slice(start, stop), drawn)
                start = stop
        return tf.concat(parts, axis=1)

    def decode(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        """Columns of the table's own types and units.

        Args:
            encoded: (n, size) floats; of each one-hot part the greatest value counts, so it may
                also hold logits.

        Returns:
            float32, int64 or string tensors (n,), by name, in the table's order.
        """
        parts = iter(tf.split(tf.cast(encoded, tf.float64), self.layout.sizes, axis=1))
        sizes = iter(self.modes)
        columns, start = {}, 0
        for column in self.table.columns:
            if isinstance(column, Category):
                chosen = tf.argmax(next(parts), axis=1)
                columns[column.name] = tf.gather(_values(column), chosen)
                continue
            place, stop = next(parts)[:, 0], start + next(sizes)
            mode = tf.argmax(next(parts), axis=1)
            center, scale = (
                tf.gather(tf.convert_to_tensor(one)[start:stop], mode)
                for one in (self.centers, self.scales)
            )
            columns[column.name] = _decoded(column, center + scale * tf.clip_by_value(place, -1, 1))
            start = stop
        return columns

    def activate(self, raw: tf.Tensor, uniform: tf.Tensor, *, temperature: float) -> tf.Tensor:
        """Encoded rows of a generator's raw outputs, with a gradient; see `row_activation`."""
        return row_activation.activate(
            raw, uniform, self.layout.sizes, self.layout.one_hot, temperature
        )

    def draw(self, raw: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """Rows to `decode`, drawn by a generator's raw outputs; see `row_activation`."""
        return row_activation.draw(raw, uniform, self.layout.sizes, self.layout.one_hot)

    def condition(self, encoded: tf.Tensor) -> tf.Tensor:
        """The parts of an encoded row that a condition asks for, (n, condition_size)."""
        parts = [encoded[:, start:stop] for start, stop in self.layout.conditions.values()]
        return tf.concat(parts, axis=1) if parts else encoded[:, :0]

    def _encode_number(self, column, values, own: slice, noise) -> list[tf.Tensor]:
        centers, deviations, weights, scales = (
            tf.convert_to_tensor(one)[own]
            for one in (self.centers, self.deviations, self.mode_weights, self.scales)
        )
        clipped = tf.clip_by_value(tf.cast(values, tf.float64), column.low, column.high)
        apart = clipped[:, None] - centers
        log_weights = tf.math.log(tf.maximum(weights, tf.constant(1e-300, tf.float64)))
        logits = log_weights - tf.math.log(deviations) - 0.5 * tf.square(apart / deviations)
        # Only what reaches the value can say where it lies.
        logits = tf.where(tf.abs(apart) <= scales, logits, -np.inf)
        if noise is not None:
            logits += tf.cast(noise, tf.float64)
        mode = tf.argmax(logits, axis=1)
        place = tf.gather(apart / scales, mode, axis=1, batch_dims=1)
        return [place[:, None], tf.one_hot(mode, own.stop - own.start, dtype=tf.float64)]

    def get_config(self) -> dict:
        return {**super().get_config(), "table": self.table.get_config(), "modes": list(self.modes)}


def _table(config: Mapping) -> Table:
    kind = kgan.kinds.from_config(config)
    assert isinstance(kind, Table)
    return kind


def _layout(table: Table, modes: tuple[int, ...]) -> Layout:
    sizes: list[int] = []
    one_hot: list[bool] = []
    conditions: dict[str, tuple[int, int]] = {}
    counts = iter(modes)
    for column in table.columns:
        if isinstance(column, Category):
            if len(column.values) > 1:
                start = sum(sizes)
                conditions[column.name] = (start, start + len(column.values))
            sizes.append(len(column.values))
            one_hot.append(True)
        else:
            sizes += [1, next(counts)]
            one_hot += [False, True]
    return Layout(tuple(sizes), tuple(one_hot), conditions)


def _step(column: Number) -> float:
    return 0.0 if column.decimals is None else 10.0**-column.decimals


def _values(column: Category) -> tf.Tensor:
    kind = tf.string if column.dtype == object else tf.int64
    return tf.constant(column.values, kind)


def _one_hot(column: Category, values: tf.Tensor) -> tf.Tensor:
    known = _values(column)
    equal = tf.equal(values[:, None], known)
    check = tf.debugging.Assert(
        tf.reduce_all(tf.reduce_any(equal, axis=1)),
        [f"column {column.name!r} must be one of its {len(column.values)} categories, got", values],
    )
    with tf.control_dependencies([check]):
        return tf.cast(equal, tf.float64)


def _decoded(column: Number | Integer, values: tf.Tensor) -> tf.Tensor:
    if isinstance(column, Integer):
        return tf.cast(tf.clip_by_value(tf.round(values), column.low, column.high), tf.int64)
    if column.decimals is not None:
        factor = 10.0**column.decimals
        values = tf.round(values * factor) / factor
    return tf.cast(tf.clip_by_value(values, column.low, column.high), tf.float32)
