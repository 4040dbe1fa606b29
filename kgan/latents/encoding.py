"""An encoder of images to styles, trained on a generator that stays as it is."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

import kgan.random
from kgan.pixels import to_float

Draw = Callable[[tf.Tensor, int], tf.Tensor]


@keras.saving.register_keras_serializable(package="kgan")
class Encoder(keras.Model):
    """Images to the styles whose images are near them.

    It knows the mean and the deviation of styles, and its network gives the distance from the mean
    in deviations.

    Args:
        network: Model of images (batch, height, width, channels) to (batch, style_count, units).
        mean: The mean style, (units,).
        deviation: Deviation of styles from it, (units,).
        trained_for: What tells the generator that it is trained on from others, such as a hash of
            its weights; `None` where that is not known. It is kept in the file.
    """

    def __init__(
        self,
        network: keras.Model,
        mean: ArrayLike,
        deviation: ArrayLike,
        *,
        trained_for: str | None = None,
        **options,
    ):
        super().__init__(**options)
        self.network = network
        self.trained_for = trained_for
        self.mean = np.asarray(mean, np.float32)
        self.deviation = np.asarray(deviation, np.float32)
        # All weights are the network's.
        self.built = True

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: (height, width, channels)."""
        return tuple(self.network.inputs[0].shape[1:])

    @property
    def style_shape(self) -> tuple[int, int]:
        """Shape of the styles of one image: (style_count, units)."""
        return tuple(self.network.outputs[0].shape[1:])

    def call(self, images: Any, training: bool = False) -> Any:
        return self.mean + self.deviation * self.network(images, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
            "trained_for": self.trained_for,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


def train_encoder(
    encoder: Encoder,
    synthesize: Callable[[tf.Tensor], tf.Tensor],
    draw: Draw,
    *,
    images: ArrayLike | None = None,
    steps: int = 2000,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    style_weight: float = 0.01,
    seed: int = 0,
) -> np.ndarray:
    """Trains an encoder to give back images through a generator.

    Each batch has generated images, whose styles it learns to guess as well, and as many real ones
    where there are some, of which it sees no more than the error of their pixels.

    Args:
        encoder: The encoder; its network is trained.
        synthesize: Differentiable function of styles (m, style_count, units) to images.
        draw: Function of (seed, m) to styles of m latents.
        images: Real images in [0, 1], float32 or uint8, (n, height, width, channels).
        steps: Number of steps.
        batch_size: Generated images in a batch.
        learning_rate: Of Adam; it falls on a cosine.
        style_weight: Weight of the squared error of styles, in their deviations.
        seed: Seed of the draws.

    Returns:
        The mean squared error of pixels at each step, (steps,).
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.99)
    weights = [one.value for one in encoder.network.trainable_variables]
    optimizer.build(encoder.network.trainable_variables)

    @tf.function
    def step(number: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        drawn = kgan.random.step_seed(seed, number, "encoder")
        wanted = tf.stop_gradient(draw(drawn, batch_size))
        made = tf.concat([tf.stop_gradient(synthesize(wanted)), real], axis=0)
        with tf.GradientTape() as tape:
            offsets = encoder.network(made, training=True)
            again = synthesize(encoder.mean + encoder.deviation * offsets)
            pixels = tf.reduce_mean(tf.square(again - made))
            true = (wanted - encoder.mean) / encoder.deviation
            styles = tf.reduce_mean(tf.square(offsets[:batch_size] - true))
            total = pixels + style_weight * styles
        optimizer.apply(tape.gradient(total, weights), encoder.network.trainable_variables)
        return pixels

    errors = []
    pool = None if images is None else np.asarray(images)
    order = np.random.default_rng(seed)
    for number in range(steps):
        real = np.zeros((0, *encoder.image_shape), np.float32)
        if pool is not None:
            real = to_float(pool[order.integers(0, len(pool), batch_size)])
        errors.append(step(tf.constant(number), tf.constant(real)))
    return np.array([float(one) for one in errors])
