"""What all models of tables share: rows of latents, conditions that hold, and true shares."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.names
import kgan.random
from kgan.constraints import Together
from kgan.endpoints import Endpoint, Endpoints, Request, takes
from kgan.kinds import Kind, Table
from kgan.models.generation import Generation
from kgan.models.players import Players
from kgan.models.shares import shift_to
from kgan.models.table_conditions import any_word, codes_of, rows_until_met
from kgan.rows import EncodedRows, Rows

# Rows from which the shares of a generator are measured, and their seed.
_MEASURED, _MEASURING_SEED = 8192, 20_190_703
# What a logit is changed by where a category is asked for: more than any other logit.
_CERTAIN = 1e9


class TableModel(Generation, Players):
    """Base of models of tables: `generate`, `decode` and endpoints, of the raw rows of latents.

    The model takes its networks, calls `_start_table(encoder, noise_dim)` and `_start()`, and fills
    `_raw`. Where `hears` is true, the networks are told what is asked for, and a row has it at the
    first draw; else rows are drawn until one has it.

    Attributes:
        encoder: The `kgan.networks.TableEncoder`.
        layout: Where what lies in an encoded row.
        noise_dim: Length of the networks' noise; a latent vector has other draws beside it.
        calibrates: Whether `calibrate` does something.
        draws: What has a draw of its own in a latent vector: "parts" of an encoded row, or each of
            its "values", as in files of earlier versions.
        conditions: What a condition tells: "categories", or also the "modes" of numbers, which
            only the model itself asks for.
        told: Where that is in an encoded row.
        hears: Whether the networks are told conditions.
    """

    hears: bool = False
    _decode_batch = 2048

    def _start_table(
        self,
        encoder: keras.layers.Layer,
        noise_dim: int,
        *,
        calibrates: bool,
        draws: str = "parts",
        conditions: str = "categories",
    ):
        kgan.names.check("draws", draws, ("parts", "values"))
        self.encoder, self.layout, self.noise_dim = encoder, encoder.layout, noise_dim
        self.draws = draws
        self._draw_count = self.layout.size if draws == "values" else len(self.layout.sizes)
        # Noise, the draw of a condition, and the draws of an encoded row.
        self.latent_dim = noise_dim + 1 + self._draw_count
        self.sample_shape = self.kind.shape
        self.calibrates = calibrates
        self._columns = encoder.table.conditions
        self.conditions, self.told = conditions, self.layout.told(conditions)
        self._counts = self.told.counts
        self.frequencies = None
        if conditions == "modes":
            self.frequencies = self.add_weight(
                name="frequencies",
                shape=(self.told.size,),
                dtype="float64",
                initializer="zeros",
                trainable=False,
                autocast=False,
            )
            self._know_frequencies(encoder.shares())
        if calibrates:
            self.shift = self.add_weight(
                name="shift", shape=(self.layout.size,), initializer="zeros", trainable=False
            )

    @property
    def kind(self) -> Kind:
        """The table."""
        return self.encoder.table

    @property
    def at_once(self) -> tuple[str, ...]:
        """Columns of categories of which a row has what is asked for at the first draw."""
        return tuple(one.name for one in self._columns) if self.hears else ()

    def _raw(self, noise: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        """Raw rows (n, size), before any activation, in inference mode.

        Args:
            noise: float32 (n, noise_dim).
            condition: float32 (n, told.size), one-hot for each column that is asked for.
        """
        raise NotImplementedError

    def _spread(self, raw: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """What becomes of drawn rows (n, size) before they are decoded, such as noise of places."""
        return raw

    # Rows

    def _samples(self, latents, labels, *, coded: bool = False) -> dict[str, tf.Tensor]:
        """Columns of latents; labels are the codes that are asked for (n, columns), -1 for none.

        Where `coded`, texts that are categories may be their numbers, which is faster.
        """
        noise, drawn, uniform = tf.split(latents, [self.noise_dim, 1, self._draw_count], axis=1)
        uniform = kgan.random.uniform_of(uniform)
        count, columns = len(self._counts), len(self._columns)
        asked = tf.fill([tf.shape(latents)[0], count], -1)
        if labels is not None and columns:
            given = tf.reshape(tf.cast(labels, tf.int32), [-1, columns])
            numbers = {part: number for number, part in enumerate(self.told.asked)}
            # Of a mode nobody asks.
            given = tf.pad(given, [[0, 0], [0, 1]], constant_values=-1)
            asked = tf.gather(given, [numbers.get(part, columns) for part in range(count)], axis=1)
        if self.hears and count:
            # A column and one of its categories by its true share, where nothing is asked for.
            free = tf.reduce_all(asked < 0, axis=1, keepdims=True)
            asked = tf.where(free, self._drawn(kgan.random.uniform_of(drawn[:, 0])), asked)
        raw = self._raw(noise, self._condition(asked if self.hears else asked * 0 - 1))
        if self.calibrates:
            raw += tf.convert_to_tensor(self.shift)
        if self.hears:
            raw = self._forced(raw, asked)
        row = self.encoder.draw(self._allowed(raw, asked, uniform), uniform)
        keys = None
        if self.encoder.has_ids:
            keys = self.encoder.keys_of(latents)
        columns = self.encoder.decode(self._spread(row, uniform), keys, coded=coded)
        return self.encoder.spelled(columns)

    def _drawn(self, uniform: tf.Tensor) -> tf.Tensor:
        """Codes (n, columns): of one column, all alike, a category by its share in the data.

        Columns of numbers count too, with their modes, where conditions tell of these.
        """
        known = self.encoder.frequencies if self.frequencies is None else self.frequencies
        shares = tf.convert_to_tensor(known) / len(self._counts)
        number = tf.searchsorted(
            tf.cumsum(shares)[:-1], tf.cast(uniform, shares.dtype), side="right"
        )
        starts = tf.constant(np.cumsum([0, *self._counts[:-1]]), tf.int32)
        code = number[:, None] - starts
        return tf.where((code >= 0) & (code < tf.constant(self._counts)), code, -1)

    def _condition(self, asked: tf.Tensor) -> tf.Tensor:
        """One-hot vectors side by side (n, told.size) of codes (n, columns)."""
        parts = [tf.one_hot(asked[:, i], count) for i, count in enumerate(self._counts)]
        return tf.concat([*parts, tf.zeros([tf.shape(asked)[0], 0])], axis=1)

    def _forced(self, raw: tf.Tensor, asked: tf.Tensor) -> tf.Tensor:
        """Raw rows whose categories are sure to be those that are asked for."""
        wanted = self._condition(asked) * _CERTAIN
        parts, start, end = [], 0, 0
        for (first, last), count in zip(self.told.spans, self._counts, strict=True):
            parts += [raw[:, end:first], raw[:, first:last] + wanted[:, start : start + count]]
            start, end = start + count, last
        return tf.concat([*parts, raw[:, end:]], axis=1)

    def _allowed(self, raw: tf.Tensor, asked: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """Raw rows of which only combinations of categories that were seen can be drawn."""
        spans = self.layout.conditions
        numbers = dict(zip(spans, self.told.asked, strict=True))
        for one in self.kind.constraints:  # type: ignore[attr-defined]
            if not isinstance(one, Together):
                continue
            seen = np.array(one.seen, np.int32)
            kept = [number for number, name in enumerate(one.columns) if name in spans]
            # Combinations that are left for each row, (n, seen): with what is asked for, then with
            # what was drawn before.
            left = tf.ones([tf.shape(raw)[0], len(seen)], tf.bool)
            if self.hears:
                for number in kept:
                    wanted = asked[:, numbers[one.columns[number]]][:, None]
                    left &= (wanted < 0) | (wanted == seen[:, number])
                told = f"where asks for what the constraint {one.describe()!r} forbids"
                check = tf.debugging.Assert(tf.reduce_all(tf.reduce_any(left, axis=1)), [told])
                with tf.control_dependencies([check]):
                    left = tf.identity(left)
            for number in kept:
                start, stop = spans[one.columns[number]]
                hot = np.eye(stop - start, dtype=np.float32)[seen[:, number]]
                there = tf.matmul(tf.cast(left, tf.float32), hot) > 0
                logits = tf.where(there, raw[:, start:stop], raw[:, start:stop] - 2 * _CERTAIN)
                raw = tf.concat([raw[:, :start], logits, raw[:, stop:]], axis=1)
                drawn = self.encoder.draw(raw, uniform)[:, start:stop]
                code = tf.argmax(drawn, axis=1, output_type=tf.int32)[:, None]
                left &= code == seen[:, number]
        return raw

    def call(self, latents, training=False):
        """Columns of latents (batch, latent_dim), in inference mode; dates are texts.

        Args:
            latents: float32 (batch, latent_dim), from N(0, 1).
            training: Ignored: the step calls the networks itself.
        """
        return self._samples(latents, None)

    def decode(self, latents, labels=None) -> Rows:
        """Rows of latents (n, latent_dim): the noise, and all draws that a row is made with.

        Args:
            latents: float32 (n, latent_dim).
            labels: Categories that are asked for by their numbers, int (n, columns of categories),
                -1 where none is; `None` for no condition. `codes_of` makes them of names.
        """
        if not len(latents):
            return self.decode(np.zeros((1, self.latent_dim), np.float32))[:0]
        return self.encoder.table.of_answer(self._decoded(latents, labels))

    def _of_seeds(self, seeds: tf.Tensor, codes: np.ndarray | None) -> Rows:
        """Rows of seeds int64 (n,), whose latents are drawn batch by batch too."""
        if not len(seeds):
            return self.decode([])
        return self.encoder.table.of_answer(self._in_batches(self._generate, seeds, codes))

    @tf.function(reduce_retracing=True)
    def _generate(self, seeds, labels):
        latents = kgan.latents.from_seeds(seeds, self.latent_dim)
        return self._samples(latents, labels, coded=True)

    def generate(
        self,
        n: int,
        labels=None,
        *,
        seed: int = 0,
        where: Mapping[str, str | int] | None = None,
    ) -> Rows:
        """New rows: row i depends on (seed, i, where) alone.

        Args:
            n: How many.
            labels: Must be `None`: what a row shall be is asked for by `where`.
            seed: Seed of the request, an int in [0, 2**31 - 1].
            where: Categories that all rows shall have, by column, such as
                `{"income": ">50K", "sex": "Female"}`. Of columns that a model makes `at_once` they
                are made so; for others, rows are drawn until one has them.

        Raises:
            ValueError: For a column or category that the table has not, or one that no draw met.
        """
        if labels is not None:
            raise ValueError("labels must be None: ask for rows by where={column: category}.")
        codes = self.codes_of(where or {})
        told = np.where([one.name in self.at_once for one in self._columns], codes, -1)

        def draw(seeds: tf.Tensor) -> Rows:
            return self._of_seeds(seeds, np.tile(told, (len(seeds), 1)))

        if (codes == told).all():
            return draw(kgan.latents.example_seeds(seed, n))
        return rows_until_met(draw, n, table=self.encoder.table, where=where or {}, seed=seed)

    def codes_of(self, where: Mapping[str, str | int]) -> np.ndarray:
        """Numbers of the categories that are asked for, int32 (columns of categories,); -1: none.

        Args:
            where: Categories by column. Blanks around a text are passed over, where only one
                category differs from it by these.
        """
        return codes_of(self.encoder.table, where)

    # True shares

    def calibrate(self, rows: EncodedRows | None) -> None:
        """Shifts the logits of categories and modes until they are as frequent as in the data.

        A generator is near to the shares of its data, but not on them. What is added is one number
        for each category and each mode of a number, found with rows of a fixed seed by the
        averaged networks, and used wherever rows are made, never in training.

        Args:
            rows: The data, from `TableEncoder.encoded_rows`; where `None`, the shares are those
                that the encoder was given.
        """
        targets = self.encoder.shares()
        if rows is not None:
            counted = zip(rows.codes.T, self.layout.hot_sizes, strict=True)
            targets = [np.bincount(own, minlength=size) / len(own) for own, size in counted]
        if self.frequencies is not None:
            self._know_frequencies(targets)
        if not self.calibrates:
            return
        self.shift.assign(tf.zeros_like(self.shift))
        seeds = kgan.latents.example_seeds(_MEASURING_SEED, _MEASURED)
        latents = kgan.latents.from_seeds(seeds, self.latent_dim)
        asked = np.full((_MEASURED, len(self._counts)), -1)
        if self.hears and self._counts:
            drawn = kgan.random.uniform_of(latents[:, self.noise_dim])
            asked = self._drawn(drawn).numpy()
        raw = self._raw(
            latents[:, : self.noise_dim], self._condition(tf.constant(asked, tf.int32))
        ).numpy()
        told = dict(zip(self.told.parts, asked.T, strict=True))
        shift = np.zeros(self.layout.size, np.float32)
        starts, sizes = self.layout.hot_starts, self.layout.hot_sizes
        for part, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            target = targets[part]
            # What is asked for is so anyway.
            free = told[part] < 0 if part in told else slice(None)
            logits = raw[free, start : start + size].astype(np.float64)
            if size > 1 and len(logits):
                shift[start : start + size] = shift_to(target, logits)
        self.shift.assign(shift)

    def _know_frequencies(self, shares: Sequence[np.ndarray]) -> None:
        """Takes what conditions are drawn by; `shares` are of all one-hot parts."""
        assert self.frequencies is not None
        known = [shares[part] for part in self.told.parts]
        self.frequencies.assign(np.concatenate([*known, np.zeros(0)]))

    # Endpoints and saving

    def _table_endpoints(self, tracked: tuple[Any, ...]) -> Endpoints:
        """What it can be asked: rows, of which each column is an output of its own."""
        found = self._latent_endpoints()
        if self.at_once:
            found["generate_where"] = Endpoint(
                self._generate_where,
                takes(seeds=((), tf.int64), where=((len(self.at_once),), tf.string)),
                "generate_where",
            )
        table: Table = self.encoder.table
        own = [] if self.frequencies is None else [self.frequencies]
        return Endpoints(
            family="table",
            kind=table,
            endpoints=found,
            tracked=(*tracked, self.encoder, *([self.shift] if self.calibrates else []), *own),
            details={
                "latent_dim": self.latent_dim,
                "num_classes": None,
                "conditions": list(self.at_once),
            },
        )

    def _generate_where(self, request: Request) -> Request:
        """Rows of seeds (n,) that have the categories `where` (n, columns), "*" or "" for any."""
        codes = []
        for column in self._columns:
            if column.name not in self.at_once:
                codes.append(tf.fill(tf.shape(request["seeds"]), -1))
                continue
            asked = request["where"][:, self.at_once.index(column.name)]
            equal = tf.equal(asked[:, None], tf.constant([str(one) for one in column.values]))
            # A server warms up with empty texts, which may be a category of their own.
            word = any_word(column)
            free = (tf.equal(asked, word) | tf.equal(asked, "")) & ~tf.reduce_any(equal, axis=1)
            told = f"where must have, of {column.name!r}, one of its categories or {word}, got"
            check = tf.debugging.Assert(
                tf.reduce_all(free | tf.reduce_any(equal, axis=1)), [told, asked]
            )
            with tf.control_dependencies([check]):
                code = tf.argmax(tf.cast(equal, tf.int32), axis=1, output_type=tf.int32)
                codes.append(tf.where(free, -1, code))
        latents = kgan.latents.from_seeds(request["seeds"], self.latent_dim)
        return self._samples(latents, tf.stack(codes, axis=1))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "calibrates": self.calibrates,
            "draws": self.draws,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> Self:
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        # Files of earlier versions know nothing of shifts, and draw each value.
        return super().from_config(
            {"calibrates": False, "draws": "values", **config, "encoder": encoder}, custom_objects
        )
