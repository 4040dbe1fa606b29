"""Codes of one input's many outputs, as further channels of an image."""

import keras
import tensorflow as tf


def with_codes(images: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Images with a channel for each number of their code, constant over the image.

    Args:
        images: (batch, height, width, channels).
        codes: (batch, latent_dim).

    Returns:
        Tensor (batch, height, width, channels + latent_dim). Networks of images take 0.5 for the
        middle and widen by two, so a code of N(0, 1) stands as 0.5 + code / 2.
    """
    shape = tf.shape(images)
    maps = tf.cast(0.5 + 0.5 * codes, images.dtype)[:, tf.newaxis, tf.newaxis, :]
    maps = tf.broadcast_to(maps, [shape[0], shape[1], shape[2], codes.shape[-1]])
    return tf.concat([images, maps], axis=-1)


@keras.saving.register_keras_serializable(package="kgan")
class MiddleCode(keras.layers.Layer):
    """Images with the code of zeros, which is the likeliest.

    Args:
        latent_dim: Length of a code.

    Shapes: (batch, height, width, channels) to (batch, height, width, channels + latent_dim).
    """

    any_size = True

    def __init__(self, latent_dim: int, **options):
        super().__init__(**options)
        self.latent_dim = latent_dim

    def call(self, inputs):
        return with_codes(inputs, tf.zeros([tf.shape(inputs)[0], self.latent_dim]))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + self.latent_dim)

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim}


def by_the_middle_code(generator: keras.Model, latent_dim: int) -> keras.Model:
    """A generator of images and codes as one of images alone."""
    *sides, channels = generator.inputs[0].shape[1:]
    images = keras.Input((*sides, channels - latent_dim), name="images")
    return keras.Model(images, generator(MiddleCode(latent_dim)(images)), name="by_middle_code")
