"""A variational autoencoder of the rows of a table."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

import kgan.random
from kgan.endpoints import Endpoints
from kgan.losses.likelihood import gaussian_divergence
from kgan.models.average import average_of, update_average
from kgan.models.batches import Batch
from kgan.models.table_model import TableModel
from kgan.rows import EncodedRows


@keras.saving.register_keras_serializable(package="kgan")
class TableVAE(TableModel):
    """A variational autoencoder of rows that trains with `fit`, after TVAE.

    It is not told conditions: rows that must meet some are drawn until they do. `compile` takes
    `optimizer`.

    Args:
        posterior: Built Keras model, encoded rows (batch, row size) to means and logarithms of
            variances (batch, latent_dim).
        decoder: Built Keras model, latents to raw rows (batch, row size) and the standard
            deviations of the places of numbers (batch, numbers); its layer "deviations" has them.
        encoder: From `kgan.networks.TableEncoder.fitted`: columns to encoded rows and back.
        reconstruction_weight: Weight of the likelihood beside the divergence.
        ema_decay: Decay of the decoder's moving average, in [0, 1).
        calibrates: Whether `calibrate` shifts logits to the shares of the data.
        draws: As for `TableGAN`.
        seed: Seed of all noise, an int in [0, 2**31 - 1].

    `fit` takes batches of `kgan.data.feed_rows`. Logs: `loss`, and its parts `reconstruction` and
    `kl`, in nats.

    Reference: Xu et al. 2019, section 4.5 (arXiv:1907.00503). Unlike it, categories are drawn from
    the decoder's distribution when rows are made, not taken at its greatest value.
    """

    optimizers: ClassVar = {"optimizer": ("posterior", "decoder")}
    logs: tuple[str, ...] = ("loss", "reconstruction", "kl")

    def __init__(
        self,
        posterior: keras.Model,
        decoder: keras.Model,
        encoder: keras.layers.Layer,
        *,
        reconstruction_weight: float = 2.0,
        ema_decay: float = 0.999,
        calibrates: bool = True,
        draws: str = "parts",
        seed: int = 0,
        **options,
    ):
        super().__init__(**options)
        if not 0 <= ema_decay < 1:
            raise ValueError(f"ema_decay must be in [0, 1), got {ema_decay}.")
        if not reconstruction_weight > 0:
            raise ValueError(f"reconstruction_weight must be above 0, got {reconstruction_weight}.")
        self.posterior, self.decoder = posterior, decoder
        self.reconstruction_weight, self.ema_decay = reconstruction_weight, ema_decay
        self.seed = kgan.random.check_seed(seed)
        self._start_table(encoder, decoder.input_shape[-1], calibrates=calibrates, draws=draws)
        size = self.layout.size
        for what, found in (
            ("posterior's input", posterior.input_shape[-1]),
            ("decoder's output", decoder.output_shape[0][-1]),
        ):
            if found != size:
                raise ValueError(
                    f"the {what} must have the length {size} for this table, got {found}."
                )
        self.ema_decoder = average_of(decoder)
        self._start()

    def train_step(self, data) -> dict[str, tf.Tensor]:
        rows = self._taken(data).first
        self._minimise("optimizer", lambda: self._objective(rows))
        update_average(self.ema_decoder, self.decoder, decay=self.ema_decay, step=self._step())
        return self._end_step()

    def _objective(self, rows: tf.Tensor) -> list[tf.Tensor]:
        mean, log_variance = self.posterior(rows, training=True)
        noise = kgan.random.normal(
            kgan.random.step_seed(self.seed, self._step(), "posterior"), tf.unstack(tf.shape(mean))
        )
        latents = mean + tf.exp(0.5 * log_variance) * noise
        raw, deviations = self.decoder(latents, training=True)
        reconstruction = self.row_loss(rows, raw, deviations)
        divergence = tf.reduce_sum(gaussian_divergence(mean, log_variance), axis=1)
        weighted = self.reconstruction_weight * reconstruction
        self._log(loss=weighted + divergence, reconstruction=reconstruction, kl=divergence)
        return [weighted, divergence]

    def row_loss(self, rows: tf.Tensor, raw: tf.Tensor, deviations: tf.Tensor) -> tf.Tensor:
        """Negative log-likelihood of encoded rows, but for a constant, in nats (batch,).

        Args:
            rows: float32 (batch, row size).
            raw: The decoder's raw rows, of the same shape.
            deviations: Of the places of numbers (batch, numbers).
        """
        places = self.layout.places
        apart = tf.gather(rows - tf.tanh(raw), places, axis=1) / deviations
        loss = tf.reduce_sum(0.5 * tf.square(apart) + tf.math.log(deviations), axis=1)
        for start, size in zip(self.layout.hot_starts, self.layout.hot_sizes, strict=True):
            span = slice(int(start), int(start + size))
            loss += tf.nn.softmax_cross_entropy_with_logits(rows[:, span], raw[:, span])
        return loss

    def _unpack(self, data: Any) -> Batch:
        columns, _ = data if type(data) is tuple and len(data) == 2 else (data, None)
        if isinstance(columns, EncodedRows):
            return Batch(self.encoder.expand(columns))
        if not isinstance(columns, dict):
            raise ValueError(
                "a TableVAE trains on batches of columns by name: pass "
                f"kgan.data.feed_rows(dataset, batch_size), got {type(columns).__name__}."
            )
        seed = kgan.random.step_seed(self.seed, self._step(), "modes")
        return Batch(tf.cast(self.encoder.encode(columns, seed=seed), tf.float32))

    def _raw(self, noise: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
        return self.ema_decoder(noise, training=False)[0]

    def _spread(self, raw: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """Adds to each place the noise that the decoder has learnt."""
        places = self.layout.places
        if not len(places):
            return raw
        deviations = tf.convert_to_tensor(self.ema_decoder.get_layer("deviations").deviation)
        own = places if self.draws == "values" else self.layout.numbers
        drawn = tf.clip_by_value(tf.gather(uniform, own, axis=1), 1e-7, 1.0 - 1e-7)
        moved = tf.clip_by_value(deviations, 0.01, 1.0) * tf.math.ndtri(drawn)
        columns = np.zeros((len(places), self.layout.size), np.float32)
        columns[np.arange(len(places)), places] = 1.0
        return raw + tf.matmul(moved, columns)

    def endpoints(self) -> Endpoints:
        """What it can be asked: rows, of which each column is an output of its own."""
        return self._table_endpoints((self.ema_decoder,))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "reconstruction_weight": self.reconstruction_weight,
            "ema_decay": self.ema_decay,
            "seed": self.seed,
        }
