"""A GAN with a promise to each record of its data: differential privacy."""

from typing import Any

import keras
import tensorflow as tf

import kgan.random
from kgan.endpoints import Endpoints
from kgan.models.average import update_average
from kgan.models.batches import Batch
from kgan.models.gan import GAN
from kgan.models.private import Private
from kgan.models.splitting import part_of


@keras.saving.register_keras_serializable(package="kgan")
class PrivateGAN(Private, GAN):
    """A GAN whose discriminator learns from clipped and noisy gradients.

    The discriminator alone sees the data. In each of its half-steps the gradient of each record is
    clipped to `clip_norm`, and normal noise with a standard deviation of `noise * clip_norm` is
    added to their sum. Generated samples are clipped alike, for the balance of the two; they are no
    secret, and neither are their labels, which are drawn evenly. So what the generator learns, and
    whatever is made of it, is (epsilon, delta)-differentially private: `guarantee()` says how much.

    The promise is about the generator and the discriminator. Keep the checkpoints to yourself:
    they hold `key`, from which the noise and the choice of records are drawn, and with it the noise
    can be taken away again. An export does not hold it.

    `fit` takes batches of `kgan.data.private_feed(data, batch_size, key=gan.key, draws=n_critic)`.
    Its logs are `g_loss` and `d_fake`, since what is measured on real records is not covered by the
    promise.

    Args:
        generator: As for `GAN`.
        discriminator: As for `GAN`, in float32; it judges each record for itself, so it has no
            batch normalisation.
        records: Number of records of the data.
        batch_size: Number of records to expect in a half-step; `batch_size / records` is the
            sampling rate.
        noise: Standard deviation of the noise over `clip_norm`, at least 0;
            `kgan.privacy.noise_for` finds the one for an epsilon.
        clip_norm: The longest that the gradient of a record may be, above 0.
        delta: The delta of the guarantee, in (0, 1/records).
        key: Seed of the noise and of the choice of records, two whole numbers of 31 bits. Where
            `None`, drawn by the operating system, as it has to be where the promise shall hold
            against somebody; given, a training can be repeated.
        **options: As for `GAN`; without penalties of the discriminator, augmentation and packing,
            and with a loss that is a sum of one of real samples and one of generated ones.

    Reference: Abadi et al. 2016 (arXiv:1607.00133); Bie et al. 2023 (arXiv:2302.02936), who take
    many discriminator half-steps for each of the generator's.
    """

    logs: tuple[str, ...] = ("g_loss", "d_fake")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        records: int,
        batch_size: int,
        noise: float,
        clip_norm: float = 1.0,
        delta: float = 1e-5,
        key: tuple[int, int] | None = None,
        **options,
    ):
        if options.get("packing", 1) > 1:
            raise ValueError(
                f"packing must be 1 under differential privacy, got {options['packing']}: a pack's "
                "logit depends on several records."
            )
        super().__init__(generator, discriminator, **options)
        if self.penalties:
            names = ", ".join(type(one).__name__ for one in self.penalties)
            raise ValueError(
                f"penalties must be empty under differential privacy, got {names}: what they "
                "measure of each record is not clipped. The clipping bounds the discriminator."
            )
        if self.augmentation is not None:
            raise ValueError(
                "augmentation must be None under differential privacy, got "
                f"{type(self.augmentation).__name__}: it may follow what real records look like."
            )
        if self.decoder is not None:
            raise ValueError(
                "decoder must be None under differential privacy: what it learns of each record is "
                "not clipped."
            )
        if self.phase_steps is not None:
            raise ValueError(
                f"phase_steps must be None under differential privacy, got {self.phase_steps}: its "
                "networks do not grow."
            )
        self._start_private(
            self.loss_spec,
            records=records,
            batch_size=batch_size,
            noise=noise,
            clip_norm=clip_norm,
            delta=delta,
            key=key,
        )

    # Training

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        (real, taken, seen), labels = self._taken(data)
        fakes_each = self._fakes_each()
        for part in range(self.n_critic):
            latents = self._latents(fakes_each, f"latents {part}")
            fake_labels = self._even_labels(fakes_each, part)
            with tf.GradientTape() as generator_tape, self._drawing(f"generator {part}"):
                fakes = self._network(self.generator, latents, fake_labels, training=True)
                fakes = tf.cast(fakes, tf.float32)
            self._refresh(self.discriminator)
            shown = part_of(real, part, self.n_critic)
            self._private_half_step(
                shown if labels is None else [shown, part_of(labels, part, self.n_critic)],
                part_of(taken, part, self.n_critic),
                fakes if fake_labels is None else [fakes, fake_labels],
                part,
                seen=seen,
            )
        self._generator_half_step(None, fakes, fake_labels, latents, generator_tape)
        update_average(self.ema_generator, self.generator, decay=self.ema_decay, step=self._step())
        return self._end_step()

    def _even_labels(self, count: int, part: int) -> tf.Tensor | None:
        """Labels of generated samples, all classes alike: those of real records are secret."""
        if self.num_classes is None:
            return None
        seed = kgan.random.step_seed(self.seed, self._step(), f"labels {part}")
        drawn = kgan.random.uniform(seed, [count])
        return tf.cast(drawn * self.num_classes, tf.int32)

    def _unpack(self, data: Any) -> Batch:
        self._checked_feed(data, "labels")
        batch = self._with_labels(data)
        seen = None
        if self.witness is not None:
            both = [self._with_labels(data[one]) for one in ("watched", "averaged")]
            seen = [one.first if one.second is None else list(one) for one in both]
        return Batch((batch.first, tf.cast(data["taken"], tf.bool), seen), batch.second)

    def _with_labels(self, data: Any) -> Batch:
        if self.num_classes is not None and "labels" in data:
            return super()._unpack((data["samples"], data["labels"]))
        return super()._unpack(data["samples"])

    # Use

    def endpoints(self) -> Endpoints:
        return self._with_promise(super().endpoints())
