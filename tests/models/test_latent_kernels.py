"""The first linear maps of latents against products of the weights, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
from kgan.models.latent_kernels import latent_kernels
from kgan.models.styles import Styles
from kgan.networks import (
    NETWORKS,
    SteeredBatchNormalization,
    biggan_generator,
    dcgan_generator,
    progan_generator,
    with_class_latents,
)

SHAPE = (8, 8, 1)
RANDOM = np.random.default_rng(0)


def drawn(size):
    return tf.constant(RANDOM.standard_normal((1, size)), tf.float32)


def together(kernels):
    return np.concatenate(kernels, axis=1)


def gram(kernels):
    """What their directions are the eigenvectors of, but for the length of rows."""
    return together(kernels) @ together(kernels).T


@pytest.mark.parametrize("num_classes", [None, 3])
def test_every_part_of_the_latents_of_biggan_has_its_maps(num_classes):
    """Of 14 latents the first 6 are made a map, and each of two blocks is steered by 4."""
    generator = biggan_generator(SHAPE, 14, num_classes=num_classes, width=4)
    dense = next(one for one in generator.layers if isinstance(one, keras.layers.Dense))
    steered = [one for one in generator.layers if isinstance(one, SteeredBatchNormalization)]
    assert len(steered) == 4
    expected = np.zeros((14, 14))
    kernel = np.asarray(dense.kernel, float)
    assert kernel.shape[0] == 6
    expected[:6, :6] = kernel @ kernel.T
    for number, layer in enumerate(steered):
        # The embedding of the class comes first.
        both = [np.asarray(one.kernel, float)[-4:] for one in (layer.scale, layer.offset)]
        assert layer.scale.kernel.shape[0] == (4 if num_classes is None else 128 + 4)
        part = slice(6, 10) if number < 2 else slice(10, 14)
        expected[part, part] += gram(both)
    labels = None if num_classes is None else tf.constant([1])
    kernels = latent_kernels(generator, drawn(14), labels)
    np.testing.assert_allclose(gram(kernels), expected, rtol=1e-5, atol=1e-6)
    directions, _ = kgan.latents.closed_form(kernels, 14)
    # Each moves one part of the latents alone.
    parts = np.abs(directions[:, :6]).sum(1), *np.abs(directions[:, 6:]).reshape(14, 2, 4).sum(2).T
    assert (np.sum(np.array(parts) > 1e-5, axis=0) == 1).all()


def test_within_a_model_and_behind_the_gaussian_of_a_class():
    inner = dcgan_generator(SHAPE, 6, num_classes=3, width=4)
    generator = with_class_latents(inner, 3)
    factors = RANDOM.standard_normal((3, 6, 6))
    generator.get_layer("class_latents").factors.assign(factors)
    dense = next(one for one in inner.layers if isinstance(one, keras.layers.Dense))
    # A latent z becomes F z, of which the kernel makes K' F z.
    expected = factors[2].T @ np.asarray(dense.kernel, float)[:6]
    (found,) = latent_kernels(generator, drawn(6), tf.constant([2]))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_what_the_length_of_latents_does_is_nothing_where_they_are_normalised():
    generator, latents = progan_generator(SHAPE, 6, width=4), drawn(6)
    dense = next(one for one in generator.layers if isinstance(one, keras.layers.Dense))
    point = np.asarray(latents, float)[0]
    square = np.mean(point**2)
    # By hand: x / sqrt(mean(x^2)).
    slopes = (np.eye(6) - np.outer(point, point) / (6 * square)) / np.sqrt(square)
    (found,) = latent_kernels(generator, latents, None)
    np.testing.assert_allclose(found, slopes @ np.asarray(dense.kernel), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(point @ found, 0.0, atol=1e-4)


def test_generators_of_a_users_own():
    """Parts that meet a matrix, a convolution of one pixel, and one after another."""
    latents = keras.Input((5,))
    first = keras.layers.Dense(7, activation="relu")
    pixel = keras.layers.Conv2DTranspose(3, 2)
    blocked = keras.layers.Dense(12)
    features = blocked(first(latents[:, :3]))
    features += keras.layers.Flatten()(pixel(keras.layers.Reshape((1, 1, 2))(2 * latents[:, 3:])))
    generator = keras.Model(latents, features)
    # A transposed convolution of one pixel: (height, width, filters, channels).
    spread = np.moveaxis(np.asarray(pixel.kernel, float), 3, 0).reshape(2, -1)
    expected = np.zeros((5, 5))
    expected[:3, :3], expected[3:, 3:] = gram([np.asarray(first.kernel, float)]), 4 * gram([spread])
    np.testing.assert_allclose(
        gram(latent_kernels(generator, drawn(5), None)), expected, rtol=1e-5, atol=1e-6
    )


def test_layers_in_turn():
    first = keras.layers.Dense(4)
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Rescaling(3.0), first])
    generator.add(keras.layers.Dense(2))
    (found,) = latent_kernels(generator, drawn(3), None)
    np.testing.assert_allclose(found, 3.0 * np.asarray(first.kernel), rtol=1e-6)


@keras.saving.register_keras_serializable(package="tests")
class Own(keras.layers.Layer):
    """A dense layer in a layer, which does not say so."""

    def build(self, input_shape):
        self.dense = keras.layers.Dense(4)
        self.dense.build(input_shape)

    def call(self, inputs):
        return self.dense(inputs)


class Telling(Own):
    @property
    def vector_maps(self):
        return [self.dense]


def test_a_generator_whose_maps_are_hidden_says_what_to_do():
    latents = keras.Input((3,))
    own = keras.Model(latents, Own(name="mine")(latents), name="ours")
    with pytest.raises(ValueError, match=r"ours must have .*, mine\. Give .* vector_maps"):
        latent_kernels(own, drawn(3), None)
    layer = Telling()
    (found,) = latent_kernels(keras.Model(latents, layer(latents)), drawn(3), None)
    np.testing.assert_allclose(found, layer.dense.kernel, rtol=1e-6)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_all_latents_of_all_networks_are_seen(name):
    shape = (2,) if name.startswith("mlp") else SHAPE
    generator = NETWORKS[name].generator(shape, 12, num_classes=3, width=4)
    styles = Styles.of(generator)
    if styles is not None:
        assert {len(one) for one in styles.kernels()} == {styles.shape[1]}
        return
    found = together(latent_kernels(generator, drawn(12), tf.constant([1])))
    assert found.shape[0] == 12
    assert np.abs(found).max(axis=1).min() > 0
