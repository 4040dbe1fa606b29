"""A GAN with a promise to each record of its data: differential privacy."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.losses
import kgan.random
from kgan.endpoints import Endpoints
from kgan.models.average import update_average
from kgan.models.batches import Batch
from kgan.models.gan import GAN
from kgan.models.gradient_update import apply_gradients
from kgan.models.players import Players
from kgan.models.splitting import part_of
from kgan.privacy import Guarantee, clipped_sum, epsilon_of, refuse_mixing


@keras.saving.register_keras_serializable(package="kgan")
class PrivateGAN(GAN):
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
        super().__init__(generator, discriminator, **options)
        if not 1 <= batch_size <= records:
            raise ValueError(
                f"batch_size must be from 1 to the {records} records, got {batch_size}."
            )
        if not noise >= 0:
            raise ValueError(f"noise must be at least 0, got {noise}.")
        if not clip_norm > 0:
            raise ValueError(f"clip_norm must be above 0, got {clip_norm}.")
        if not 0 < delta < 1 / records:
            raise ValueError(
                f"delta must be in (0, 1/{records}), got {delta}: with more, giving away a whole "
                "record would count as private."
            )
        if self.penalties:
            names = ", ".join(type(one).__name__ for one in self.penalties)
            raise ValueError(
                f"penalties must be empty under differential privacy, got {names}: what they "
                "measure of each record is not clipped. The clipping bounds the discriminator."
            )
        if self.packing > 1:
            raise ValueError(
                f"packing must be 1 under differential privacy, got {self.packing}: a pack's logit "
                "depends on several records."
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
        _check_separable(self.adversarial_loss.discriminator, self.loss_spec)
        if self.adversarial_loss.generator_needs_real:
            raise ValueError(
                "loss must be one whose generator sees no real records (generator_needs_real of "
                f"the AdversarialLoss is false), got {self.loss_spec!r}."
            )
        low = [layer.name for layer in discriminator._flatten_layers() if _is_low(layer)]
        if low:
            raise ValueError(
                "the discriminator must compute in float32 under differential privacy, as rounding "
                f"would lengthen what was clipped; {low[0]} does not."
            )
        refuse_mixing(discriminator, name="the discriminator")
        self.records = records
        self.batch_size = batch_size
        self.noise = float(noise)
        self.clip_norm = float(clip_norm)
        self.delta = float(delta)
        self._key = self.add_weight(
            name="key",
            shape=(2,),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self._key.assign(_drawn_key() if key is None else _checked_key(key))

    @property
    def key(self) -> np.ndarray:
        """Seed of the noise and of the choice of records, int32 (2,): a secret."""
        return np.asarray(keras.ops.convert_to_numpy(self._key))

    @property
    def sampling_rate(self) -> float:
        """Probability of each record to be in a half-step."""
        return self.batch_size / self.records

    def guarantee(self, steps: int | None = None, *, method: str = "pld") -> Guarantee:
        """What is promised to each record.

        Args:
            steps: After so many steps of training; where `None`, after those that were trained.
            method: "pld" or "rdp"; see `kgan.privacy.epsilon_of`.

        Raises:
            ImportError: Where dp-accounting is not installed (extra `privacy`).
        """
        steps = int(self.step.numpy()) if steps is None else steps
        updates = steps * self.n_critic
        epsilon = epsilon_of(
            sampling_rate=self.sampling_rate,
            noise=self.noise,
            steps=updates,
            delta=self.delta,
            method=method,  # type: ignore[arg-type]
        )
        return Guarantee(epsilon, self.delta, self.noise, self.sampling_rate, updates, method)

    # Training

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        (real, taken), labels = self._taken(data)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        fakes_each = -(-self.batch_size // replicas)
        for part in range(self.n_critic):
            latents = self._latents(fakes_each, f"latents {part}")
            fake_labels = self._even_labels(fakes_each, part)
            with tf.GradientTape() as generator_tape, self._drawing(f"generator {part}"):
                fakes = self._network(self.generator, latents, fake_labels, training=True)
                fakes = tf.cast(fakes, tf.float32)
            self._private_half_step(
                part_of(real, part, self.n_critic),
                None if labels is None else part_of(labels, part, self.n_critic),
                part_of(taken, part, self.n_critic),
                fakes,
                fake_labels,
                part,
            )
        self._generator_half_step(None, fakes, fake_labels, latents, generator_tape)
        update_average(self.ema_generator, self.generator, decay=self.ema_decay, step=self._step())
        return self._end_step()

    def _private_half_step(self, real, labels, taken, fakes, fake_labels, part: int) -> None:
        """The discriminator's update from the noisy sum of clipped gradients."""
        self._refresh(self.discriminator)

        def loss_of_real(logits: tf.Tensor) -> tf.Tensor:
            none = tf.zeros_like(logits)
            return kgan.losses.per_sample(self.adversarial_loss.discriminator(logits, none))

        def loss_of_fakes(logits: tf.Tensor) -> tf.Tensor:
            self._log(d_fake=tf.sigmoid(logits))
            none = tf.zeros_like(logits)
            return kgan.losses.per_sample(self.adversarial_loss.discriminator(none, logits))

        of_real, _ = clipped_sum(
            self.discriminator,
            real if labels is None else [real, labels],
            loss_of_real,
            clip_norm=self.clip_norm,
            mask=taken,
        )
        of_fakes, _ = clipped_sum(
            self.discriminator,
            fakes if fake_labels is None else [fakes, fake_labels],
            loss_of_fakes,
            clip_norm=self.clip_norm,
        )
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        noises = self._noises([one.shape for one in of_real], part)
        all_fakes = replicas * tf.cast(tf.shape(fakes)[0], tf.float32)
        # All replicas draw the same noise, of which each adds its share.
        gradients = [
            (real_sum + noise / replicas) / self.batch_size + fake_sum / all_fakes
            for real_sum, fake_sum, noise in zip(of_real, of_fakes, noises, strict=True)
        ]
        apply_gradients(self.d_optimizer, gradients, self._variables("d_optimizer"))

    def _noises(self, shapes, part: int) -> list[tf.Tensor]:
        """Normal noise for the sum of a half-step's gradients."""
        half_step = tf.cast(self._step() * self.n_critic + part, tf.int32)
        place = tf.random.fold_in(tf.convert_to_tensor(self._key), half_step, alg="philox")
        deviation = self.noise * self.clip_norm
        # The draws of the choice of records are folded once; these twice.
        return [
            deviation
            * tf.random.stateless_normal(
                shape, tf.random.fold_in(place, number, alg="philox"), alg="philox"
            )
            for number, shape in enumerate(shapes)
        ]

    def _even_labels(self, count: int, part: int) -> tf.Tensor | None:
        """Labels of generated samples, all classes alike: those of real records are secret."""
        if self.num_classes is None:
            return None
        seed = kgan.random.step_seed(self.seed, self._step(), f"labels {part}")
        drawn = kgan.random.uniform(seed, [count])
        return tf.cast(drawn * self.num_classes, tf.int32)

    def _unpack(self, data: Any) -> Batch:
        if not isinstance(data, Mapping) or set(data) - {"samples", "labels", "taken"}:
            raise ValueError(_WANTS_PRIVATE_FEED)
        if "samples" not in data or "taken" not in data:
            raise ValueError(_WANTS_PRIVATE_FEED)
        pair = data["samples"]
        if self.num_classes is not None and "labels" in data:
            pair = (data["samples"], data["labels"])
        batch = super()._unpack(pair)
        return Batch((batch.first, tf.cast(data["taken"], tf.bool)), batch.second)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        return Players.test_step(self, data)

    # Use

    def endpoints(self) -> Endpoints:
        found = super().endpoints()
        guarantee = self.guarantee()
        details = {**found.details, "privacy": dataclasses.asdict(guarantee)}
        return dataclasses.replace(found, details=details)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "records": self.records,
            "batch_size": self.batch_size,
            "noise": self.noise,
            "clip_norm": self.clip_norm,
            "delta": self.delta,
        }


