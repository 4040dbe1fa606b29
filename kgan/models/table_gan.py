"""A GAN of tables: encoded rows, a condition on one category, packs, and the published penalty."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.losses
import kgan.names
import kgan.penalties
import kgan.random
from kgan.endpoints import Endpoints
from kgan.models.average import average_of, update_average
from kgan.models.batches import Batch, labels_of, no_weights
from kgan.models.splitting import pack
from kgan.models.table_model import TableModel
from kgan.rows import EncodedRows


@keras.saving.register_keras_serializable(package="kgan")
class TableGAN(TableModel):
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
        several: Share of the rows that stand for categories of several columns, which makes
            conditions on several columns learnt, in [0, 1]; the others stand for one.
        conditions: What a condition tells: "categories", or also the "modes" of numbers.
        classifier: Built Keras model, an encoded row without its target (batch, rest) to logits of
            the target's categories; such as `kgan.networks.table_classifier`. It learns from real
            rows, and the generator learns to make rows whose target it agrees with.
        target: The column of categories that it tells.
        target_loss: Weight of what the generator learns by it, above 0.
        calibrates: Whether `calibrate` shifts logits to the shares of the data.
        draws: "parts" for a draw in the latents for each number and each category, or "values" for
            one for each value of an encoded row, as files of earlier versions have.
        seed: Seed of all noise, an int in [0, 2**31 - 1].

    `fit` takes batches of `kgan.data.feed_rows`: columns by name, or rows that are encoded already,
    and the category that each row stands for; without the latter a row stands for one of its own
    categories, drawn anew. Logs:
    `d_loss` and `g_loss`, `penalty`, and `condition_loss`, the cross-entropy between what was asked
    and what was made, in nats. With a classifier, which `compile` gives `c_optimizer`, also
    `classifier_loss`, its cross-entropy of real rows, and `target_loss`, that of generated ones.

    Reference: Xu et al. 2019 (arXiv:1907.00503); of modes and the classifier, Zhao et al. 2021,
    CTAB-GAN (arXiv:2102.08369). Unlike the first, real and generated rows of a batch have
    the same conditions in the same order.
    """

    optimizers: ClassVar = {
        "g_optimizer": ("generator",),
        "d_optimizer": ("discriminator",),
        "c_optimizer": ("classifier",),
    }
    logs: tuple[str, ...] = ("d_loss", "g_loss", "penalty", "condition_loss")
    judges: ClassVar = ("discriminator",)
    hears = True

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
        several: float = 0.5,
        conditions: str = "categories",
        classifier: keras.Model | None = None,
        target: str | None = None,
        target_loss: float = 0.0,
        calibrates: bool = True,
        draws: str = "parts",
        seed: int = 0,
        **options,
    ):
        super().__init__(**options)
        for name, value, fits, allowed in (
            ("packing", packing, packing >= 1, "at least 1"),
            ("temperature", temperature, temperature > 0, "above 0"),
            ("ema_decay", ema_decay, 0 <= ema_decay < 1, "in [0, 1)"),
            ("several", several, 0 <= several <= 1, "in [0, 1]"),
        ):
            if not fits:
                raise ValueError(f"{name} must be {allowed}, got {value}.")
        self.generator, self.discriminator = generator, discriminator
        self.loss_name = loss
        self.adversarial_loss = kgan.losses.get(loss)
        self.penalties = kgan.penalties.listed(penalties)
        self.packing, self.temperature, self.ema_decay = packing, temperature, ema_decay
        self.several = several
        self.seed = kgan.random.check_seed(seed)
        condition_size = encoder.layout.told(conditions).size
        noise_dim = generator.input_shape[-1] - condition_size
        self._start_table(
            encoder, noise_dim, calibrates=calibrates, draws=draws, conditions=conditions
        )
        _check_size("generator's output", generator.output_shape[-1], self.layout.size)
        pack_size = packing * (self.layout.size + condition_size)
        _check_size("discriminator's input", discriminator.input_shape[-1], pack_size)
        self.ema_generator = average_of(generator)
        self.classifier, self.target, self.target_loss = classifier, target, target_loss
        if classifier is not None or target is not None or target_loss:
            self._start_classifier()
        self._start()

    def _start_classifier(self) -> None:
        if self.classifier is None or self.target is None or not self.target_loss > 0:
            raise ValueError(
                "classifier, target and target_loss above 0 must be given together, got "
                f"target={self.target!r} and target_loss={self.target_loss}"
                f"{'' if self.classifier is not None else ' without a classifier'}."
            )
        kgan.names.check("column of categories", self.target, self.layout.conditions)
        start, stop = self.layout.conditions[self.target]
        _check_size("classifier's output", self.classifier.output_shape[-1], stop - start)
        rest = self.layout.size - (stop - start)
        _check_size("classifier's input", self.classifier.input_shape[-1], rest)
        self.logs = (*self.logs, "classifier_loss", "target_loss")

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
        if self.classifier is not None:
            self._minimise("c_optimizer", lambda: self._classifier_losses(rows))
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
        penalties = [self._penalty(penalty, real, fake) for penalty in self.penalties]
        total = sum(map(tf.reduce_mean, penalties), tf.constant(0.0))
        self._log(d_loss=loss, penalty=total)
        return [loss, *penalties]

    def _penalty(self, penalty, real, fake) -> tf.Tensor:
        seed = self._draw(type(penalty).__name__)
        return penalty.weighted(self._judge, real, fake, seed=seed, step=self._step())

    def _generator_losses(self, raw, uniform, rows, asked) -> list[tf.Tensor]:
        fakes = self.encoder.activate(raw, uniform, temperature=self.temperature)
        fake = self._judge(pack(tf.concat([fakes, asked], 1), self.packing))
        real = None
        if self.adversarial_loss.generator_needs_real:
            real = self._judge(pack(tf.concat([rows, asked], 1), self.packing))
        loss = self.adversarial_loss.generator(real, fake)
        unmet = self._unmet(raw, asked)
        self._log(g_loss=loss, condition_loss=unmet)
        return [loss, unmet, *self._target_losses(fakes)]

    def _classifier_losses(self, rows) -> tf.Tensor:
        loss = tf.nn.softmax_cross_entropy_with_logits(*self._told_target(rows, training=True))
        self._log(classifier_loss=loss)
        return loss

    def _target_losses(self, fakes) -> list[tf.Tensor]:
        """How far the other columns of generated rows tell another target than they have."""
        if self.classifier is None:
            return []
        made, logits = self._told_target(fakes, training=False)
        # As published, the other columns follow the target, and not the target them.
        loss = tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(made), logits)
        self._log(target_loss=loss)
        return [self.target_loss * loss]

    def _told_target(self, rows, *, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """The target of encoded rows, and the classifier's logits, both (batch, categories)."""
        assert self.classifier is not None
        assert self.target is not None
        start, stop = self.layout.conditions[self.target]
        rest = tf.concat([rows[:, :start], rows[:, stop:]], axis=1)
        return rows[:, start:stop], tf.cast(self.classifier(rest, training=training), tf.float32)

    def _unmet(self, raw: tf.Tensor, asked: tf.Tensor) -> tf.Tensor:
        """Cross-entropy of the categories that were asked for, (batch,); 0 where none was."""
        logs = [tf.nn.log_softmax(raw[:, start:stop]) for start, stop in self.told.spans]
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
        if not isinstance(columns, (Mapping, EncodedRows)):
            raise ValueError(
                "a TableGAN trains on batches of columns by name: pass "
                f"kgan.data.feed_rows(dataset, batch_size), got {type(columns).__name__}."
            )
        return Batch(columns, categories)

    def _encoded(self, columns, categories) -> tuple[tf.Tensor, tf.Tensor]:
        """Encoded rows (batch, row size) and what they stand for (batch, condition size)."""
        if isinstance(columns, EncodedRows):
            rows = self.encoder.expand(columns)
        else:
            rows = tf.cast(self.encoder.encode(columns, seed=self._draw("modes")), tf.float32)
        size, count = self.told.size, len(self.told.spans)
        if not count:
            return rows, rows[:, :0]
        of, own = self._columns_of(), self._own(rows)
        if categories is not None:
            asked = tf.one_hot(labels_of(categories, size, what="categories"), size)
        else:
            asked = self._one_of(own, "column")
        if self.several and count > 1:
            # Besides what it was drawn for, such a row tells each other column with one half.
            draws = kgan.random.uniform(self._draw("several"), [tf.shape(rows)[0], 1 + count])
            told = (draws[:, :1] < self.several) & (draws[:, 1:] < 0.5)
            asked = tf.maximum(asked, tf.where(tf.gather(told, of, axis=1), own, 0.0))
        return rows, asked

    def _columns_of(self) -> np.ndarray:
        """Of each place of a condition the number of its column."""
        return np.repeat(np.arange(len(self.told.spans)), self.told.counts)

    def _own(self, rows: tf.Tensor) -> tf.Tensor:
        """All that may be told of encoded rows (n, told.size)."""
        return self.encoder.condition(rows, self.conditions)

    def _one_of(self, own: tf.Tensor, purpose: str) -> tf.Tensor:
        """Of the categories of rows (n, condition size) that of one column, drawn for each row."""
        draws = kgan.random.uniform(self._draw(purpose), [tf.shape(own)[0], 1])
        return self._one_by(own, draws)

    def _one_by(self, own: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """As `_one_of`, by draws in [0, 1), (n, 1)."""
        if not self.told.spans:
            return own
        column = tf.cast(draws * len(self.told.spans), tf.int32)
        return tf.where(column == self._columns_of(), own, 0.0)

    # Use

    def _raw(self, noise: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        return self.ema_generator(tf.concat([noise, condition], axis=1), training=False)

    def endpoints(self) -> Endpoints:
        """What it can be asked: rows, of which each column is an output of its own."""
        return self._table_endpoints((self.ema_generator,))

    # Saving

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "loss": self.loss_name,
            "penalties": [serialize(one) for one in self.penalties],
            "packing": self.packing,
            "temperature": self.temperature,
            "ema_decay": self.ema_decay,
            "several": self.several,
            "conditions": self.conditions,
            "target": self.target,
            "target_loss": self.target_loss,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> Self:
        deserialize = keras.saving.deserialize_keras_object
        penalties = [deserialize(one) for one in config["penalties"]]
        # Files of earlier versions were told of one column at a time.
        return super().from_config(
            {"several": 0.0, **config, "penalties": penalties}, custom_objects
        )


def _check_size(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ValueError(f"the {what} must have the length {wanted} for this table, got {found}.")
