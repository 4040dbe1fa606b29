"""Penalties of the generator against closed forms."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.generator_penalties
import kgan.models
import kgan.networks
import kgan.random
from kgan.generator_penalties import GENERATOR_PENALTIES, Orthogonal, PathLength
from kgan.networks import LearnedConstant, LinearImages, StyleMapping
from kgan.recipes import GANRecipe
from kgan.settings import PRESETS

SEED = kgan.random.step_seed(0, 0, "test")


@keras.saving.register_keras_serializable(package="tests")
class Linear(keras.layers.Layer):
    """Images that are a linear function of the first style: its kernel is the Jacobian."""

    def __init__(self, shape, **options):
        super().__init__(**options)
        self.shape = tuple(shape)

    def build(self, input_shape):
        size = int(np.prod(self.shape))
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], size))

    def call(self, styles):
        return tf.reshape(styles[:, 0] @ self.kernel, [-1, *self.shape])


def linear_generator(units=3, shape=(8, 8, 1)):
    keras.utils.set_random_seed(0)
    latents = keras.Input((4,))
    styles = StyleMapping(units, 2, name="mapping")(latents)
    images = Linear(shape, name="synthesis")(styles)
    return keras.Model(latents, LinearImages()(images), name="generator")


def test_path_length_of_a_linear_synthesis():
    """|J^T n| for the very noise, in published units; the mean is over two layers, one idle."""
    generator = linear_generator()
    penalty = PathLength(1.0)
    penalty.average_length.assign(0.25)
    latents = tf.zeros([6, 4])
    with kgan.random.drawing(SEED):
        found = penalty.evaluate(generator, latents, None, SEED)
    noise = kgan.random.normal(tf.random.fold_in(SEED, 2, alg="philox"), [3, 8, 8, 1])
    kernel = np.asarray(generator.get_layer("synthesis").kernel, float)
    slopes = np.reshape(noise, (3, 64)) / 8 @ kernel.T
    lengths = np.sqrt((slopes**2).sum(1) / 2)
    np.testing.assert_allclose(found.values, (lengths - 0.25) ** 2, rtol=1e-4)
    assert float(found.statistic) == pytest.approx(lengths.mean(), rel=1e-4)


def test_path_length_is_lazy_and_remembers_when_it_was_due():
    generator = linear_generator()
    penalty = PathLength(2.0, interval=4, decay=0.9)

    @tf.function
    def at(step):
        return penalty.weighted(
            generator, tf.zeros([6, 4]), None, seed=SEED, step=tf.cast(step, tf.int64)
        )

    assert not at(1).numpy().any()
    assert float(penalty.average_length.numpy()) == 0.0
    # The first lengths are where the average starts, and cost nothing.
    assert not at(4).numpy().any()
    first = float(penalty.average_length.numpy())
    assert first > 0.0
    penalty.average_length.assign(0.5 * first)
    values = at(8).numpy()
    away = np.sqrt(values / 8)  # Weight 2, 4 times as strong; all are longer than the half.
    expected = 0.5 * first + 0.1 * away.mean()
    assert float(penalty.average_length.numpy()) == pytest.approx(expected, rel=1e-4)


def test_path_length_moves_no_mean_style():
    generator = linear_generator()
    PathLength(2.0).weighted(
        generator, tf.zeros([6, 4]), None, seed=SEED, step=tf.constant(0, tf.int64)
    )
    assert not np.asarray(generator.get_layer("mapping").average_style).any()


def test_the_orthogonal_penalty_has_the_published_gradient():
    generator = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), LearnedConstant((2, 2, 1))]
    )
    kernel = generator.layers[0].kernel
    with tf.GradientTape() as tape:
        found = tf.reduce_sum(
            Orthogonal(1e-4).weighted(
                generator, tf.zeros([2, 4]), None, seed=SEED, step=tf.constant(0, tf.int64)
            )
        )
    rows = np.asarray(kernel, float).T
    expected = 1e-4 * 2 * (rows @ rows.T * (1 - np.eye(3))) @ rows
    np.testing.assert_allclose(tape.gradient(found, kernel.value).numpy().T, expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["stylegan2", "progan"])
def test_the_orthogonal_penalty_refuses_kernels_that_are_scaled_where_they_are_used(name):
    pair = kgan.networks.NETWORKS[name]
    gan = kgan.models.GAN(
        pair.generator((8, 8, 1), 4, width=4),
        pair.discriminator((8, 8, 1), width=4),
        generator_penalties=[Orthogonal()],
    )
    gan.compile(g_optimizer="sgd", d_optimizer="sgd")
    with pytest.raises(ValueError, match="orthogonal must be given a generator whose layers"):
        gan.train_step(tf.zeros([4, 8, 8, 1]))
    settings = dataclasses.replace(PRESETS[name], orthogonal=1e-4, generator_width=4)
    with pytest.raises(ValueError, match="orthogonal must be given a generator whose layers"):
        GANRecipe(settings).model(kgan.data.Dataset("few", np.zeros((4, 8, 8, 1), np.uint8)))


def test_path_length_needs_styles():
    with pytest.raises(ValueError, match="path_length must be given a generator with styles"):
        kgan.models.GAN(
            kgan.networks.dcgan_generator((8, 8, 1), 4, width=4),
            kgan.networks.dcgan_discriminator((8, 8, 1), width=4),
            generator_penalties=[PathLength()],
        )


@pytest.mark.parametrize("name", GENERATOR_PENALTIES)
def test_contract(name):
    penalty = kgan.generator_penalties.get(name, 0.5, interval=3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert again.get_config() == penalty.get_config()
    with pytest.raises(ValueError, match="weight must be at least 0"):
        GENERATOR_PENALTIES[name](-1.0)
    with pytest.raises(ValueError, match="interval must be at least 1"):
        GENERATOR_PENALTIES[name](1.0, interval=0)
