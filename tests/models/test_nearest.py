"""The search for latents as an endpoint, against a ridge regression and a GAN's own samples."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
from kgan.models.nearest import MOST_STEPS, MOST_WORK, STARTS, nearest
from kgan.networks.output_layers import LinearImages
from tests.models.test_endpoints import ask


def test_a_linear_generator_is_inverted_as_a_ridge_regression_does():
    random = np.random.default_rng(0)
    matrix, offset = random.standard_normal((3, 8)), random.standard_normal(8)
    wanted = random.standard_normal((4, 8))
    # The minimum of mean((z A + b - x)^2) + 0.0001 mean(z^2).
    gram = matrix @ matrix.T / 8 + 1e-4 / 3 * np.eye(3)
    expected = (wanted - offset) @ matrix.T / 8 @ np.linalg.inv(gram)

    @tf.function
    def found(samples, steps):
        def make(latents, labels):
            return latents @ tf.constant(matrix, tf.float32) + tf.constant(offset, tf.float32)

        return nearest(make, samples, None, steps, latent_dim=3)

    samples = tf.constant(wanted, tf.float32)
    made = found(samples, tf.fill([4], MOST_STEPS)).numpy()
    np.testing.assert_allclose(made, expected, atol=0.02)
    # Each row takes its own steps, whatever the others do; without any, the best start is it.
    steps = tf.constant([MOST_STEPS, 0, 20, 0])
    mixed = found(samples, steps).numpy()
    np.testing.assert_allclose(mixed[0], made[0], atol=1e-5)
    np.testing.assert_allclose(mixed[2], found(samples[2:3], steps[2:3])[0], atol=1e-5)
    starts = 0.5 * kgan.latents.from_seeds(tf.range(STARTS, dtype=tf.int64), 3).numpy()
    errors = np.mean((starts @ matrix + offset - wanted[1]) ** 2, axis=1)
    np.testing.assert_allclose(mixed[1], starts[errors.argmin()], atol=1e-6)


def test_a_gan_finds_its_own_samples(make_gan):
    gan = make_gan(num_classes=3)
    # Untrained as it is, its samples are all the same grey.
    for weight in gan.ema_generator.variables:
        if weight.name == "kernel":
            weight.assign(8.0 * weight)
    labels = np.array([1, 2])
    wanted = gan.generate(2, labels, seed=5)
    found = ask(gan, "project", images=wanted, labels=labels, steps=[100, 0])
    np.testing.assert_allclose(found["images"], gan.decode(found["latents"], labels), atol=1e-6)
    errors = np.mean((found["images"] - wanted) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(found["errors"], errors, rtol=1e-4)
    # A hundredth of how far the samples of other latents are.
    others = gan.generate(64, np.ones(64, int), seed=6)
    assert errors[0] < 0.01 * np.mean((others - wanted[0]) ** 2)
    assert errors[1] > 0.1 * np.mean((gan.generate(64, labels[1:].repeat(64)) - wanted[1]) ** 2)


@pytest.mark.parametrize("steps", [-1, MOST_STEPS + 1])
def test_more_steps_than_allowed_are_refused(make_gan, images, steps):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"steps must be in \[0, 300\]"):
        ask(make_gan(), "project", images=images[:1], steps=[steps])


def test_more_work_than_a_server_can_bear_is_refused(make_gan, images):
    few = [MOST_STEPS] * (MOST_WORK // MOST_STEPS + 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be at most 1200, got"):
        ask(make_gan(), "project", images=images[:1].repeat(len(few), 0), steps=few)


def within_a_model(generator):
    latents = keras.Input((6,))
    return keras.Model(latents, generator(latents))


@pytest.mark.parametrize("wrapped", [lambda generator: generator, within_a_model])
def test_clipped_pixels_guide_the_search(make_gan, wrapped):
    """Every start's image is black; only what it was before it was clipped has a gradient."""
    latents = keras.Input((6,))
    dark = keras.initializers.Constant(-9.0)
    last = keras.layers.Dense(64, kernel_initializer="ones", bias_initializer=dark)(latents)
    made = LinearImages()(keras.layers.Reshape((8, 8, 1))(last))
    gan = make_gan()
    again = type(gan)(wrapped(keras.Model(latents, made)), gan.discriminator)
    black = np.zeros((1, 8, 8, 1), np.float32)
    found = ask(again, "project", images=1.0 + black, steps=[MOST_STEPS])
    assert not ask(again, "decode", latents=np.zeros((1, 6)))["images"].any()
    assert found["errors"][0] < 1e-3
