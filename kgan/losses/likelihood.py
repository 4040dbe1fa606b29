"""How likely samples are: log-likelihoods in nats for each sample, and bits per dimension.

A decoder says two things of each value of a sample, a location and the logarithm of a scale.
Images in [0, 1] stand for 256 levels, value = level / 255, and what is measured is the probability
of the levels: so all likelihoods of one data set can be compared, and none is above 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

import kgan.names
from kgan.kinds import IMAGE_WIDTH

LEVELS = 256
"""Levels of a value of 8 bits."""

SMALLEST_LOG_SCALE = -7.0 - math.log(IMAGE_WIDTH)
"""Smaller scales count as this one. Published as -7 for values in [-1, 1] (Salimans et al. 2017,
"PixelCNN++", arXiv:1701.05517, section 2.1 and its code)."""


@dataclass(frozen=True)
class Likelihood:
    """The distribution of an image's values, independent of each other given what a decoder says.

    Attributes:
        log_probability: Maps `(images, location, log_scale, noise)`, all of shape (batch, ...), to
            the logarithm of the probability of each value's level, in nats, of the same shape.
            `noise` is from U(0, 1).
        most_likely: Maps `(location, log_scale)`, tensors or symbolic ones of a network, to the
            images in [0, 1] that are most likely.
        quantile: Maps `(share, location, log_scale)` to the images in [0, 1] below whose values
            that share of the probability lies. Of a share from U(0, 1) it is a draw.
        uses_noise: Whether `log_probability` reads `noise`; it is then the lower bound of the log
            probability that noise makes of a density.
    """

    log_probability: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    most_likely: Callable[[Any, Any], Any]
    quantile: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    uses_noise: bool = False


def discretised_logistic() -> Likelihood:
    """A logistic distribution whose mass between two half levels is the level's probability.

    The lowest and the highest level have the tails, so that the 256 probabilities sum to 1.

    Reference: Salimans et al. 2017, equation 2 (arXiv:1701.05517), here of one component.
    """

    def log_probability(images, location, log_scale, noise):
        level = _levels(images)
        per_level = tf.exp(-_bounded(log_scale)) / (LEVELS - 1)
        centre = (level - location * (LEVELS - 1)) * per_level
        lower, upper = centre - per_level / 2, centre + per_level / 2
        # sigmoid(upper) - sigmoid(lower)
        #     = sigmoid(upper) * sigmoid(-lower) * (1 - exp(lower - upper)):
        # no difference of two numbers that are nearly the same.
        inside = tf.math.log(-tf.math.expm1(-per_level))
        below, above = tf.nn.softplus(-upper), tf.nn.softplus(lower)
        lowest, highest = tf.equal(level, 0.0), tf.equal(level, LEVELS - 1.0)
        return (
            tf.where(lowest | highest, 0.0, inside)
            - tf.where(highest, 0.0, below)
            - tf.where(lowest, 0.0, above)
        )

    def quantile(share, location, log_scale):
        logit = tf.math.log(share) - tf.math.log1p(-share)
        return _rounded(location + tf.exp(_bounded(log_scale)) * logit)

    return Likelihood(
        log_probability,
        most_likely=lambda location, log_scale: keras.ops.clip(location, 0.0, 1.0),
        quantile=quantile,
    )


def gaussian() -> Likelihood:
    """A Gaussian density of values to which uniform noise was added, (level + noise) / 256.

    The mean of its logarithm over the noise is at most the log probability of the level. Without
    noise a density is no probability, and grows without end where values repeat.

    Reference: Theis et al. 2016, "A note on the evaluation of generative models", section 3.1
        (arXiv:1511.01844).
    """

    def log_probability(images, location, log_scale, noise):
        log_scale = _bounded(log_scale)
        spreads = ((_levels(images) + noise) / LEVELS - location) * tf.exp(-log_scale)
        log_density = -0.5 * tf.square(spreads) - log_scale - 0.5 * math.log(2 * math.pi)
        return log_density - math.log(LEVELS)

    def quantile(share, location, log_scale):
        values = location + tf.exp(_bounded(log_scale)) * tf.math.ndtri(share)
        return _from_noisy(tf.floor(values * LEVELS) + 0.5)

    return Likelihood(
        log_probability,
        most_likely=lambda location, log_scale: _from_noisy(location * LEVELS),
        quantile=quantile,
        uses_noise=True,
    )


def uniform() -> Likelihood:
    """All levels are equally likely, whatever the decoder says: 8 bits per dimension, exactly."""

    def log_probability(images, location, log_scale, noise):
        # Zero times what the decoder says, so that there is a gradient, of zero.
        return 0.0 * (location + log_scale) - math.log(LEVELS)

    return Likelihood(
        log_probability,
        most_likely=lambda location, log_scale: keras.ops.full_like(location, 0.5),
        quantile=lambda share, location, log_scale: _from_noisy(tf.floor(share * LEVELS) + 0.5),
    )


LIKELIHOODS: dict[str, Callable[[], Likelihood]] = {
    "discretised_logistic": discretised_logistic,
    "gaussian": gaussian,
    "uniform": uniform,
}


def get_likelihood(name: str) -> Likelihood:
    """A likelihood by its name, a key of `LIKELIHOODS`.

    Raises:
        ValueError: For an unknown name; it suggests the nearest.
    """
    return kgan.names.look_up("likelihood", name, LIKELIHOODS)()


def log_likelihood(
    likelihood: Likelihood,
    images: tf.Tensor,
    location: tf.Tensor,
    log_scale: tf.Tensor,
    noise: tf.Tensor,
) -> tf.Tensor:
    """The log-likelihood of each image in nats: the sum over its values.

    Args:
        likelihood: From `get_likelihood`.
        images: float32 (batch, ...) in [0, 1].
        location: What the decoder says of each value, float32 of the same shape.
        log_scale: The same.
        noise: Draws from U(0, 1) of the same shape.

    Returns:
        float32 (batch,).
    """
    values = likelihood.log_probability(images, location, log_scale, noise)
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))


def gaussian_divergence(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence of N(mean, variance) from N(0, 1), of each axis, in nats.

    Args:
        mean: Of any shape.
        log_variance: Of the same shape.

    Returns:
        Values of that shape, none below 0.

    Reference: Kingma & Welling 2014, appendix B (arXiv:1312.6114).
    """
    # expm1 keeps the digits where the variance is near 1.
    return 0.5 * (tf.square(mean) + tf.math.expm1(log_variance) - log_variance)


