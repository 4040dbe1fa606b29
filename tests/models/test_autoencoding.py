"""A start as an autoencoder: what it leaves alone, and what latents are after it."""

import keras
import numpy as np
import pytest

import kgan.data
import kgan.models
import kgan.precision
from kgan.models.autoencoding import _features
from kgan.networks import (
    NETWORKS,
    ClassLatents,
    dcgan_discriminator,
    dcgan_generator,
    with_class_latents,
)

LATENT = 6


def build(seed=0):
    keras.utils.set_random_seed(seed)
    generator = dcgan_generator((8, 8, 1), LATENT, num_classes=3, width=8)
    gan = kgan.models.GAN(
        with_class_latents(generator, 3),
        dcgan_discriminator((8, 8, 1), num_classes=3, width=8),
        num_classes=3,
    )
    gan.compile("adam")
    return gan, generator


def data():
    digits = kgan.data.load("digits")
    return digits.take(np.flatnonzero(digits.labels < 3))


def test_before_it_adapts_the_generator_is_the_one_it_was():
    gan, generator = build()
    latents = np.random.default_rng(0).normal(size=(5, LATENT)).astype(np.float32)
    labels = np.array([0, 1, 2, 1, 0], np.int32)
    np.testing.assert_array_equal(gan.generator([latents, labels]), generator([latents, labels]))
    assert not any("class_latents" in one.path for one in gan.generator.trainable_weights)


def test_latents_get_the_mean_and_the_covariance_of_the_codes():
    random = np.random.default_rng(1)
    codes = random.multivariate_normal([1, -2], [[1.0, 0.8], [0.8, 2.0]], 4000)
    labels = np.repeat([0, 2], 2000)
    codes[labels == 2] = 0.1 * codes[labels == 2] + 5.0
    layer = ClassLatents(3)
    layer.build([(None, 2), (None,)])
    layer.adapt(codes, labels)
    noise = random.normal(size=(20000, 2)).astype(np.float32)
    for label in (0, 2):
        own = codes[labels == label]
        made = np.asarray(layer([noise, np.full(len(noise), label)]))
        np.testing.assert_allclose(made.mean(axis=0), own.mean(axis=0), atol=0.05)
        # Two values of 2,000 are drawn towards what is shared.
        np.testing.assert_allclose(np.cov(made.T), np.cov(own.T), rtol=0.06, atol=0.03)
    np.testing.assert_array_equal(layer([noise, np.full(len(noise), 1)]), noise)


def test_a_class_of_few_is_drawn_towards_what_all_share():
    codes = np.array([[0.0], [2.0], [5.0]])  # Variances 1 and 0; within both (1 + 1 + 0) / 3.
    layer = ClassLatents(2)
    layer.build([(None, 1), (None,)])
    layer.adapt(codes, np.array([0, 0, 1]))
    np.testing.assert_allclose(
        np.asarray(layer.factors)[:, 0, 0] ** 2, [(2 + 2 / 3) / 3, (2 / 3) / 2], rtol=1e-5
    )
    np.testing.assert_allclose(np.asarray(layer.means)[:, 0], [1.0, 5.0])


def test_it_reconstructs_and_its_samples_are_of_their_class(tmp_path):
    few, (gan, _) = data(), build()
    before = gan.discriminator.layers[-2].get_weights()
    images = few.as_float()
    error = kgan.models.learn_to_reconstruct(
        gan, kgan.data.feed(few, 32), images, few.labels, steps=150
    )
    # Without a code, the labels alone give the mean image of each class.
    means = np.stack([images[few.labels == label].mean(axis=0) for label in range(3)])
    assert error < ((images - means[few.labels]) ** 2).mean()
    for old, new in zip(before, gan.discriminator.layers[-2].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    labels = np.repeat([0, 1, 2], 40)
    made = gan.generate(120, labels, seed=0)
    nearest = ((made[:, None] - means) ** 2).sum(axis=(2, 3, 4)).argmin(axis=1)
    assert (nearest == labels).mean() > 0.8
    gan.save(tmp_path / "gan.keras")
    again = kgan.models.load(tmp_path / "gan.keras")
    np.testing.assert_array_equal(again.generate(9, seed=1), gan.generate(9, seed=1))
    latents = gan.generator.get_layer("class_latents").get_weights()
    weights = gan.generator.trainable_weights[0].numpy()
    gan.fit(kgan.data.feed(few, 32), steps_per_epoch=1, shuffle=False, verbose=0)
    # The networks go on, and the Gaussians stay.
    assert np.abs(gan.generator.trainable_weights[0].numpy() - weights).max() > 0
    for old, new in zip(
        latents, gan.generator.get_layer("class_latents").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


def test_a_generator_without_class_latents_is_named():
    plain = dcgan_generator((8, 8, 1), LATENT, num_classes=3, width=8)
    judge = dcgan_discriminator((8, 8, 1), num_classes=3, width=8)
    gan = kgan.models.GAN(plain, judge, num_classes=3)
    with pytest.raises(ValueError, match=r"must be from kgan\.networks\.with_class_latents"):
        kgan.models.learn_to_reconstruct(gan, None, None, None, steps=1)


def test_the_gaussians_stay_in_float32():
    with kgan.precision.under("float16"):
        generator = dcgan_generator((8, 8, 1), LATENT, num_classes=3, width=8)
        generator = with_class_latents(generator, 3)
    assert generator.get_layer("class_latents").compute_dtype == "float32"
    made = generator([np.zeros((2, LATENT), np.float32), np.array([0, 2])])
    assert np.isfinite(np.asarray(made)).all()


@pytest.mark.parametrize("name", ["dcgan", "resnet", "fastgan", "biggan", "r3gan"])
def test_codes_are_made_of_what_sees_samples_alone(name):
    discriminator = NETWORKS[name].discriminator(
        (16, 16, 1), num_classes=3, width=8, spectral=False, minibatch_stddev=False
    )
    encoder = keras.Model(discriminator.inputs[0], _features(discriminator))
    codes = np.asarray(encoder(np.random.default_rng(0).random((2, 16, 16, 1), np.float32)))
    assert np.abs(codes[0] - codes[1]).max() > 0


def test_a_discriminator_that_sees_labels_everywhere_is_named():
    images, labels = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    shown = keras.layers.Dense(64)(keras.layers.Embedding(3, 4)(labels))
    both = keras.layers.Concatenate()([keras.layers.Flatten()(images), shown])
    discriminator = keras.Model([images, labels], keras.layers.Dense(1)(both), name="judge")
    with pytest.raises(ValueError, match="judge must have layers that see samples alone"):
        _features(discriminator)
