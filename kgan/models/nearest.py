"""The latents whose samples are nearest to given ones, found where a graph runs.

`kgan.latents.project` does the same in Python, with more to choose from. This is for an export.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import kgan.latents
from kgan.endpoints import Endpoint, Request, check_samples, finite, takes
from kgan.kinds import Kind
from kgan.models.unclipped import Make, unclipped

STARTS = 4
"""How many latents the search starts from; of what it finds the nearest counts."""
MOST_STEPS = 300
"""The most steps that a request may ask for."""
MOST_WORK = 1200
"""The most steps of all rows of a request together: a search cannot be broken off."""

_RATE, _PULL = 0.1, 1e-4
_BETA_1, _BETA_2 = 0.9, 0.999


def nearest(
    make: Make,
    samples: tf.Tensor,
    labels: tf.Tensor | None,
    steps: tf.Tensor,
    *,
    latent_dim: int,
) -> tf.Tensor:
    """Latents whose samples are near the given ones, by Adam from a few fixed starts; in a graph.

    The learning rate rises over the first twentieth of the steps and falls on a cosine over the
    last quarter. Each row is searched for on its own.

    Args:
        make: Differentiable function of latents (m, latent_dim) and labels (m,) to samples.
        samples: What to look for, float32 (n, ...).
        labels: Their classes (n,), or `None`.
        steps: How many steps each row takes, whole numbers (n,).
        latent_dim: Length of a latent vector.

    Returns:
        Latents (n, latent_dim).

    Reference: the schedule of Karras et al. 2019, appendix D (arXiv:1912.04958).
    """
    rows = tf.shape(samples)[0]
    first = kgan.latents.from_seeds(tf.range(STARTS, dtype=tf.int64), latent_dim)
    # All starts of a row, one after the other; half way to the mean, from where all are near.
    points = tf.tile(0.5 * first, [rows, 1])
    wanted = tf.repeat(samples, STARTS, axis=0)
    given = None if labels is None else tf.repeat(labels, STARTS)
    count = tf.cast(tf.repeat(steps, STARTS), tf.float32)

    def apart(latents: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(
            tf.square(make(latents, given) - wanted), axis=list(range(1, wanted.shape.rank))
        )

    def step(number, latents, mean, square):
        pull = _PULL * tf.reduce_mean(tf.square(latents), axis=1)
        total = tf.reduce_sum(apart(latents) + pull)
        # Of a loop with a tape in it TensorFlow keeps the graph for good: 16 MB for each export.
        gradient = tf.gradients(total, latents)[0]
        mean = mean + (1.0 - _BETA_1) * (gradient - mean)
        square = square + (1.0 - _BETA_2) * (tf.square(gradient) - square)
        taken = tf.cast(number, tf.float32)
        unbiased = mean / (1.0 - _BETA_1 ** (taken + 1.0))
        scale = tf.sqrt(square / (1.0 - _BETA_2 ** (taken + 1.0)))
        rate = _rate(taken, count)[:, None]
        return number + 1, latents - rate * unbiased / (scale + 1e-8), mean, square

    _, points, _, _ = tf.while_loop(
        lambda number, *_: number < tf.reduce_max(steps),
        step,
        (tf.zeros([], steps.dtype), points, tf.zeros_like(points), tf.zeros_like(points)),
        shape_invariants=(tf.TensorShape([]), *[tf.TensorShape([None, latent_dim])] * 3),
    )
    errors = tf.reshape(apart(points), [rows, STARTS])
    best = tf.argmin(errors, axis=1)
    points = tf.reshape(points, [rows, STARTS, latent_dim])
    return tf.gather(points, best, batch_dims=1)


def _rate(taken: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The learning rate of each row after so many steps; 0 for those that are done."""
    done = taken / tf.maximum(count, 1.0)
    rise = tf.minimum(1.0, (taken + 1.0) / tf.maximum(0.05 * count, 1.0))
    fall = 0.5 - 0.5 * tf.cos(np.pi * tf.clip_by_value((1.0 - done) / 0.25, 0.0, 1.0))
    return tf.where(taken < count, _RATE * rise * fall, 0.0)


def project_endpoint(
    generator: keras.Model,
    samples_of: Make,
    kind: Kind,
    *,
    latent_dim: int,
    sample_shape: tuple[int, ...],
    label_inputs: dict[str, tf.TensorSpec],
    labels_of: Callable[[Request], tf.Tensor | None],
) -> Endpoint:
    """What answers samples with the latents nearest to them, those latents' samples, and errors.

    Args:
        generator: Latents (and labels) to samples. Where its last layer clips them in inference
            mode, the search goes by what they are before, as a clipped one has no gradient.
        samples_of: Function of latents (m, latent_dim) and labels (m,) to the samples in the end.
        kind: What a sample is.
        latent_dim: Length of a latent vector.
        sample_shape: Shape of a sample.
        label_inputs: The input `labels` where there are classes, else nothing.
        labels_of: Function from a request to its checked labels, or `None`.
    """
    make, plural = unclipped(generator), kind.plural

    def project(request: Request) -> Request:
        wanted, labels = check_samples(request, kind), labels_of(request)
        steps = request["steps"]
        allowed = tf.reduce_all((steps >= 0) & (steps <= MOST_STEPS))
        told = [f"steps must be in [0, {MOST_STEPS}], got", steps]
        # Every row is searched for as long as the one with the most steps.
        work = tf.size(steps, tf.int64) * tf.reduce_max(tf.concat([steps, [0]], 0))
        much = [f"rows times the most steps must be at most {MOST_WORK}, got", work, "(send fewer)"]
        checks = [
            tf.debugging.Assert(allowed, told),
            tf.debugging.Assert(work <= MOST_WORK, much),
        ]
        with tf.control_dependencies(checks):
            count = tf.cast(steps, tf.int32)
        latents = nearest(make, wanted, labels, count, latent_dim=latent_dim)
        found = samples_of(latents, labels)
        errors = tf.reduce_mean(tf.square(found - wanted), axis=list(range(1, wanted.shape.rank)))
        return {"latents": latents, plural: found, "errors": errors}

    inputs = takes(**{plural: (sample_shape, tf.float32)}, steps=((), tf.int64))
    # Alone: a search takes long, and rows that a server adds take as long again.
    return Endpoint(finite(project), {**inputs, **label_inputs}, "project", row_wise=False)
