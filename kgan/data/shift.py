"""Random shifts of images."""

import tensorflow as tf


def shift(images: tf.Tensor, seed: tf.Tensor, *, pixels: int) -> tf.Tensor:
    """Moves each image by up to `pixels` along each axis; fills with zeros.

    Args:
        images: Images (batch, height, width, channels).
        seed: Seed of the step, from `kgan.random.step_seed`.
        pixels: The largest shift, in pixels.

    Returns:
        Images of the same shape.
    """
    batch, height, width = (tf.shape(images)[axis] for axis in range(3))
    padded = tf.pad(images, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
    corner = tf.random.stateless_uniform([batch, 2], seed, 0, 2 * pixels + 1, tf.int32)
    rows = corner[:, :1] + tf.range(height)
    columns = corner[:, 1:] + tf.range(width)
    moved = tf.gather(padded, rows, axis=1, batch_dims=1)
    moved = tf.gather(moved, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(moved, images.shape)
