"""A GAN whose networks first learn to reconstruct, so that rare classes are not lost at the start.

Reference: Mariani et al. 2018, "BAGAN: data augmentation with balancing GAN" (arXiv:1803.09655).
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from kgan.models.gan import GAN


def learn_to_reconstruct(
    gan: GAN,
    batches: tf.data.Dataset,
    samples: np.ndarray,
    labels: np.ndarray,
    *,
    steps: int,
    learning_rate: float = 1e-3,
) -> float:
    """Trains the discriminator's features and the generator as encoder and decoder.

    The generator's layer `class_latents` then draws latents as the codes of each class are
    distributed. The discriminator's last layer and the optimizers stay new.

    Args:
        gan: A conditional GAN whose generator is from `kgan.networks.with_class_latents`.
        batches: Endless batches of (samples, labels), samples in [0, 1].
        samples: Float32 samples, from whose codes the Gaussians are taken.
        labels: Their class numbers, int (n,).
        steps: Updates by Adam of the squared error.
        learning_rate: Adam's.

    Returns:
        The mean squared error on the samples at the end.

    Raises:
        ValueError: For another generator, or a discriminator each of whose layers sees labels.
    """
    wrapped = gan.generator
    decoder = next((one for one in wrapped.layers if isinstance(one, keras.Model)), None)
    if decoder is None:
        raise ValueError(
            f"the generator must be from kgan.networks.with_class_latents, got {wrapped.name}."
        )
    features = layers.Flatten()(_features(gan.discriminator))
    codes = layers.Dense(gan.latent_dim, dtype="float32", name="codes")(features)
    encoder = keras.Model(gan.discriminator.inputs[0], codes)
    classes = keras.Input((), dtype="int32")
    both = keras.Model([encoder.input, classes], decoder([codes, classes]))
    both.compile(keras.optimizers.Adam(learning_rate), "mse")
    both.fit(
        batches.map(lambda real, label: ((real, label), real)),
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
    )
    error = both.evaluate((samples, labels), samples, batch_size=256, verbose=0)
    found = encoder.predict(samples, batch_size=256, verbose=0)
    wrapped.get_layer("class_latents").adapt(found, labels)
    gan.ema_generator.set_weights(wrapped.get_weights())
    return float(error)


def _features(discriminator: keras.Model) -> keras.KerasTensor:
    """What the last layer with weights gets that sees samples alone, and no labels."""
    inputs = [layer.input for layer in discriminator.layers if layer.weights]
    for found in reversed([one[0] if isinstance(one, list) else one for one in inputs]):
        try:
            keras.Model(discriminator.inputs[0], found)
        except ValueError:
            # Such as an embedding of labels, or what is made of one.
            continue
        return found
    raise ValueError(
        f"{discriminator.name} must have layers that see samples alone to reconstruct them, but "
        "each sees labels."
    )
