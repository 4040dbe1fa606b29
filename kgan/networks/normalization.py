"""The one batch normalisation that every generator uses."""

import keras


def batch_normalization(**options) -> keras.layers.BatchNormalization:
    """Batch normalisation with statistics of the global batch, alike on any number of replicas."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True, **options)
