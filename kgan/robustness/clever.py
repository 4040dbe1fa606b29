"""CLEVER: an estimate, from gradients around an image, of how far it is from being misjudged.

The score is an estimate, neither an upper nor a lower bound: gradient masking raises it at will.
Quote it beside attacks and certificates (`kgan.certificates`), never in their place.

Reference: Weng et al. 2018, "Evaluating the robustness of neural networks: an extreme value theory
approach", algorithms 1 and 2 (arXiv:1801.10578); Goodfellow 2018, "Gradient masking causes CLEVER
to overestimate adversarial perturbation size" (arXiv:1804.07870).
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

import kgan.random
from kgan.attacks.checks import check_count, check_images, check_norm, check_radius
from kgan.attacks.norms import NORMS
from kgan.attacks.victim import Victim, victim_of
from kgan.labels import class_numbers

# Relative spread of the maxima below which they are one number: the classifier is linear there.
_CONSTANT = 1e-5


def clever(
    model: keras.Model | Victim,
    images: Any,
    labels: Any = None,
    *,
    norm: str = "l2",
    radius: float = 5.0,
    batches: int = 50,
    batch_size: int = 128,
    seed: int = 0,
) -> np.ndarray:
    """The CLEVER score of each image: an estimate of its smallest adversarial change.

    Args:
        model: Any Keras classifier (see `kgan.attacks.Victim`).
        images: float32 array of shape (n, ...) in [0, 1].
        labels: The true classes; the model's own predictions if None.
        norm: The norm of the change: "linf", "l2" or "l1".
        radius: Radius of the ball that is sampled; no score exceeds it. The paper has 5 in l2.
        batches: Number of batches of points around an image; each gives one largest gradient. The
            paper has 500.
        batch_size: Number of points in a batch. The paper has 1,024.
        seed: Seed of the points.

    Returns:
        float64 array of shape (n,); 0 where the image is misjudged as it is.
    """
    norm = check_norm(norm, NORMS)
    radius = check_radius("radius", radius, norm)
    check_count("batches", batches, 2)
    check_count("batch_size", batch_size)
    images = check_images(images)
    victim = victim_of(model, images)
    victim.check_criterion("CLEVER")
    logits = victim.predict(images)
    truth = (
        logits.argmax(1) if labels is None else class_numbers(labels, len(images), logits.shape[1])
    )
    function = _largest_gradients(victim, images.shape[1:], norm, radius, batch_size)
    scores = np.zeros(len(images))
    for row in np.flatnonzero(logits.argmax(axis=1) == truth):
        maxima = np.stack(
            [
                function(
                    tf.constant(images[row]),
                    tf.constant(int(truth[row])),
                    kgan.random.step_seed(seed, row * batches + batch, "clever"),
                ).numpy()
                for batch in range(batches)
            ]
        )
        margins = logits[row, truth[row]] - logits[row]
        scores[row] = min(
            min(margins[other] / _location(maxima[:, other]), radius)
            for other in range(victim.classes)
            if other != truth[row]
        )
    return scores


def _largest_gradients(
    victim: Victim, shape: tuple[int, ...], norm: str, radius: float, batch_size: int
) -> Any:
    """A function that gives, for each class, the largest gradient norm over a batch of points."""

    @tf.function(autograph=False)
    def largest(image, label, seed):
        points = image + radius * _in_ball(seed, [batch_size, *shape], norm)
        with tf.GradientTape() as tape:
            tape.watch(points)
            logits = victim.logits(points)
            margins = tf.gather(logits, label, axis=1)[:, None] - logits
        gradients = tape.batch_jacobian(margins, points)
        flat = tf.reshape(gradients, [batch_size, victim.classes, -1])
        # The dual norm: the steepest growth per unit of change in `norm`.
        order = {"linf": 1, "l2": 2, "l1": np.inf}[norm]
        return tf.reduce_max(tf.norm(flat, ord=order, axis=2), axis=0)

    return largest


def _in_ball(seed: tf.Tensor, shape: list[int], norm: str) -> tf.Tensor:
    """Points drawn evenly from the unit ball."""
    size = int(np.prod(shape[1:]))
    direction, length = tf.unstack(tf.random.split(seed, 2, alg="philox"))
    if norm == "linf":
        return 2.0 * kgan.random.stateless_uniform(direction, shape) - 1.0
    if norm == "l2":
        normal = kgan.random.stateless_normal(direction, [shape[0], size])
        unit = normal / tf.norm(normal, axis=1, keepdims=True)
    else:
        # Gaps of sorted uniforms are even on the simplex; signs make it the l1 sphere.
        draws = kgan.random.stateless_uniform(direction, [shape[0], size, 2])
        exponential = -tf.math.log(draws[:, :, 0])
        simplex = exponential / tf.reduce_sum(exponential, axis=1, keepdims=True)
        unit = tf.where(draws[:, :, 1] < 0.5, -simplex, simplex)
    share = kgan.random.stateless_uniform(length, [shape[0], 1]) ** (1.0 / size)
    return tf.reshape(share * unit, shape)


def _location(maxima: np.ndarray) -> float:
    """The limit of the maxima: the location of the reverse Weibull law fitted to them."""
    largest = float(maxima.max())
    if np.ptp(maxima) <= _CONSTANT * max(largest, np.finfo(float).tiny):
        return max(largest, np.finfo(float).tiny)
    scaled = maxima / largest
    _, location, _ = stats.weibull_max.fit(scaled, loc=1.0 + np.ptp(scaled), scale=np.ptp(scaled))
    return largest * max(float(location), 1.0)
