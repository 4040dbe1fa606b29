"""Random rotations of images."""

import math

import tensorflow as tf

import kgan.random


def rotate(images: tf.Tensor, seed: tf.Tensor, *, degrees: float) -> tf.Tensor:
    """Rotates each image about its centre by up to `degrees` either way; fills with zeros.

    Args:
        images: Images, float32 (batch, height, width, channels).
        seed: Seed of the step, from `kgan.random.step_seed`.
        degrees: The largest angle, in degrees.

    Returns:
        Images of the same shape, interpolated bilinearly.
    """
    height, width = images.shape[1:3]
    share = kgan.random.stateless_uniform(seed, [tf.shape(images)[0]])
    angle = math.radians(degrees) * (2.0 * share - 1.0)
    cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
    # Maps output to input coordinates: x_in = R (x_out - middle) + middle.
    x, y = (width - 1) / 2.0, (height - 1) / 2.0
    right, down = x - cos * x + sin * y, y - sin * x - cos * y
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([cos, -sin, right, sin, cos, down, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    return tf.ensure_shape(turned, images.shape)
