"""Layers and plan of FastGAN's networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.networks import GatedLinear, fastgan_decoder, fastgan_discriminator, fastgan_generator
from tests.networks.test_layers import gradients, tape_gradient

RANDOM = np.random.default_rng(0)


def test_gates():
    values = RANDOM.standard_normal((2, 3, 8))
    layer = GatedLinear()

    def reference(x):
        return x[..., :4] / (1.0 + np.exp(-x[..., 4:]))

    np.testing.assert_allclose(layer(values.astype(np.float32)), reference(values), rtol=1e-5)
    weight = RANDOM.standard_normal((2, 3, 4))
    expected = gradients(lambda x: (reference(x) * weight).sum(), values)
    seen = tape_gradient(lambda x: tf.reduce_sum(layer(x) * weight.astype(np.float32)), values)
    np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-4)
    assert layer.compute_output_shape((None, 3, 8)) == (None, 3, 4)


def excitations(network):
    """The side of each excited map, and that of the map which excites it."""
    found = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Multiply):
            excited, shares = layer.input
            assert shares.shape == (None, 1, 1, excited.shape[-1])
            map_ = shares
            while map_.shape[1] == 1:
                map_ = map_._keras_history.operation.input
            # Averages of a fourth of its sides come before the convolution to one place.
            source = map_._keras_history.operation.input
            found[excited.shape[1]] = source.shape[1]
    return found


@pytest.mark.parametrize(
    ("side", "wanted"),
    [(16, {16: 4}), (64, {64: 4}), (256, {64: 4, 128: 8, 256: 16})],
)
def test_small_maps_excite_those_that_are_sixteen_times_as_large(side, wanted):
    """Of images below 64 pixels, the smallest excites the largest."""
    assert excitations(fastgan_generator((side, side, 1), 4, width=2)) == wanted


@pytest.mark.parametrize(
    ("side", "wanted"),
    [(8, {}), (16, {}), (32, {8: 16}), (128, {8: 64}), (512, {8: 64, 16: 128, 32: 256})],
)
def test_large_maps_excite_those_of_the_discriminator_that_are_an_eighth(side, wanted):
    """Of images below 128 pixels, the largest excites the smallest, where there are two."""
    assert excitations(fastgan_discriminator((side, side, 1), width=2)) == wanted


def test_an_excitation_is_one_share_of_each_channel():
    network = fastgan_generator((16, 16, 1), 4, width=2)
    multiply = next(one for one in network.layers if isinstance(one, keras.layers.Multiply))
    parts = keras.Model(network.input, [*multiply.input, multiply.output])
    before, shares, after = map(np.asarray, parts(RANDOM.standard_normal((2, 4)).astype("float32")))
    assert shares.shape == (2, 1, 1, 2)
    assert shares.min() > 0
    assert shares.max() < 1
    np.testing.assert_allclose(after, before * shares, rtol=1e-6)


def test_a_decoder_draws_half_the_sides():
    discriminator = fastgan_discriminator((28, 20, 3), width=4)
    decoder = fastgan_decoder((28, 20, 3), discriminator, width=8)
    assert [one.shape[1:3] for one in decoder.inputs] == [(4, 3), (4, 3)]
    assert decoder.output_shape == [(None, 14, 10, 3), (None, 14, 10, 3)]


def test_serialises():
    layer = GatedLinear(name="gate")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
