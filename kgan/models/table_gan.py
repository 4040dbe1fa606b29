"""A GAN of tables: encoded rows, a condition on one category, packs, and the published penalty."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.losses
import kgan.names
import kgan.penalties
import kgan.random
from kgan.endpoints import Endpoints
from kgan.kinds import Kind
from kgan.models.average import average_of, update_average
from kgan.models.batches import Batch, labels_of, no_weights
from kgan.models.generation import Generation
from kgan.models.players import Players
from kgan.models.splitting import pack
from kgan.rows import Rows

_TRIES = 100
_NEXT = 7919


@keras.saving.register_keras_serializable(package="kgan")
class TableGAN(Generation, Players):
    """A GAN of rows of a table that trains with `fit`, after CTGAN.

    The discriminator judges packs of rows, each beside its condition: a category of one column. The
    generator is told the condition, and besides fooling the discriminator it is trained to meet it.
    All noise is a pure function of (`seed`, step, position in the global batch). `compile` takes
    `g_optimizer` and `d_optimizer`.

    Args:
        generator: Built Keras model, latents and condition side by side (batch, length) to encoded
            rows before any activation (batch, row size).
        discriminator: Built Keras model, packs of rows and conditions to logits (batch / packing,).
        encoder: From `kgan.networks.TableEncoder.fitted`: columns to encoded rows and back.
        loss: A key of `kgan.losses.LOSSES`.
        penalties: Instances of `kgan.penalties.Penalty`; their samples are packs.
        packing: How many rows the discriminator judges at once; it must divide the batch.
        temperature: Of the softmax with Gumbel noise that makes one-hot vectors.
        ema_decay: Decay of the generator's moving average, in [0, 1), which ramps up with the
            steps; 0 is none.
        seed: Seed of all noise, an int in [0, 2**31 - 1].

    `fit` takes batches of `kgan.data.feed_rows`: columns by name, and the category that each row
    stands for; without the latter a row stands for one of its own categories, drawn anew. Logs:
    `d_loss` and `g_loss`, `penalty`, and `condition_loss`, the cross-entropy between what was asked
    and what was made, in nats.

    Reference: Xu et al. 2019 (arXiv:1907.00503). Unlike it, real and generated rows of a batch have
    the same conditions in the same order.
    """

    optimizers: ClassVar = {"g_optimizer": ("generator",), "d_optimizer": ("discriminator",)}
    logs: tuple[str, ...] = ("d_loss", "g_loss", "penalty", "condition_loss")
    judges: ClassVar = ("discriminator",)

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        encoder: keras.layers.Layer,
        *,
        loss: str = "wasserstein",
        penalties: Sequence[kgan.penalties.Penalty] = (),
        packing: int = 10,
        temperature: float = 0.2,
        ema_decay: float = 0.999,
        seed: int = 0,
        **options,
    ):
        super().__init__(**options)
        for name, value, fits, allowed in (
            ("packing", packing, packing >= 1, "at least 1"),
            ("temperature", temperature, temperature > 0, "above 0"),
            ("ema_decay", ema_decay, 0 <= ema_decay < 1, "in [0, 1)"),
        ):
            if not fits:
                raise ValueError(f"{name} must be {allowed}, got {value}.")
        self.generator, self.discriminator, self.encoder = generator, discriminator, encoder
        self.loss_name = loss
        self.adversarial_loss = kgan.losses.get(loss)
        self.penalties = list(penalties)
        self.packing, self.temperature, self.ema_decay = packing, temperature, ema_decay
        self.seed = kgan.random.check_seed(seed)
        self.layout = encoder.layout
        self.noise_dim = generator.input_shape[-1] - self.layout.condition_size
        _check_size("generator's output", generator.output_shape[-1], self.layout.size)
        pack_size = packing * (self.layout.size + self.layout.condition_size)
        _check_size("discriminator's input", discriminator.input_shape[-1], pack_size)
        # Noise, the draw of a condition, and one for each value of an encoded row.
        self.latent_dim = self.noise_dim + 1 + self.layout.size
        self.sample_shape = self.kind.shape
        self.ema_generator = average_of(generator)
        self._start()

    @property
    def kind(self) -> Kind:
        """The table."""
        return self.encoder.table

    # Training

    def train_step(self, data) -> dict[str, tf.Tensor]:
        rows, asked = self._encoded(*self._taken(data))
        batch = tf.shape(rows)[0]
        noise = kgan.random.normal(self._draw("latents"), [batch, self.noise_dim])
        uniform = kgan.random.uniform(self._draw("gumbel"), [batch, self.layout.size])
        with tf.GradientTape() as tape:
            raw = self.generator(tf.concat([noise, asked], axis=1), training=True)
            raw = tf.cast(raw, tf.float32)
        fakes = self.encoder.activate(raw, uniform, temperature=self.temperature)
        self._minimise("d_optimizer", lambda: self._discriminator_losses(rows, fakes, asked))
        self._minimise(
            "g_optimizer",
            lambda: self._generator_losses(raw, uniform, rows, asked),
            through=(raw, tape),
        )
        update_average(self.ema_generator, self.generator, decay=self.ema_decay, step=self._step())
        return self._end_step()

    def _discriminator_losses(self, rows, fakes, asked) -> list[tf.Tensor]:
        real, fake = (pack(tf.concat([one, asked], 1), self.packing) for one in (rows, fakes))
        loss = self.adversarial_loss.discriminator(self._judge(real), self._judge(fake))
        penalties = [
            penalty.per_sample(self._judge, real, fake, self._draw(type(penalty).__name__))
            * penalty.weight_at(self._step())
            for penalty in self.penalties
        ]
        total = sum(map(tf.reduce_mean, penalties), tf.constant(0.0))
        self._log(d_loss=loss, penalty=total)
        return [loss, *penalties]

    def _generator_losses(self, raw, uniform, rows, asked) -> list[tf.Tensor]:
        fakes = self.encoder.activate(raw, uniform, temperature=self.temperature)
        fake = self._judge(pack(tf.concat([fakes, asked], 1), self.packing))
        real = None
        if self.adversarial_loss.generator_needs_real:
            real = self._judge(pack(tf.concat([rows, asked], 1), self.packing))
        loss = self.adversarial_loss.generator(real, fake)
        unmet = self._unmet(raw, asked)
        self._log(g_loss=loss, condition_loss=unmet)
        return [loss, unmet]

    def _unmet(self, raw: tf.Tensor, asked: tf.Tensor) -> tf.Tensor:
        """Cross-entropy of the category that was asked for, (batch,); 0 where none was."""
        spans = self.layout.conditions.values()
        logs = [tf.nn.log_softmax(raw[:, start:stop]) for start, stop in spans]
        return -tf.reduce_sum(asked * tf.concat([*logs, raw[:, :0]], axis=1), axis=1)

    def _judge(self, packs: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.discriminator(packs, training=True), tf.float32)

    def _draw(self, purpose: str) -> tf.Tensor:
        return kgan.random.step_seed(self.seed, self._step(), purpose)

    def _unpack(self, data: Any) -> Batch:
        """The columns by name, and the categories that the rows stand for or `None`."""
        columns, categories, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            raise ValueError(no_weights("TableGAN"))
        if not isinstance(columns, Mapping):
            raise ValueError(
                "a TableGAN trains on batches of columns by name: pass "
                f"kgan.data.feed_rows(dataset, batch_size), got {type(columns).__name__}."
            )
        return Batch(columns, categories)

    def _encoded(self, columns, categories) -> tuple[tf.Tensor, tf.Tensor]:
        """Encoded rows (batch, row size) and what they stand for (batch, condition size)."""
        rows = tf.cast(self.encoder.encode(columns, seed=self._draw("modes")), tf.float32)
        size = self.layout.condition_size
        if categories is not None:
            return rows, tf.one_hot(labels_of(categories, size, what="categories"), size)
        of = np.repeat(
            np.arange(len(self.layout.conditions)),
            [stop - start for start, stop in self.layout.conditions.values()],
        )
        draws = kgan.random.uniform(self._draw("column"), [tf.shape(rows)[0], 1])
        column = tf.cast(draws * len(self.layout.conditions), tf.int32)
        return rows, tf.where(column == of, self.encoder.condition(rows), 0.0)

    # Use

    def _samples(self, latents, labels) -> dict[str, tf.Tensor]:
        """Columns of latents; labels are the categories that are asked for, -1 for a draw."""
        noise, drawn, uniform = tf.split(latents, [self.noise_dim, 1, self.layout.size], axis=1)
        asked = self._drawn_categories(kgan.random.uniform_of(drawn[:, 0]))
        if labels is not None:
            asked = tf.where(labels >= 0, labels, asked)
        condition = tf.one_hot(asked, self.layout.condition_size)
        raw = self.ema_generator(tf.concat([noise, condition], axis=1), training=False)
        return self.encoder.decode(self.encoder.draw(raw, kgan.random.uniform_of(uniform)))

    def _drawn_categories(self, uniform: tf.Tensor) -> tf.Tensor:
        """A column, all alike, and one of its categories by its frequency in the data."""
        if not self.layout.conditions:
            return tf.fill(tf.shape(uniform), -1)
        shares = tf.convert_to_tensor(self.encoder.frequencies) / len(self.layout.conditions)
        bounds = tf.cumsum(shares)[:-1]
        return tf.searchsorted(bounds, tf.cast(uniform, bounds.dtype), side="right")

    def call(self, latents, training=False):
        """Columns of latents (batch, latent_dim), from the averaged generator in inference mode.

        Args:
            latents: float32 (batch, latent_dim), from N(0, 1).
            training: Ignored: the step calls the generator itself.
        """
        return self._samples(latents, None)

    def decode(self, latents, labels=None) -> Rows:
        """Rows of latents (n, latent_dim): the noise, and all draws that a row is made with."""
        return Rows(self._decoded(latents, labels))

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
            where: Categories that the rows must have, by column, such as
                `{"income": ">50K", "sex": "Female"}`. The generator is told the first; a row that
                has not all of them is drawn again.

        Raises:
            ValueError: For a column or category that the table has not, or one that none of many
                draws met.
        """
        if not where:
            return super().generate(n, labels, seed=seed)
        number = self._number_of(where)
        missing = np.arange(n)
        parts, places = [], []
        for attempt in range(_TRIES):
            # Another request's seeds, so that a row that is drawn again is another one.
            own = (seed + attempt * _NEXT) % kgan.random.MAX_SEED
            seeds = tf.gather(kgan.latents.example_seeds(own, n), missing)
            latents = kgan.latents.from_seeds(seeds, self.latent_dim)
            rows = self.decode(latents, np.full(len(missing), number, np.int32))
            met = np.all([rows[name] == value for name, value in where.items()], axis=0)
            parts.append(rows[met])
            places.append(missing[met])
            missing = missing[~met]
            if not len(missing):
                return Rows.joined(parts)[np.argsort(np.concatenate(places))]
        raise ValueError(
            f"where={dict(where)} was met by {n - len(missing)} of {n} rows, each drawn {_TRIES} "
            "times: the model makes such rows rarely or never. Ask for less, or train longer."
        )

    def _number_of(self, where: Mapping[str, str | int]) -> int:
        """The number, among all categories, of the first one that is asked for."""
        starts, start = {}, 0
        for column in self.encoder.table.conditions:
            starts[column.name] = start
            start += len(column.values)
        for name, value in where.items():
            kgan.names.check("column of categories", name, starts)
            values = self.encoder.table.column(name).values
            if value not in values:
                raise ValueError(
                    f"where must ask for one of the {len(values)} categories of {name!r}, got "
                    f"{value!r}.{kgan.names.suggestion(str(value), map(str, values))}"
                )
        name, value = next(iter(where.items()))
        return starts[name] + self.encoder.table.column(name).values.index(value)

    def endpoints(self) -> Endpoints:
        """What it can be asked: rows, of which each column is an output of its own."""
        return Endpoints(
            family="table",
            kind=self.kind,
            endpoints=self._latent_endpoints(),
            tracked=(self.ema_generator, self.encoder),
            details={"latent_dim": self.latent_dim, "num_classes": None},
        )

    # Saving

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "loss": self.loss_name,
            "penalties": [serialize(one) for one in self.penalties],
            "packing": self.packing,
            "temperature": self.temperature,
            "ema_decay": self.ema_decay,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> Self:
        deserialize = keras.saving.deserialize_keras_object
        penalties = [deserialize(one) for one in config["penalties"]]
        encoder = deserialize(config["encoder"])
        return super().from_config(
            {**config, "penalties": penalties, "encoder": encoder}, custom_objects
        )


def _check_size(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ValueError(f"the {what} must have the length {wanted} for this table, got {found}.")
