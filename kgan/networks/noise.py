"""Dropout and additive noise whose draws do not depend on replicas, restarts or XLA."""

import random
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

import kgan.random
from kgan.counter import add_counter, statistics_move


class _Noise(keras.layers.Layer):
    """Changes its inputs at random in training, and not at all otherwise.

    A draw is a function of (seed, calls so far, position in the global batch). The count of calls
    is saved with the weights, so a resumed run continues with the same draws as an uninterrupted
    one. Keras's own layers draw the same numbers on every replica, and start again when loaded.

    In a pass that some steps skip, as those of lazy penalties, replicas cannot count together:
    there a draw is a function of (seed, pass, position), and is not counted.
    """

    any_size = True

    def __init__(self, seed: int | None = None, **options):
        super().__init__(**options)
        # Like Keras's layers, uses the generator that `keras.utils.set_random_seed` seeds.
        drawn = random.randrange(kgan.random.MAX_SEED) if seed is None else seed
        self.seed = kgan.random.check_seed(drawn)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.calls = add_counter(self, "calls")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        return self.change(inputs, self._next_seed())

    def _next_seed(self) -> tf.Tensor:
        if not statistics_move():
            return kgan.random.layer_seed(self.name, self.seed)
        seed = kgan.random.step_seed(self.seed, tf.convert_to_tensor(self.calls), "noise")
        self.calls.assign_add(1)
        return seed

    def change(self, inputs: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="kgan")
class Dropout(_Noise):
    """Sets a share of its inputs to zero and scales the others up, so that the mean is kept.

    Args:
        rate: Share of the inputs to set to zero, in [0, 1).
        seed: Seed of the draws; by default one drawn from Python's generator.
        noise_shape: Axes of size 1 share their draw, such as `(None, 1, 1, None)` to drop whole
            channels; the first axis must be `None`. By default each value has its own.

    Reference: Srivastava et al., "Dropout: a simple way to prevent neural networks from
        overfitting", 2014.
    """

    def __init__(
        self,
        rate: float,
        *,
        seed: int | None = None,
        noise_shape: Sequence[int | None] | None = None,
        **options,
    ):
        super().__init__(seed, **options)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), got {rate}.")
        if noise_shape is not None and (not noise_shape or noise_shape[0] is not None):
            raise ValueError(
                "noise_shape must begin with None, since every sample has draws of its own, "
                f"got {tuple(noise_shape)}."
            )
        self.rate = rate
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def change(self, inputs, seed):
        shape = tf.shape(inputs)
        wanted = self.noise_shape or (None,) * len(inputs.shape)
        kept = kgan.random.uniform(
            seed, [shape[i] if size is None else size for i, size in enumerate(wanted)]
        )
        mask = tf.cast(kept >= self.rate, inputs.dtype)
        return inputs * mask / tf.cast(1.0 - self.rate, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape}


@keras.saving.register_keras_serializable(package="kgan")
class GaussianNoise(_Noise):
    """Adds noise from N(0, stddev^2), as at the input of a discriminator ("instance noise").

    Args:
        stddev: Standard deviation of the noise, in the inputs' units; at least 0.
        seed: Seed of the draws; by default one drawn from Python's generator.

    Reference: Sonderby et al., "Amortised MAP inference for image super-resolution", 2017.
    """

    def __init__(self, stddev: float, *, seed: int | None = None, **options):
        super().__init__(seed, **options)
        if stddev < 0:
            raise ValueError(f"stddev must be at least 0, got {stddev}.")
        self.stddev = stddev

    def change(self, inputs, seed):
        shape = tf.shape(inputs)
        noise = kgan.random.normal(seed, [shape[i] for i in range(len(inputs.shape))])
        return inputs + tf.cast(self.stddev * noise, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}