_WANTS_PRIVATE_FEED = (
    "a PrivateGAN trains on the batches of kgan.data.private_feed(data, batch_size, key=gan.key, "
    "draws=n_critic): its guarantee holds for no other choice of records."
)


def _drawn_key() -> np.ndarray:
    return np.frombuffer(os.urandom(8), np.int32)


def _checked_key(key: tuple[int, int]) -> list[int]:
    if len(key) != 2:
        raise ValueError(f"key must be two whole numbers, got {key!r}.")
    return [kgan.random.check_seed(one) for one in key]


def _check_separable(loss: Any, spec: Any) -> None:
    """Raises where the loss of a real record depends on the logits of generated samples."""
    real, fake = (tf.constant([-2.0, -0.3, 0.4, 1.7]), tf.constant([0.9, -1.1, 2.2, -0.2]))
    none = tf.zeros_like(real)
    mixed = loss(real, fake) - loss(real, none) - loss(none, fake) + loss(none, none)
    if float(tf.reduce_max(tf.abs(mixed))) > 1e-5:
        raise ValueError(
            "loss must be a sum of one of real records and one of generated samples under "
            f"differential privacy, such as non_saturating, hinge or wasserstein, got {spec!r}."
        )


def _is_low(layer: keras.layers.Layer) -> bool:
    return layer.compute_dtype in ("float16", "bfloat16")
