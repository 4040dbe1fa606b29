"""Finds layers that would draw the same numbers on every replica."""

import warnings

import keras
import tensorflow as tf


def warn_of_equal_draws(*networks: keras.Model) -> None:
    """Warns, on several replicas, of layers whose draws each replica repeats.

    Keras keeps the state of a layer's generator in every replica, so the second half of a batch is
    given the masks of the first.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    layers = [
        layer.name
        for network in networks
        for layer in network._flatten_layers()
        if getattr(layer, "seed_generator", None) is not None
    ]
    if replicas > 1 and layers:
        warnings.warn(
            f"{', '.join(layers)}: drawn by Keras, equal on all {replicas} replicas. "
            "kgan.networks.Dropout and GaussianNoise draw for the global batch.",
            stacklevel=3,
        )
