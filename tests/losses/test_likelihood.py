"""Likelihoods against float64 references, closed forms and probabilities that sum to 1."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

from kgan.losses.likelihood import (
    LIKELIHOODS,
    SMALLEST_LOG_SCALE,
    bits_per_dimension,
    gaussian_divergence,
    gaussian_log_density,
    get_likelihood,
    log_likelihood,
)
from kgan.settings import VAESettings

LEVELS = np.arange(256)
PLACES = [-0.4, 0.0, 0.25, 0.5, 0.998, 1.3]
SCALES = [1e-3, 0.01, 0.2, 3.0, 1e4]


def log_probabilities(name, location, scale, noise=0.5):
    """Of all 256 levels of one value."""
    images = tf.constant(LEVELS[:, None] / 255, tf.float32)
    said = (tf.fill(images.shape, value) for value in (location, math.log(scale)))
    noise = tf.fill(images.shape, noise)
    return get_likelihood(name).log_probability(images, *said, noise).numpy()[:, 0]


def logistic_reference(location, scale):
    """float64: differences of the distribution function, taken in the nearer tail."""
    edges = np.concatenate([[-np.inf], (LEVELS[:-1] + 0.5) / 255, [np.inf]])
    distances = (edges - location) / scale
    lower, upper = distances[:-1], distances[1:]
    below = scipy.special.expit(upper) - scipy.special.expit(lower)
    above = scipy.special.expit(-lower) - scipy.special.expit(-upper)
    return np.where(lower > 0, above, below)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("location", PLACES)
def test_the_discretised_logistic_is_its_float64_reference(location, scale):
    found = log_probabilities("discretised_logistic", location, scale)
    expected = logistic_reference(location, scale)
    assert expected.sum() == pytest.approx(1.0, abs=1e-12)
    seen = expected > 1e-250
    np.testing.assert_allclose(found[seen], np.log(expected[seen]), rtol=2e-5, atol=2e-4)
    # Where a level's probability underflows, its logarithm is still a number.
    assert np.isfinite(found).all()


@pytest.mark.parametrize("scale", [*SCALES, 1e-9])
@pytest.mark.parametrize("location", PLACES)
def test_probabilities_of_all_levels_sum_to_1(location, scale):
    found = log_probabilities("discretised_logistic", location, scale).astype(float)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-4)


def test_scales_have_a_smallest_one():
    # -7 as published for [-1, 1]: half of that in [0, 1].
    assert pytest.approx(math.exp(-7) / 2) == math.exp(SMALLEST_LOG_SCALE)
    tiny, least = (
        log_probabilities("discretised_logistic", 0.5, scale) for scale in (1e-9, math.exp(-7) / 2)
    )
    np.testing.assert_allclose(tiny, least, rtol=1e-6)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_gradients_are_finite_everywhere(name):
    images = tf.constant(np.repeat(LEVELS / 255, 25)[None], tf.float32)
    locations = np.tile(np.repeat([-50.0, 0.0, 0.5, 1.0, 50.0], 5), 256)[None]
    scales = np.tile(np.tile([-30.0, -7.0, -2.0, 3.0, 30.0], 5), 256)[None]
    said = [tf.Variable(one, dtype=tf.float32) for one in (locations, scales)]
    noise = tf.fill(images.shape, 0.5)
    with tf.GradientTape() as tape:
        value = log_likelihood(get_likelihood(name), images, *said, noise)
    assert np.isfinite(value.numpy()).all()
    for gradient in tape.gradient(value, said):
        assert np.isfinite(gradient.numpy()).all()


def test_black_and_white_under_a_boundless_scale_cost_one_bit():
    # Half of the mass lies beyond each end.
    images = tf.constant(np.random.default_rng(0).integers(0, 2, (5, 4, 4, 1)), tf.float32)
    location, log_scale = tf.fill(images.shape, 0.5), tf.fill(images.shape, 40.0)
    nats = log_likelihood(
        get_likelihood("discretised_logistic"), images, location, log_scale, images
    )
    np.testing.assert_allclose(bits_per_dimension(nats, 16), 1.0, rtol=1e-6)


def test_the_uniform_model_costs_8_bits():
    images = tf.constant(np.random.default_rng(0).random((3, 28, 28, 1)), tf.float32)
    nats = log_likelihood(get_likelihood("uniform"), images, images, images, images)
    # As near as float32 sums 784 values.
    np.testing.assert_allclose(bits_per_dimension(nats, 784), 8.0, rtol=1e-6)
    probabilities = np.exp(log_probabilities("uniform", 0.3, 0.1).astype(float))
    np.testing.assert_allclose(probabilities, 1 / 256, rtol=1e-6)


@pytest.mark.parametrize(("location", "scale"), [(0.3, 0.05), (0.0, 0.02), (1.2, 0.7)])
def test_the_gaussian_is_the_density_of_noisy_levels(location, scale):
    noise = 0.3
    found = log_probabilities("gaussian", location, scale, noise)
    values = (LEVELS + noise) / 256
    expected = scipy.stats.norm.logpdf(values, location, scale) - math.log(256)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_the_gaussian_over_its_noise_is_at_most_the_probability_of_a_level():
    location, scale = 0.4, 0.01
    noises = (np.arange(200) + 0.5) / 200
    found = np.array(
        [log_probabilities("gaussian", location, scale, noise) for noise in noises.tolist()]
    )
    edges = scipy.stats.norm.cdf(np.arange(257) / 256, location, scale)
    near = np.diff(edges) > 1e-12
    mean = found.mean(axis=0)[near]
    assert (mean <= np.log(np.diff(edges)[near]) + 1e-4).all()
    # And the mean probability is the level's: nothing is lost but what the logarithm takes.
    density = np.exp(found.astype(float)).mean(axis=0)[near]
    np.testing.assert_allclose(density, np.diff(edges)[near], rtol=1e-3)


@pytest.mark.parametrize("name", ["discretised_logistic", "gaussian"])
@pytest.mark.parametrize(("location", "scale"), [(0.3, 0.02), (-0.1, 0.05), (1.05, 0.2)])
def test_the_most_likely_image_is_most_likely(name, location, scale):
    likelihood = get_likelihood(name)
    image = likelihood.most_likely(tf.constant(location), tf.constant(math.log(scale))).numpy()
    inside = log_probabilities(name, location, scale)
    if name == "discretised_logistic":
        # The ends hold the tails, so among the levels between them.
        inside = inside[1:-1]
        best = 1 + int(inside.argmax())
        assert abs(image * 255 - best) <= 1.0
    else:
        assert abs(image * 255 - int(inside.argmax())) <= 1.0


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_draws_have_the_probabilities(name):
    location, scale, n = 0.15, 0.1, 200_000
    shares = tf.constant((np.arange(n) + 0.5) / n, tf.float32)
    said = tf.fill([n], location), tf.fill([n], math.log(scale))
    images = get_likelihood(name).quantile(shares, *said).numpy()
    levels = np.round(images * 255)
    np.testing.assert_allclose(images, levels / 255, atol=1e-6)
    assert levels.min() >= 0
    assert levels.max() <= 255
    found = np.bincount(levels.astype(int), minlength=256) / n
    if name == "gaussian":
        edges = scipy.stats.norm.cdf(np.arange(257) / 256, location, scale)
        # What falls outside is shown black or white.
        edges[0], edges[-1] = 0.0, 1.0
        expected = np.diff(edges)
    else:
        expected = np.exp(log_probabilities(name, location, scale).astype(float))
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_the_divergence_is_the_closed_form_and_what_draws_say():
    random = np.random.default_rng(0)
    mean, log_variance = random.normal(size=(2, 4)), random.normal(size=(2, 4))
    found = gaussian_divergence(tf.constant(mean), tf.constant(log_variance)).numpy()
    for index in np.ndindex(2, 4):
        prior = scipy.stats.norm(0, 1)
        posterior = scipy.stats.norm(mean[index], math.exp(log_variance[index] / 2))

        def integrand(x, posterior=posterior, prior=prior):
            return posterior.pdf(x) * (posterior.logpdf(x) - prior.logpdf(x))

        expected, _ = scipy.integrate.quad(integrand, -30, 30, limit=200)
        assert found[index] == pytest.approx(expected, rel=1e-6)
        draws = posterior.rvs(100_000, random_state=1)
        values = posterior.logpdf(draws) - prior.logpdf(draws)
        error = values.std() / math.sqrt(len(values))
        assert abs(values.mean() - found[index]) < 4 * error + 1e-12


def test_the_divergence_keeps_its_digits_near_0():
    log_variance = np.array([1e-3, -1e-3, 1e-4])
    found = gaussian_divergence(tf.zeros(3), tf.constant(log_variance, tf.float32)).numpy()
    # exp(x) - 1 - x is about x^2 / 2, which float32 loses in 1 + x.
    np.testing.assert_allclose(found, log_variance**2 / 4, rtol=0.15)
    assert gaussian_divergence(tf.zeros(1), tf.zeros(1)).numpy() == 0.0


def test_the_log_density_is_that_of_a_gaussian():
    found = gaussian_log_density(tf.constant([0.3, -2.0]), 0.5, math.log(4.0)).numpy()
    np.testing.assert_allclose(found, scipy.stats.norm.logpdf([0.3, -2.0], 0.5, 2.0), rtol=1e-6)


def test_a_likelihood_is_known_by_its_name():
    with pytest.raises(ValueError, match=r"got 'gausian'. Did you mean 'gaussian'\?"):
        get_likelihood("gausian")


def test_the_command_line_offers_all_of_them():
    field = VAESettings.__dataclass_fields__["likelihood"]
    assert set(field.type.__args__) == set(LIKELIHOODS)
