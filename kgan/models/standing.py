"""Statistics of batch normalisation for latents that are drawn otherwise than in training."""

from collections.abc import Iterable
from typing import Any

import keras

import kgan.random


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

    Reference: Brock et al. 2019, appendix D, "standing statistics" (arXiv:1809.11096).
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