def gaussian_log_density(
    values: tf.Tensor, mean: tf.Tensor | float, log_variance: tf.Tensor | float
) -> tf.Tensor:
    """Logarithm of a Gaussian's density at each value, in nats; shapes as they broadcast."""
    log_variance = tf.convert_to_tensor(log_variance, tf.float32)
    square = tf.square(values - mean) * tf.exp(-log_variance)
    return -0.5 * (square + log_variance + math.log(2 * math.pi))


def bits_per_dimension(nats: tf.Tensor, dimensions: int) -> tf.Tensor:
    """Bits that a value of a sample costs where the sample has this log-likelihood.

    Args:
        nats: Log-likelihoods (or lower bounds of them), of any shape.
        dimensions: Values in a sample.

    Returns:
        Values of that shape: the lower, the better. Where all images are equally likely, 8.
    """
    return -nats / (dimensions * math.log(2))


def _bounded(log_scale: tf.Tensor) -> tf.Tensor:
    return tf.maximum(log_scale, SMALLEST_LOG_SCALE)


def _levels(images: tf.Tensor) -> tf.Tensor:
    """The level, 0.0 to 255.0, that each value stands for."""
    return tf.round(images * (LEVELS - 1))


def _rounded(images: tf.Tensor) -> tf.Tensor:
    """Values of 8 bits in [0, 1]."""
    return tf.clip_by_value(_levels(images), 0.0, LEVELS - 1.0) / (LEVELS - 1)


def _from_noisy(levels: Any) -> Any:
    """Images in [0, 1] of levels to which noise was added, whose mean is a half."""
    return keras.ops.clip((levels - 0.5) / (LEVELS - 1), 0.0, 1.0)
