"""Statistics of batch normalisation for latents that are drawn otherwise than in training."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

import kgan.latents
import kgan.random
from kgan.models.gan import GAN
from kgan.models.styles import Styles

_BATCH = 64


def stand_for(gan: GAN, batches: int, *, truncation: float | None = None, seed: int = 0) -> None:
    """Sets the statistics of a GAN's averaged generator to those of samples that it will make.

    Args:
        gan: The GAN, whose generator has batch normalisation and no styles.
        batches: Over how many batches of 64, whose classes are drawn, all alike; the code of
            Brock et al. takes 16 by default.
        truncation: The largest absolute value of a latent, as for `GAN.generate_truncated`; default
            none.
        seed: Seed of the latents, and of what layers draw in training.

    Raises:
        ValueError: For a generator without batch normalisation, or with styles, whose truncation
            acts elsewhere.
    """
    if Styles.of(gan.ema_generator) is not None:
        raise ValueError("standing statistics must be of a generator without styles.")

    def inputs(number: int) -> Any:
        drawn = kgan.random.step_seed(seed, number, "standing latents")
        latents = kgan.random.stateless_normal(drawn, [_BATCH, gan.latent_dim])
        if truncation is not None:
            latents = kgan.latents.truncated(latents, truncation)
        if gan.num_classes is None:
            return latents
        drawn = kgan.random.step_seed(seed, number, "standing labels")
        classes = kgan.random.stateless_uniform(drawn, [_BATCH]) * gan.num_classes
        return [latents, tf.cast(classes, tf.int32)]

    set_standing_statistics(gan.ema_generator, map(inputs, range(batches)), seed=seed)


def set_standing_statistics(network: keras.Model, batches: Iterable[Any], *, seed: int = 0) -> int:
    """Sets all moving statistics of a network to their plain averages over some batches.

    The moving ones are those of latents from N(0, 1). Truncated latents have others, and images
    made with the wrong ones are saturated.

    Args:
        network: The network, such as `gan.ema_generator`, whose batch normalisation has a
            `momentum`.
        batches: Inputs of the network, of about equal size: truncated latents, or
            `[latents, labels]`.
        seed: Seed of what its layers draw in training, such as noise.

    Returns:
        The number of batches.

    Reference: Brock et al. 2019, "standing statistics" in the appendix (arXiv:1809.11096).
    """
    layers = [one for one in network._flatten_layers() if _keeps_statistics(one)]
    if not layers:
        raise ValueError(f"{network.name} must have batch normalisation, got none.")
    momenta = [layer.momentum for layer in layers]
    # Keras's own, unlike those of kgan, keep their statistics where they are not trainable, as in
    # an average.
    frozen = [layer for layer in layers if not layer.trainable]
    count = 0
    try:
        for layer in frozen:
            layer.trainable = True
        for inputs in batches:
            for layer in layers:
                # The average of all so far.
                layer.momentum = count / (count + 1)
            drawn = kgan.random.step_seed(seed, count, "standing statistics")
            with kgan.random.drawing(drawn):
                network(inputs, training=True)
            count += 1
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for layer in frozen:
            layer.trainable = False
    if count == 0:
        raise ValueError("batches must be at least one, got none.")
    return count


def _keeps_statistics(layer: keras.layers.Layer) -> bool:
    return hasattr(layer, "moving_mean") and hasattr(layer, "momentum")
