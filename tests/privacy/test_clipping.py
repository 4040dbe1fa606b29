"""Clipped sums against gradients that are taken record by record, and what one record can do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import kgan.networks
from kgan.networks.minibatch import MinibatchStandardDeviation
from kgan.privacy import clipped_sum, refuse_mixing

CLIP = 0.3


def losses(outputs):
    return tf.nn.softplus(-tf.reshape(outputs, [tf.shape(outputs)[0]]))


def zoo():
    """Activations, dilation, no bias, a layer that is called twice, one without a short form."""
    images = keras.Input((8, 8, 1))
    features = layers.Conv2D(4, 3, padding="valid", activation="tanh")(images)
    features = layers.Conv2D(4, 3, dilation_rate=2, padding="same", use_bias=False)(features)
    features = layers.Conv2D(4, 3, strides=2, padding="same")(features)
    features = layers.LayerNormalization()(features)
    twice = layers.Dense(4, activation="gelu")
    features = twice(twice(layers.Dense(4, activation="relu")(features)))
    features = layers.DepthwiseConv2D(3)(features)
    return keras.Model(images, layers.Dense(1)(layers.Flatten()(features)))


def frozen_kernel():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1)])
    model.layers[-1].kernel.trainable = False
    return model


NETWORKS = {
    "convolutions": lambda: kgan.networks.dcgan_discriminator((8, 8, 1), width=4),
    "conditional": lambda: kgan.networks.dcgan_discriminator((8, 8, 1), width=4, num_classes=3),
    "spectral": lambda: kgan.networks.dcgan_discriminator(
        (8, 8, 1), width=4, num_classes=3, spectral=True
    ),
    "all kinds of layers": zoo,
    "a bias alone": frozen_kernel,
}


@pytest.fixture(scope="module", params=NETWORKS)
def case(request):
    return built(request.param)


def built(name):
    """The network of this name and six records."""
    keras.utils.set_random_seed(0)
    network = NETWORKS[name]()
    images = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
    inputs = [images, np.array([0, 1, 2, 0, 1, 2])] if len(network.inputs) > 1 else images
    return network, tf.nest.map_structure(tf.constant, inputs)


def one_by_one(network, inputs):
    """Each record's gradient as a long float64 vector, from a pass of its own."""
    found = []
    for row in range(6):
        alone = tf.nest.map_structure(lambda values: values[row : row + 1], inputs)  # noqa: B023
        with tf.GradientTape() as tape:
            loss = losses(network(alone, training=True))
        parts = tape.gradient(loss, [one.value for one in network.trainable_variables])
        found.append(np.concatenate([np.ravel(tf.convert_to_tensor(part)) for part in parts]))
    return np.array(found, np.float64)


def flat(gradients):
    return np.concatenate([np.ravel(one) for one in gradients])


def test_the_sum_is_that_of_clipped_gradients(case):
    network, inputs = case
    mask = np.array([True, True, False, True, True, False])
    gradients = one_by_one(network, inputs)
    lengths = np.linalg.norm(gradients, axis=1)
    shares = np.minimum(1, CLIP / lengths)
    for taken in (None, mask):
        wanted = ((shares if taken is None else shares * taken)[:, None] * gradients).sum(axis=0)
        found, measured = clipped_sum(network, inputs, losses, clip_norm=CLIP, mask=taken)
        np.testing.assert_allclose(measured, lengths, rtol=1e-5)
        np.testing.assert_allclose(flat(found), wanted, atol=2e-6 * np.abs(wanted).max())


def test_a_record_changes_the_sum_by_at_most_the_clip_norm(case):
    network, inputs = case
    everyone, lengths = clipped_sum(network, inputs, losses, clip_norm=CLIP)
    for row in (0, 3):
        without, _ = clipped_sum(network, inputs, losses, clip_norm=CLIP, mask=tf.range(6) != row)
        influence = np.linalg.norm(flat(everyone) - flat(without))
        assert influence == pytest.approx(min(CLIP, float(lengths[row])), rel=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_record_that_is_not_finite_adds_nothing(case, value):
    network, inputs = case
    wanted, _ = clipped_sum(
        network, inputs, losses, clip_norm=CLIP, mask=tf.constant([True, False] + [True] * 4)
    )
    spoilt = tf.nest.map_structure(lambda one: one.numpy(), inputs)
    images = spoilt[0] if isinstance(spoilt, list) else spoilt
    images[1] = value
    found, lengths = clipped_sum(
        network, tf.nest.map_structure(tf.constant, spoilt), losses, clip_norm=CLIP
    )
    if np.isfinite(lengths[1]):
        # Softplus is flat there, or the record is clipped as any other.
        apart = sum(np.sum((a - b) ** 2) for a, b in zip(found, wanted, strict=True)) ** 0.5
        assert apart <= CLIP * (1 + 1e-5)
    else:
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    if not np.isfinite(value) and len(network.layers) > 3:
        assert not np.isfinite(lengths[1])


def test_the_network_is_as_it_was(case):
    network, inputs = case
    calls = [layer.call for layer in network._flatten_layers()]
    clipped_sum(network, inputs, losses, clip_norm=CLIP)
    assert [layer.call for layer in network._flatten_layers()] == calls


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization,
        MinibatchStandardDeviation,
        lambda: layers.Lambda(lambda values: values - tf.reduce_mean(values, axis=0)),
    ],
)
def test_a_network_that_mixes_records_is_refused(layer):
    images = keras.Input((8, 8, 1))
    features = layers.Flatten()(layer()(images))
    network = keras.Model(images, layers.Dense(1)(features))
    kept = [weight.numpy() for weight in network.weights]
    with pytest.raises(ValueError, match="the judge must judge each record for itself"):
        refuse_mixing(network, name="the judge")
    for weight, value in zip(network.weights, kept, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_network_that_does_not_mix_is_not():
    images = keras.Input((8, 8, 2))
    features = layers.Dropout(0.5)(layers.GroupNormalization(2)(images))
    refuse_mixing(keras.Model(images, layers.Dense(1)(layers.Flatten()(features))))


def test_mistakes_are_named():
    network = frozen_kernel()
    images = np.zeros((3, 8, 8, 1), np.float32)
    with pytest.raises(ValueError, match="clip_norm must be above 0, got 0"):
        clipped_sum(network, images, losses, clip_norm=0)
    with pytest.raises(ValueError, match="a number for each record"):
        clipped_sum(network, images, lambda outputs: outputs, clip_norm=1.0)

    class Shifted(keras.Model):
        def __init__(self):
            super().__init__()
            self.shift = self.add_weight(name="shift", shape=())
            self.flatten = layers.Flatten()

        def call(self, inputs):
            return tf.reduce_sum(self.flatten(inputs), axis=1) * self.shift

    # The model itself is not called as a layer of it, so what it does with its own variable is
    # seen by nobody.
    shifted = keras.Sequential([keras.Input((8, 8, 1)), Shifted()])
    found, _ = clipped_sum(shifted, images + 1, lambda outputs: outputs, clip_norm=100.0)
    assert float(found[0]) == pytest.approx(3 * 64)
