"""A GAN of tables with a promise to each record of its data: differential privacy."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

import kgan.random
from kgan.endpoints import Endpoints
from kgan.models.average import update_average
from kgan.models.batches import Batch
from kgan.models.private import Private
from kgan.models.splitting import part_of
from kgan.models.table_gan import TableGAN
from kgan.rows import EncodedRows


@keras.saving.register_keras_serializable(package="kgan")
class PrivateTableGAN(Private, TableGAN):
    """A GAN of rows whose discriminator learns from clipped and noisy gradients.

    As `PrivateGAN`, of a table. A record is chosen by a coin of its own, and stands for one of its
    own categories; generated rows stand for categories that are drawn by the encoder's shares. The
    encoder must be private itself, such as `kgan.networks.private_encoder`; what it cost goes into
    `released`.

    `fit` takes batches of `kgan.data.private_rows(data, batch_size, encoded=..., key=gan.key,
    draws=n_critic)`. Its logs are `g_loss`, `d_fake` and `condition_loss`, all of generated rows.

    Args:
        generator: As for `TableGAN`.
        discriminator: As for `TableGAN`, of single rows, in float32.
        encoder: Made without looking at records beyond what `released` accounts for.
        records: Number of records of the data.
        batch_size: Number of records to expect in a half-step.
        noise: Standard deviation of the noise over `clip_norm`, at least 0.
        clip_norm: The longest that the gradient of a record may be, above 0.
        delta: The delta of the guarantee, in (0, 1/records).
        n_critic: Half-steps of the discriminator for each of the generator.
        key: As for `PrivateGAN`.
        released: Noise over sensitivity of what the encoder was told of the data, once each.
        **options: As for `TableGAN`; without penalties and classifier, and with a loss that is a
            sum of one of real rows and one of generated ones.

    Reference: Abadi et al. 2016 (arXiv:1607.00133); Xu et al. 2019 (arXiv:1907.00503).
    """

    logs: tuple[str, ...] = ("g_loss", "d_fake", "condition_loss")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        encoder: keras.layers.Layer,
        *,
        records: int,
        batch_size: int,
        noise: float,
        clip_norm: float = 1.0,
        delta: float = 1e-5,
        n_critic: int = 1,
        key: tuple[int, int] | None = None,
        released: Sequence[float] = (),
        loss: str = "non_saturating",
        **options,
    ):
        options = {"packing": 1, "several": 0.0, **options}
        super().__init__(generator, discriminator, encoder, loss=loss, **options)
        if self.packing > 1 or self.penalties:
            raise ValueError(
                "packing must be 1 and penalties empty under differential privacy, got packing="
                f"{self.packing} and {len(self.penalties)} penalties: what depends on several "
                "records, or is not clipped, has no bound for each."
            )
        if self.several:
            raise ValueError(
                f"several must be 0 under differential privacy, got {self.several}: categories of "
                "several columns together are those of records."
            )
        if self.classifier is not None:
            raise ValueError(
                "classifier must be left out under differential privacy: it learns from real rows "
                "without any noise."
            )
        if n_critic < 1:
            raise ValueError(f"n_critic must be at least 1, got {n_critic}.")
        self.n_critic = n_critic
        self._start_private(
            loss,
            records=records,
            batch_size=batch_size,
            noise=noise,
            clip_norm=clip_norm,
            delta=delta,
            key=key,
            released=released,
        )

    # Training

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        (real, seen), taken = self._taken(data)
        for part in range(self.n_critic):
            raw, asked, uniform, tape = self._made(part)
            fakes = self.encoder.activate(raw, uniform, temperature=self.temperature)
            self._private_half_step(
                self._shown(*(part_of(one, part, self.n_critic) for one in real)),
                part_of(taken, part, self.n_critic),
                tf.concat([fakes, asked], axis=1),
                part,
                seen=None if seen is None else [self._shown(*one) for one in seen],
            )
        self._minimise(
            "g_optimizer",
            lambda: self._generator_losses(raw, uniform, None, asked),
            through=(raw, tape),
        )
        update_average(self.ema_generator, self.generator, decay=self.ema_decay, step=self._step())
        return self._end_step()

    def _shown(self, places: tf.Tensor, codes: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
        """Encoded rows, each with the one of its categories that it stands for."""
        rows = self.encoder.expand(EncodedRows(places, codes))
        return tf.concat([rows, self._one_by(self._own(rows), chances[:, tf.newaxis])], axis=1)

    def _made(self, part: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.GradientTape]:
        """Raw rows of a half-step, what they stand for, the draws of their values, and the tape."""
        count = self._fakes_each()
        noise = kgan.random.normal(self._draw(f"latents {part}"), [count, self.noise_dim])
        uniform = kgan.random.uniform(self._draw(f"gumbel {part}"), [count, self.layout.size])
        asked = noise[:, :0]
        if self.told.spans:
            drawn = kgan.random.uniform(self._draw(f"asked {part}"), [count])
            asked = self._condition(self._drawn(drawn))
        with tf.GradientTape() as tape:
            raw = self.generator(tf.concat([noise, asked], axis=1), training=True)
            raw = tf.cast(raw, tf.float32)
        return raw, asked, uniform, tape

    def _unpack(self, data: Any) -> Batch:
        self._checked_feed(data, "chances")

        def rows(data: Any) -> tuple[tf.Tensor, ...]:
            return (*data["samples"], data["chances"])

        seen = None
        if self.witness is not None:
            seen = [rows(data[one]) for one in ("watched", "averaged")]
        return Batch((rows(data), seen), tf.cast(data["taken"], tf.bool))

    # Use

    def endpoints(self) -> Endpoints:
        return self._with_promise(super().endpoints())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_critic": self.n_critic, "released": list(self.released)}
