"""Rows of a table as the vectors that networks see, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.kinds
import kgan.random
from kgan.constraints import AtMost, counts_of, distances
from kgan.kinds import Table
from kgan.networks import date_texts, row_activation
from kgan.networks.column_tensors import (
    as_tensor,
    decoded_number,
    known_values,
    one_hot,
    values_of,
)
from kgan.networks.number_modes import Modes, number_modes
from kgan.networks.row_layout import layout_of
from kgan.rows import Category, Date, EncodedRows, Id, Number, Rows

Columns = Mapping[str, tf.Tensor]

# Rows that are encoded at a time.
_CHUNK = 8192
# Ids are below this, which every reader of JSON keeps exactly.
_IDS = 2**53


@keras.saving.register_keras_serializable(package="kgan")
class TableEncoder(keras.layers.Layer):
    """Encodes the columns of a table for networks, and decodes them; made by `fitted`.

    A number is seen relative to one of its modes (mode-specific normalisation), a category as a
    one-hot vector; what is missing is a mode of its own. Decoding gives the table's own units:
    numbers rounded as the table's are, integers as int64, texts as strings, all within what was
    seen. Ids are not learnt: they are made anew. What was learnt from the data is kept in float64
    variables, so it is saved with the weights.

    Args:
        table: The kind of the rows.
        modes: How many modes each column of numbers has, in the table's order.

    Reference: Xu et al. 2019, section 4.2 (arXiv:1907.00503).
    """

    def __init__(self, table: Table | Mapping, modes: tuple[int, ...], **options):
        super().__init__(**{**options, "trainable": False})
        self.table = table if isinstance(table, Table) else self.table_of(table)
        self.modes = tuple(modes)
        self.layout = layout_of(self.table, self.modes)
        self._bases = _bases(self.table)
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
            if isinstance(column, (Category, Id)):
                continue
            values = rows[column.name]
            there = values[~column.gone(values)]
            if isinstance(column, Date):
                there = there.astype(np.int64) // column.step
            if base := _bases(table).get(column.name):
                lower = counts_of(table.column(base.low), rows[base.low])
                own = counts_of(column, values)
                there = distances(table.column(base.low), lower, own)
                there = there[~np.isnan(there)]
            whole = not isinstance(column, Number)
            step = _step(column) if isinstance(column, Number) else 1.0
            modes = number_modes(there.astype(np.float64), step=step, whole=whole, seed=seed)
            # What is missing has the rest.
            found.append(modes._replace(weights=modes.weights * (len(there) / len(rows))))
        shares = [
            np.bincount(column.codes(rows[column.name]), minlength=len(column.values)) / len(rows)
            for column in table.conditions
        ]
        return cls.of(table, found, shares)

    @classmethod
    def of(
        cls, table: Table, modes: Sequence[Modes], shares: Sequence[np.ndarray]
    ) -> "TableEncoder":
        """An encoder of what is known of each column.

        Args:
            table: The kind of the rows.
            modes: Of each column of numbers, in the table's order.
            shares: Of each of `table.conditions`, the share of each of its values.
        """
        encoder = cls(table, tuple(len(one.centers) for one in modes))
        for name in ("centers", "deviations", "weights", "scales"):
            variable = encoder.mode_weights if name == "weights" else getattr(encoder, name)
            parts = [getattr(one, name) for one in modes]
            variable.assign(np.concatenate(parts) if parts else np.zeros(0))
        encoder.frequencies.assign(np.concatenate(shares) if shares else np.zeros(0))
        return encoder

    def shares(self) -> list[np.ndarray]:
        """Of each one-hot part of an encoded row the shares of its places, as they were given.

        What the weights of a number's modes lack to 1 is the share of what is missing.
        """
        weights = np.split(np.asarray(self.mode_weights), np.cumsum(self.modes)[:-1])
        counts = [len(one.values) for one in self.table.conditions]
        known = np.split(np.asarray(self.frequencies), np.cumsum(counts)[:-1])
        numbers, categories = iter(weights), iter(known)
        found = []
        for column in self.table.learnt:
            if not isinstance(column, Category):
                own = next(numbers)
                gone = [max(1.0 - own.sum(), 0.0)] * column.missing
                found.append(np.append(own, gone))
            elif len(column.values) > 1:
                found.append(next(categories))
            else:
                found.append(np.ones(1))
        return found

    def encode(self, columns: Columns, *, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Encoded rows, float64 (n, size).

        Args:
            columns: Tensors (n,) by name, of the table's types; dates as int64 microseconds since
                1970. Numbers beyond what was seen are clipped. Ids may be left out.
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
        for column in self.table.learnt:
            values = tf.convert_to_tensor(columns[column.name])
            if isinstance(column, Category):
                parts.append(one_hot(column, values))
            else:
                stop = start + next(sizes)
                drawn = None if noise is None else noise[:, start:stop]
                if base := self._bases.get(column.name):
                    # Learnt is how far it lies above the other column.
                    known, gone = known_values(column, values)
                    lower, lower_gone = known_values(
                        self.table.column(base.low), tf.convert_to_tensor(columns[base.low])
                    )
                    known -= tf.where(lower_gone, self._least(base), lower)
                    ends = (0.0, base.most)
                else:
                    known, gone = known_values(column, values)
                    ends = (column.low, column.high)
                own = slice(start, stop)
                parts += self._encode_number(column, (known, gone, ends), own, drawn)
                start = stop
        return tf.concat(parts, axis=1)

    def encoded_rows(self, rows: Rows, *, seed: int = 0) -> EncodedRows:
        """Rows in the short form that networks are fed with, numpy arrays; see `expand`.

        Args:
            rows: The rows.
            seed: Seed of the draws of modes from their posterior, which are made once.
        """
        places, codes = [], []
        encode = tf.function(self.encode, reduce_retracing=True)
        hot = np.array(self.layout.one_hot, bool)
        for number, start in enumerate(range(0, len(rows), _CHUNK)):
            part = rows[start : start + _CHUNK]
            columns = {one.name: as_tensor(part[one.name]) for one in self.table.learnt}
            found = encode(columns, seed=kgan.random.step_seed(seed, number, "modes")).numpy()
            places.append(found[:, self.layout.places].astype(np.float32))
            parts = np.split(found, self.layout.starts[1:], axis=1)
            chosen = [one.argmax(axis=1) for one, is_hot in zip(parts, hot, strict=True) if is_hot]
            codes.append(np.stack(chosen, axis=1).astype(np.int32))
        return EncodedRows(np.concatenate(places), np.concatenate(codes))

    def expand(self, rows: EncodedRows) -> tf.Tensor:
        """Encoded rows float32 (n, size) of their short form."""
        n = tf.shape(rows.codes)[0]
        hot = rows.codes + tf.constant(self.layout.hot_starts, tf.int32)
        places = tf.tile(tf.constant(self.layout.places[None], tf.int32), [n, 1])
        where = tf.concat([places, hot], axis=1)
        number = tf.broadcast_to(tf.range(n)[:, None], tf.shape(where))
        values = tf.concat([rows.places, tf.ones_like(hot, tf.float32)], axis=1)
        return tf.scatter_nd(tf.stack([number, where], axis=2), values, [n, self.layout.size])

    def decode(
        self, encoded: tf.Tensor, keys: tf.Tensor | None = None, *, coded: bool = False
    ) -> dict[str, tf.Tensor]:
        """Columns of the table's own types and units.

        Args:
            encoded: (n, size) floats; of each one-hot part the greatest value counts, so it may
                also hold logits.
            keys: int64 (n,), what ids are made of; by default the numbers of the rows.
            coded: Whether categories that are texts stay their numbers.

        Returns:
            float32, float64, int64 or string tensors (n,), by name, in the table's order; dates as
            int64 microseconds since 1970, see `spelled`.
        """
        parts = iter(tf.split(encoded, self.layout.sizes, axis=1))
        sizes = iter(self.modes)
        columns, exact, start = {}, {}, 0
        for column in self.table.columns:
            if isinstance(column, Id):
                columns[column.name] = self.made_ids(column, tf.shape(encoded)[0], keys)
                continue
            if isinstance(column, Category):
                chosen = tf.argmax(next(parts), axis=1)
                stays = coded and column.dtype == object
                columns[column.name] = chosen if stays else tf.gather(values_of(column), chosen)
                continue
            place, count = tf.cast(next(parts)[:, 0], tf.float64), next(sizes)
            stop = start + count
            mode = tf.argmax(next(parts), axis=1)
            # The place after the last mode is that of what is missing.
            gone = mode == count
            mode = tf.minimum(mode, count - 1)
            center, scale = (
                tf.gather(tf.convert_to_tensor(one)[start:stop], mode)
                for one in (self.centers, self.scales)
            )
            exact[column.name] = center + scale * tf.clip_by_value(place, -1, 1), gone
            columns[column.name] = decoded_number(column, *exact[column.name])
            start = stop
        for column in _upwards(self.table, self._bases):
            base = self._bases[column.name]
            lower, lower_gone = known_values(self.table.column(base.low), columns[base.low])
            least = self._least(base)
            value, gone = exact[column.name]
            above = tf.clip_by_value(value, 0.0, base.most)
            found = decoded_number(column, tf.where(lower_gone, least, lower) + above, gone)
            # What was rounded, or clipped, is not below.
            if not isinstance(column, Date):
                floor = tf.where(lower_gone, tf.cast(found, tf.float64), lower)
                found = tf.maximum(found, tf.cast(floor, found.dtype))
                if column.missing:
                    found = tf.where(gone, tf.constant(np.nan, found.dtype), found)
            columns[column.name] = found
        return columns

    def spelled(self, columns: Columns) -> dict[str, tf.Tensor]:
        """The columns of `decode` with dates as texts in the table's format, missing ones ""."""
        return self.spelled_of(self.table, columns)

    @staticmethod
    def spelled_of(table: Table, columns: Columns) -> dict[str, tf.Tensor]:
        """`spelled` for columns of any table."""
        dates = {one.name: one for one in table.columns if isinstance(one, Date)}
        return {
            name: date_texts.spelled(values, dates[name].format) if name in dates else values
            for name, values in columns.items()
        }

    @staticmethod
    def keys_of(latents: tf.Tensor) -> tf.Tensor:
        """Numbers of latents (n, several), int64 (n,) in [0, 2**53): what ids are made of.

        Two rows have the same one with a probability of 2**-53.
        """
        found = tf.fill([tf.shape(latents)[0]], tf.constant(-3750763034362895579, tf.int64))
        for bits in tf.unstack(tf.cast(tf.bitcast(latents[:, :4], tf.int32), tf.int64), axis=1):
            # FNV's prime; the product wraps round.
            found = tf.bitwise.bitwise_xor(found, bits) * tf.constant(1099511628211, tf.int64)
            found = tf.bitwise.bitwise_xor(found, tf.bitwise.right_shift(found, 29))
        return tf.bitwise.bitwise_and(found, tf.constant(_IDS - 1, tf.int64))

    @staticmethod
    def made_ids(column: Id, n: tf.Tensor, keys: tf.Tensor | None) -> tf.Tensor:
        """Ids of keys int64 (n,), or of the numbers of the rows."""
        numbers = tf.range(tf.cast(n, tf.int64)) if keys is None else keys
        if column.prefix is None:
            return numbers
        return tf.strings.join([column.prefix, tf.strings.as_string(numbers)])

    @staticmethod
    def table_of(config: Mapping) -> Table:
        """The kind of rows of its config."""
        kind = kgan.kinds.from_config(config)
        assert isinstance(kind, Table)
        return kind

    @property
    def has_ids(self) -> bool:
        """Whether some column is of ids."""
        return len(self.table.learnt) < len(self.table.columns)

    def activate(self, raw: tf.Tensor, uniform: tf.Tensor, *, temperature: float) -> tf.Tensor:
        """Encoded rows of a generator's raw outputs, with a gradient; see `row_activation`."""
        return row_activation.activate(
            raw, uniform, self.layout.sizes, self.layout.one_hot, temperature
        )

    def draw(self, raw: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """Rows to `decode`, drawn by a generator's raw outputs; see `row_activation`.

        Args:
            raw: float32 (n, size).
            uniform: Draws from (0, 1), one for each part (n, parts) or each value (n, size).
        """
        own = self.layout
        each_part = uniform.shape[-1] == len(own.sizes)
        draw = row_activation.draw_parts if each_part else row_activation.draw
        return draw(raw, uniform, own.sizes, own.one_hot)

    def condition(self, encoded: tf.Tensor, conditions: str = "categories") -> tf.Tensor:
        """What all conditions on these rows would be, side by side (n, size of a condition).

        Args:
            encoded: (n, size).
            conditions: As for `Layout.told`.
        """
        parts = [encoded[:, start:stop] for start, stop in self.layout.told(conditions).spans]
        return tf.concat([*parts, encoded[:, :0]], axis=1)

    def _least(self, base: AtMost) -> tf.Tensor:
        """The least value of the lower column, from which is counted where it is missing."""
        lower: Any = self.table.column(base.low)
        return tf.constant(lower.low, tf.float64)

    def _encode_number(self, column, given, own: slice, noise) -> list[tf.Tensor]:
        centers, deviations, weights, scales = (
            tf.convert_to_tensor(one)[own]
            for one in (self.centers, self.deviations, self.mode_weights, self.scales)
        )
        values, gone, (low, high) = given
        known = tf.where(gone, tf.constant(low, tf.float64), values)
        clipped = tf.clip_by_value(known, low, high)
        apart = clipped[:, None] - centers
        log_weights = tf.math.log(tf.maximum(weights, tf.constant(1e-300, tf.float64)))
        logits = log_weights - tf.math.log(deviations) - 0.5 * tf.square(apart / deviations)
        # Only what reaches the value can say where it lies.
        logits = tf.where(tf.abs(apart) <= scales, logits, -np.inf)
        if noise is not None:
            logits += tf.cast(noise, tf.float64)
        mode = tf.argmax(logits, axis=1)
        place = tf.gather(apart / scales, mode, axis=1, batch_dims=1)
        count = own.stop - own.start
        if column.missing:
            mode = tf.where(gone, tf.cast(count, tf.int64), mode)
            place = tf.where(gone, tf.zeros_like(place), place)
        return [place[:, None], tf.one_hot(mode, count + column.missing, dtype=tf.float64)]

    def get_config(self) -> dict:
        return {**super().get_config(), "table": self.table.get_config(), "modes": list(self.modes)}


def _bases(table: Table) -> dict[str, AtMost]:
    """The constraints of columns that are learnt as a distance, by the column's name."""
    return {one.high: one for one in table.constraints if isinstance(one, AtMost)}


def _upwards(table: Table, bases: Mapping[str, AtMost]) -> list:
    """The columns that are distances, each after the one that it lies above."""
    done: list[str] = []
    while len(done) < len(bases):
        done += [
            name
            for name, base in bases.items()
            if name not in done and (base.low in done or base.low not in bases)
        ]
    return [table.column(name) for name in done]


def _step(column: Number) -> float:
    return 0.0 if column.decimals is None else 10.0**-column.decimals
