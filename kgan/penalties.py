"""Gradient penalties on the discriminator.

Papers state their weights for images in [-1, 1], and kgan's images lie in [0, 1]. The published
weight is kept: `input_width` (2 for images) says how much wider the paper's input is, and
`_input_gradients` converts the gradient once, here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule as Schedule

import kgan.names
import kgan.random
from kgan.counter import unmoved
from kgan.kinds import IMAGE_WIDTH

Discriminator = Callable[[tf.Tensor], tf.Tensor]


class Penalty:
    """What every penalty shares: its weight, its lazy interval and the scale of its inputs.

    A subclass fills `per_sample`.

    Args:
        weight: The published coefficient, at least 0; or a Keras `LearningRateSchedule` that gives
            it for the step of the training, to anneal it.
        interval: Apply the penalty at every `interval`-th step only, `interval` times as strong
            (Karras et al. 2020, arXiv:1912.04958, section 3.1).
        input_width: Width of the paper's input range over that of the inputs here: 2 for images
            in [0, 1], 1 for points and tables in their own units.
    """

    def __init__(
        self, weight: float | Schedule, *, interval: int = 1, input_width: float = IMAGE_WIDTH
    ):
        if not isinstance(weight, Schedule) and weight < 0:
            raise ValueError(f"weight must be at least 0, got {weight}.")
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}.")
        self.weight = weight
        self.interval = interval
        self.input_width = input_width

    def per_sample(
        self, discriminator: Discriminator, real: tf.Tensor, fakes: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """The penalty of each sample for weight 1.

        Args:
            discriminator: Maps inputs to logits of shape (batch,); labels are already bound.
            real: Real inputs, shape (batch, ...).
            fakes: Generated inputs of the same shape.
            seed: From `kgan.random.step_seed`, for the penalties that draw.

        Returns:
            float32 tensor of shape (batch,).
        """
        raise NotImplementedError

    def measured(self, real: tf.Tensor) -> Callable[..., tf.Tensor]:
        """`per_sample` with what it needs to know of the whole global batch; nothing by default.

        It is asked at every step, due or not: in a pass that some steps skip, replicas cannot wait
        for each other.

        Args:
            real: Real inputs, shape (batch, ...).
        """
        return self.per_sample

    def weighted(
        self,
        discriminator: Discriminator,
        real: tf.Tensor,
        fakes: tf.Tensor,
        *,
        seed: tf.Tensor,
        step: tf.Tensor,
    ) -> tf.Tensor:
        """The penalty of each sample at a step with its weight: zeros where it is not due.

        Args:
            discriminator: As for `per_sample`.
            real: As for `per_sample`.
            fakes: As for `per_sample`.
            seed: From `kgan.random.step_seed`; layers that draw, draw by it where some steps skip
                the penalty.
            step: Steps done so far, a scalar integer tensor.

        Returns:
            float32 tensor of shape (batch,).
        """
        per_sample = self.measured(real)

        def evaluate() -> tf.Tensor:
            return per_sample(discriminator, real, fakes, seed) * self.weight_at(step)

        if self.interval == 1:
            return evaluate()
        due = tf.equal(step % self.interval, 0)
        with kgan.random.drawing(seed), unmoved():
            return tf.cond(due, evaluate, lambda: tf.zeros([tf.shape(real)[0]]))

    def weight_at(self, step: tf.Tensor) -> tf.Tensor:
        """The weight at a step of the training, `interval` times as large: a float32 scalar."""
        weight = self.weight(step) if isinstance(self.weight, Schedule) else self.weight
        return self.interval * tf.cast(weight, tf.float32)

    def get_config(self) -> dict:
        return {
            "weight": keras.saving.serialize_keras_object(self.weight),
            "interval": self.interval,
            "input_width": self.input_width,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Penalty":
        weight = keras.saving.deserialize_keras_object(config["weight"])
        return cls(**{**config, "weight": weight})

    def _input_gradients(self, discriminator: Discriminator, inputs: tf.Tensor) -> tf.Tensor:
        """d logit / d input in the paper's units, flattened to (batch, values)."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            logits = discriminator(inputs)
        gradients = tape.gradient(logits, inputs)
        flat = tf.reshape(tf.cast(gradients, tf.float32), [tf.shape(inputs)[0], -1])
        return flat / self.input_width


