"""What models share that promise differential privacy to each record of their data."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.losses
import kgan.random
from kgan.endpoints import Endpoints
from kgan.models.gradient_update import apply_gradients
from kgan.models.players import Players
from kgan.privacy import (
    Guarantee,
    RecordGradients,
    Witness,
    clipped_sum,
    epsilon_of,
    refuse_mixing,
)


class Private(Players):
    """Adds to a GAN a discriminator that learns from clipped and noisy gradients alone.

    The model has `discriminator`, `adversarial_loss` and `d_optimizer`, calls `_start_private` in
    its `__init__`, and `_private_half_step` in its step.

    Attributes:
        records: Number of records of the data.
        batch_size: Number of records to expect in a half-step.
        noise: Standard deviation of the noise over `clip_norm`.
        clip_norm: The longest that the gradient of a record may be.
        delta: The delta of the guarantee.
        released: Noise over sensitivity of what was told of the data beside the steps.
        n_critic: Half-steps of the discriminator in a step.
        witness: Of an audit, who sees each noisy sum; see `be_audited`.
    """

    discriminator: keras.Model
    adversarial_loss: Any
    n_critic: int
    d_optimizer: keras.optimizers.Optimizer
    witness: Witness | None = None

    def _start_private(
        self,
        loss_spec: Any,
        *,
        records: int,
        batch_size: int,
        noise: float,
        clip_norm: float,
        delta: float,
        key: tuple[int, int] | None,
        released: Sequence[float] = (),
    ) -> None:
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
        _check_separable(self.adversarial_loss.discriminator, loss_spec)
        if self.adversarial_loss.generator_needs_real:
            raise ValueError(
                "loss must be one whose generator sees no real records (generator_needs_real of "
                f"the AdversarialLoss is false), got {loss_spec!r}."
            )
        low = [layer.name for layer in self.discriminator._flatten_layers() if _is_low(layer)]
        if low:
            raise ValueError(
                "the discriminator must compute in float32 under differential privacy, as rounding "
                f"would lengthen what was clipped; {low[0]} does not."
            )
        refuse_mixing(self.discriminator, name="the discriminator")
        self.records = records
        self.batch_size = batch_size
        self.noise = float(noise)
        self.clip_norm = float(clip_norm)
        self.delta = float(delta)
        self.released = tuple(map(float, released))
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
            released=self.released,
            method=method,  # type: ignore[arg-type]
        )
        return Guarantee(
            epsilon, self.delta, self.noise, self.sampling_rate, updates, method, self.released
        )

    def be_audited(self, canaries: int) -> Witness:
        """Lets a witness see each noisy sum from now on.

        The feed needs `canaries` then, and the step takes longer.

        Args:
            canaries: Number of canaries among the records.

        Raises:
            ValueError: Under a strategy of several replicas, each of which sees a part of a sum.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas > 1:
            raise ValueError(f"an audit needs one replica, the strategy has {replicas}.")
        self.witness = Witness(
            canaries=canaries,
            others=self.records - canaries,
            rate=self.sampling_rate,
            sizes=[math.prod(one.shape) for one in self._variables("d_optimizer")],
        )
        return self.witness

    # Training

    def _fakes_each(self) -> int:
        """How many generated samples a replica shows in a half-step."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return -(-self.batch_size // replicas)

    def _private_half_step(
        self, real: Any, taken: tf.Tensor, fakes: Any, part: int, *, seen: Any = None
    ) -> None:
        """The discriminator's update from the noisy sum of clipped gradients.

        Args:
            real: What the discriminator takes of real records: a tensor (rows, ...) or a list.
            taken: Which of them count, bool (rows,).
            fakes: The same of generated samples.
            part: Number of the half-step in its step.
            seen: Of an audit, what it takes of watched and of averaged records.
        """

        def loss_of_real(logits: tf.Tensor) -> tf.Tensor:
            none = tf.zeros_like(logits)
            return kgan.losses.per_sample(self.adversarial_loss.discriminator(logits, none))

        def loss_of_fakes(logits: tf.Tensor) -> tf.Tensor:
            self._log(d_fake=tf.sigmoid(logits))
            none = tf.zeros_like(logits)
            return kgan.losses.per_sample(self.adversarial_loss.discriminator(none, logits))

        norm = self.clip_norm
        of_real, _ = clipped_sum(self.discriminator, real, loss_of_real, clip_norm=norm, mask=taken)
        of_fakes, lengths = clipped_sum(self.discriminator, fakes, loss_of_fakes, clip_norm=norm)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        noises = self._noises([one.shape for one in of_real], part)
        all_fakes = replicas * tf.cast(tf.shape(lengths)[0], tf.float32)
        # All replicas draw the same noise, of which each adds its share.
        released = [one + noise / replicas for one, noise in zip(of_real, noises, strict=True)]
        if seen is not None:
            assert self.witness is not None
            watched, averaged = seen
            known = RecordGradients(self.discriminator, watched, loss_of_real)
            total, all_lengths = clipped_sum(
                self.discriminator, averaged, loss_of_real, clip_norm=norm
            )
            count = tf.cast(tf.shape(all_lengths)[0], tf.float32)
            average = [one / count for one in total]
            self.witness.see(known, average, released, clip_norm=norm)
        gradients = [
            noisy / self.batch_size + fake_sum / all_fakes
            for noisy, fake_sum in zip(released, of_fakes, strict=True)
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

    def _checked_feed(self, data: Any, *names: str) -> None:
        """Raises for batches that are not those of `kgan.data.private_feed`."""
        known = {"samples", "taken"}
        if self.witness is not None:
            known |= {"watched", "averaged"}
        fits = isinstance(data, Mapping) and known <= set(data)
        if not fits or set(data) - known - set(names):
            raise ValueError(
                f"a {type(self).__name__} trains on the batches of kgan.data.private_feed(data, "
                "batch_size, key=gan.key, draws=n_critic): its guarantee holds for no other choice "
                "of records."
            )

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        return Players.test_step(self, data)

    # Use

    def _with_promise(self, found: Endpoints) -> Endpoints:
        """Endpoints whose details tell the guarantee."""
        details = {**found.details, "privacy": dataclasses.asdict(self.guarantee())}
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
