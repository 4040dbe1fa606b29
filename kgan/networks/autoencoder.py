"""Encoder and decoder of a variational autoencoder, of (transposed) convolutions as a DCGAN's.

No batch normalisation: what a sample is told and how likely it is must not depend on the samples
beside it, and the networks train as fast without.
"""

import keras
from keras import layers

from kgan.networks.conditional import with_label
from kgan.networks.resolution import channels_at, resolution

# An eighth of the range of an image: a decoder that knows nothing is about so far off.
_FIRST_LOG_SCALE = -2.0


def dcgan_encoder(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 32,
) -> keras.Model:
    """A convolutional encoder: images (and labels) to a diagonal Gaussian of latents.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. A learned embedding of the class is appended to
            the features.
        width: Channels after the first stage; deeper stages have up to 8 times as many.

    Returns:
        A functional model of `images` in [0, 1], or `[images, labels]`, to two outputs of shape
        (batch, latent_dim): `mean` and `log_variance`, which is 0 at first.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    images = keras.Input(image_shape, name="images")
    features = layers.Rescaling(2.0, -1.0)(images)
    for stage, strides in enumerate(plan.strides):
        features = layers.Conv2D(
            channels_at(width, stage), 4, strides=strides, padding="same", activation="relu"
        )(features)
    features = layers.Flatten()(features)
    inputs, features = with_label(images, features, num_classes)
    mean = layers.Dense(latent_dim, dtype="float32", name="mean")(features)
    log_variance = layers.Dense(
        latent_dim, kernel_initializer="zeros", dtype="float32", name="log_variance"
    )(features)
    return keras.Model(inputs, [mean, log_variance], name="encoder")


def dcgan_decoder(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    *,
    num_classes: int | None = None,
    width: int = 32,
) -> keras.Model:
    """A decoder of transposed convolutions: latents (and labels) to a distribution of each value.

    Args:
        image_shape: (height, width, channels), sides from 8 to 1,024.
        latent_dim: Length of a latent vector.
        num_classes: Number of classes, or `None`. A learned embedding of the class is appended to
            the latents.
        width: Channels at half the image's resolution; deeper stages have up to 8 times as many.

    Returns:
        A functional model of `latents` (batch, latent_dim), or `[latents, labels]`, to two outputs
        of the images' shape: `location`, where 0 is black and 1 is white, without bounds; and
        `log_scale`.
    """
    plan = resolution(image_shape, latent_dim=latent_dim, num_classes=num_classes, width=width)
    latents = keras.Input((latent_dim,), name="latents")
    inputs, features = with_label(latents, latents, num_classes)
    last = len(plan.strides) - 1
    base = (*plan.base, channels_at(width, last))
    features = layers.Dense(base[0] * base[1] * base[2], activation="relu")(features)
    features = layers.Reshape(base)(features)
    for stage in range(last, 0, -1):
        features = layers.Conv2DTranspose(
            channels_at(width, stage - 1),
            4,
            strides=plan.strides[stage],
            padding="same",
            activation="relu",
        )(features)
        features = plan.crop(features, stage)

    def values(name: str, scale: float, offset: float):
        found = layers.Conv2DTranspose(
            image_shape[-1], 4, strides=plan.strides[0], padding="same", dtype="float32"
        )(features)
        return layers.Rescaling(scale, offset, dtype="float32", name=name)(plan.crop(found, 0))

    outputs = [values("location", 0.5, 0.5), values("log_scale", 1.0, _FIRST_LOG_SCALE)]
    return keras.Model(inputs, outputs, name="decoder")