@keras.saving.register_keras_serializable(package="kgan")
class R1(Penalty):
    """weight / 2 * ||grad D(real)||^2, pulling the discriminator flat on real data.

    Reference: Mescheder et al. 2018, equation 9 (arXiv:1801.04406).
    """

    def per_sample(
        self, discriminator: Discriminator, real: tf.Tensor, fakes: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        gradients = self._input_gradients(discriminator, real)
        return 0.5 * tf.reduce_sum(tf.square(gradients), axis=1)


@keras.saving.register_keras_serializable(package="kgan")
class R2(Penalty):
    """weight / 2 * ||grad D(fake)||^2, the same on generated data.

    Reference: Mescheder et al. 2018, equation 10 (arXiv:1801.04406).
    """

    def per_sample(
        self, discriminator: Discriminator, real: tf.Tensor, fakes: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        gradients = self._input_gradients(discriminator, fakes)
        return 0.5 * tf.reduce_sum(tf.square(gradients), axis=1)


@keras.saving.register_keras_serializable(package="kgan")
class GradientPenalty(Penalty):
    """weight * (||grad D||_2 - 1)^2 at a random point between each real and fake pair.

    Reference: Gulrajani et al. 2017, equation 3 (arXiv:1704.00028), WGAN-GP.
    """

    def per_sample(
        self, discriminator: Discriminator, real: tf.Tensor, fakes: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        batch = tf.shape(real)[0]
        # One share for each pair, not for each pixel.
        share = kgan.random.uniform(seed, [batch, *[1] * (len(real.shape) - 1)])
        points = real + share * (fakes - real)
        norm = _norm(self._input_gradients(discriminator, points))
        return tf.square(norm - 1.0)


@keras.saving.register_keras_serializable(package="kgan")
class DRAGAN(Penalty):
    """weight * (||grad D||_2 - 1)^2 near real data: noise of half the batch's standard deviation.

    Reference: Kodali et al. 2017, section 2.3 (arXiv:1705.07215); the noise follows the authors'
    code, real + 0.5 * std(real) * U[0, 1) at each value.
    """

    def measured(self, real: tf.Tensor) -> Callable[..., tf.Tensor]:
        return partial(self.per_sample, deviation=_global_deviation(real))

    def per_sample(
        self,
        discriminator: Discriminator,
        real: tf.Tensor,
        fakes: tf.Tensor,
        seed: tf.Tensor,
        *,
        deviation: tf.Tensor | None = None,
    ) -> tf.Tensor:
        if deviation is None:
            deviation = _global_deviation(real)
        noise = kgan.random.uniform(seed, tf.unstack(tf.shape(real)))
        norm = _norm(self._input_gradients(discriminator, real + 0.5 * deviation * noise))
        return tf.square(norm - 1.0)


PENALTIES: dict[str, type[Penalty]] = {
    "r1": R1,
    "r2": R2,
    "gradient_penalty": GradientPenalty,
    "dragan": DRAGAN,
}


def get(name: str, weight: float | Schedule, **options) -> Penalty:
    """A penalty by its key in `PENALTIES`."""
    return kgan.names.look_up("penalty", name, PENALTIES)(weight, **options)


def listed(penalties: Sequence[Penalty]) -> list[Penalty]:
    """The penalties of a model as a list; raises `TypeError` where they are something else."""
    alone = isinstance(penalties, str) or hasattr(penalties, "interval")
    found: list[Any] = [penalties] if alone else list(penalties)
    if alone or not all(hasattr(one, "interval") for one in found):
        raise TypeError(
            f"penalties must be a list such as [kgan.penalties.R1(1.0)], got {penalties!r}."
        )
    return found


def _norm(gradients: tf.Tensor) -> tf.Tensor:
    # The square root's own gradient is infinite at 0.
    return tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(gradients), axis=1), 1e-12))


def _global_deviation(real: tf.Tensor) -> tf.Tensor:
    """Standard deviation over every value of the global batch, the same on each replica."""
    moments = tf.stack([tf.reduce_mean(real), tf.reduce_mean(tf.square(real))])
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        moments = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.MEAN, moments
        )
    return tf.sqrt(tf.maximum(moments[1] - tf.square(moments[0]), 0.0))
