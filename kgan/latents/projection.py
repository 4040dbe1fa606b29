"""Finding the latents or styles whose images are nearest to given ones."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

import kgan.random

Generate = Callable[[tf.Tensor], tf.Tensor]


class Projection(NamedTuple):
    """What was found for n images.

    Attributes:
        points: Latents or styles, (n, ...).
        images: Their images, (n, height, width, channels).
        errors: Mean squared error of each image, (n,).
        distances: Mean squared difference of the features of each, (n,); `None` without features.
    """

    points: np.ndarray
    images: np.ndarray
    errors: np.ndarray
    distances: np.ndarray | None = None

    @property
    def psnr(self) -> np.ndarray:
        """Peak signal-to-noise ratio of each image in decibels, (n,)."""
        return -10.0 * np.log10(np.maximum(self.errors, 1e-12))


def project(
    generate: Generate,
    images: ArrayLike,
    starts: ArrayLike,
    *,
    steps: int = 200,
    learning_rate: float = 0.1,
    noise: float = 0.05,
    features: Callable[[tf.Tensor], tf.Tensor] | None = None,
    feature_weight: float = 1.0,
    pull: float = 0.0,
    seed: int = 0,
) -> Projection:
    """Points whose images are near the given ones, by Adam from several starts.

    The learning rate rises over the first twentieth of the steps and falls on a cosine over the
    last quarter; noise on the points fades over the first three quarters. Of all starts, the point
    with the smallest error counts, that of the pixels and the weighted one of the features.

    Args:
        generate: Differentiable function of points (m, ...) to images (m, height, width, channels).
            It may leave [0, 1], and what it gives is clipped in the end: a clipped pixel has no
            gradient.
        images: The images, (n, height, width, channels) in [0, 1].
        starts: Points to start from, (restarts, n, ...).
        steps: Number of steps from each start.
        learning_rate: The largest learning rate.
        noise: Deviation of the noise on the points at first, in units of the starts' deviation in
            one dimension. (The published .05 is of the Euclidean one, the root of the dimensions
            times as much; held-out digits were found no nearer with it.)
        features: Differentiable function of images to features (m, ...), whose mean squared
            difference counts beside that of the pixels; a classifier's, for example.
        feature_weight: Weight of the features.
        pull: Weight of the points' mean square, which keeps latents typical.
        seed: Seed of the noise.

    Returns:
        The best of what was found for each image.

    Raises:
        ValueError: For images out of their range or of another shape than generated ones, and for
            starts of another number.

    Reference: the schedule of Karras et al. 2019, appendix D (arXiv:1912.04958).
    """
    wanted, first = tf.constant(images, tf.float32), tf.constant(starts, tf.float32)
    _check_range(wanted)
    if first.shape.rank < 3 or first.shape[1] != wanted.shape[0]:
        raise ValueError(
            f"starts must have the shape (restarts, {wanted.shape[0]}, ...), got {first.shape}."
        )
    restarts, n = first.shape[:2]
    shape = first.shape[2:]
    points = tf.Variable(tf.reshape(first, [restarts * n, *shape]))
    targets = tf.tile(wanted, [restarts, 1, 1, 1])
    aims = None if features is None else tf.stop_gradient(features(targets))
    deviation = noise * float(tf.math.reduce_std(first))
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build([points])

    def error(made: tf.Tensor) -> tf.Tensor:
        if made.shape[1:] != targets.shape[1:]:
            raise ValueError(
                f"images must have the shape of generated ones, {tuple(made.shape[1:])}, got "
                f"{tuple(targets.shape[1:])}."
            )
        return tf.reduce_mean(tf.square(made - targets), axis=[1, 2, 3])

    def distance(made: tf.Tensor) -> tf.Tensor:
        if features is None:
            return tf.zeros([])
        apart = tf.square(features(made) - aims)
        return tf.reduce_mean(apart, axis=list(range(1, apart.shape.rank)))

    @tf.function
    def step(spread: tf.Tensor, number: tf.Tensor) -> None:
        drawn = kgan.random.step_seed(seed, number, "projection")
        with tf.GradientTape() as tape:
            shift = spread * kgan.random.stateless_normal(drawn, tf.shape(points))
            made = generate(points + shift)
            loss = error(made) + feature_weight * distance(made)
            axes = list(range(1, len(points.shape)))
            loss += pull * tf.reduce_mean(tf.square(points), axis=axes)
            total = tf.reduce_sum(loss)
        optimizer.apply([tape.gradient(total, points)], [points])

    for number in range(steps):
        done = number / steps
        rise, fall = min(1.0, done / 0.05 + 1 / steps), min(1.0, (1.0 - done) / 0.25)
        optimizer.learning_rate = learning_rate * rise * (0.5 - 0.5 * np.cos(np.pi * fall))
        spread = deviation * max(0.0, 1.0 - done / 0.75) ** 2
        step(tf.constant(spread, tf.float32), tf.constant(number))
    made = tf.clip_by_value(generate(tf.convert_to_tensor(points)), 0.0, 1.0)
    errors, apart = error(made).numpy(), distance(made).numpy()
    best = np.reshape(errors + feature_weight * apart, [restarts, n]).argmin(axis=0)
    rows = best * n + np.arange(n)
    return Projection(
        points.numpy()[rows],
        made.numpy()[rows],
        errors[rows].astype(np.float32),
        None if features is None else apart[rows],
    )


def _check_range(images: tf.Tensor) -> None:
    low, high = float(tf.reduce_min(images)), float(tf.reduce_max(images))
    if not 0.0 <= low <= high <= 1.0:
        raise ValueError(
            f"images must be in [0, 1], got {low:g} to {high:g}. Divide those of [0, 255] by 255."
        )
