"""Minibatch standard deviation, conditional normalisation and projection in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.networks import (
    BatchNormalization,
    BlockConv2D,
    ConditionalBatchNormalization,
    FourierFeatures,
    InstanceNormalization,
    MinibatchStandardDeviation,
    Projection,
)

RANDOM = np.random.default_rng(0)


def gradients(function, values):
    """Central differences of a float64 function, for each value."""
    result = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        for sign in (1, -1):
            moved = values.copy()
            moved[index] += sign * 1e-5
            result[index] += sign * function(moved) / 2e-5
    return result


def tape_gradient(function, values):
    tensor = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = function(tensor)
    return tape.gradient(value, tensor).numpy()


def stddev_reference(features):
    groups = features.reshape(-1, 4, *features.shape[1:])
    statistic = np.sqrt(groups.var(axis=1) + 1e-8).mean(axis=(1, 2, 3))
    column = np.repeat(statistic, 4)[:, None, None, None] * np.ones((*features.shape[:-1], 1))
    return np.concatenate([features, column], axis=-1)


def test_minibatch_standard_deviation():
    features = RANDOM.standard_normal((8, 3, 2, 2))
    layer = MinibatchStandardDeviation()
    np.testing.assert_allclose(
        layer(features.astype(np.float32), training=True), stddev_reference(features), rtol=1e-5
    )
    weight = RANDOM.standard_normal((8, 3, 2, 3))
    expected = gradients(lambda x: (stddev_reference(x) * weight).sum(), features)
    seen = tape_gradient(
        lambda x: tf.reduce_sum(layer(x, training=True) * weight.astype(np.float32)), features
    )
    np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("batch", "size"), [(4, 4), (6, 3), (10, 2), (3, 3), (7, 1), (1, 1)])
def test_any_batch_falls_into_groups(batch, size):
    features = RANDOM.standard_normal((batch, 5)).astype(np.float32)
    groups = features.reshape(-1, size, 5)
    wanted = np.repeat(np.sqrt(groups.var(axis=1) + 1e-8).mean(axis=1), size)
    layer = MinibatchStandardDeviation()
    layer.build((None, 5))
    any_batch = [tf.TensorSpec([None, 5])]
    call = tf.function(lambda x: layer(x, training=True), input_signature=any_batch)
    np.testing.assert_allclose(call(features)[:, -1], wanted, rtol=1e-5)
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    np.testing.assert_allclose(compiled(features)[:, -1], wanted, rtol=1e-5)


def test_minibatch_statistic_outside_training_is_the_running_mean():
    layer = MinibatchStandardDeviation(momentum=0.5)
    features = RANDOM.standard_normal((8, 3)).astype(np.float32)
    statistic = np.asarray(layer(features, training=True))[:, -1].mean()
    alone = np.asarray(layer(features[:1], training=False))
    together = np.asarray(layer(features, training=False))
    np.testing.assert_allclose(alone[:, -1], [0.5 * statistic], rtol=1e-5)
    np.testing.assert_array_equal(alone, together[:1])


def test_conditional_batch_normalisation():
    features, labels = RANDOM.standard_normal((6, 2, 2, 3)), np.array([0, 1, 1, 2, 0, 2])
    layer = ConditionalBatchNormalization(3)
    layer.build([(None, 2, 2, 3), (None,)])
    gamma, beta = RANDOM.standard_normal((2, 3, 3))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)

    def reference(x):
        normal = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-5)
        return normal * gamma[labels][:, None, None] + beta[labels][:, None, None]

    def call(x):
        return layer([x, tf.constant(labels)], training=True)

    np.testing.assert_allclose(
        call(features.astype(np.float32)), reference(features), rtol=1e-4, atol=1e-5
    )
    weight = RANDOM.standard_normal(features.shape)
    expected = gradients(lambda x: (reference(x) * weight).sum(), features)
    seen = tape_gradient(lambda x: tf.reduce_sum(call(x) * weight.astype(np.float32)), features)
    np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 2, 2, 3), (6, 3)])
def test_batch_normalisation(shape):
    features = RANDOM.standard_normal(shape) + 1.0
    layer = BatchNormalization(momentum=0.6)
    layer.build(shape)
    gamma, beta = RANDOM.standard_normal((2, 3))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    axes = tuple(range(len(shape) - 1))

    def reference(x):
        return (x - x.mean(axis=axes)) / np.sqrt(x.var(axis=axes) + 1e-5) * gamma + beta

    seen = layer(features.astype(np.float32), training=True)
    np.testing.assert_allclose(seen, reference(features), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.4 * features.mean(axis=axes), rtol=1e-4)
    np.testing.assert_allclose(
        layer.moving_variance, 0.6 + 0.4 * features.var(axis=axes), rtol=1e-4
    )
    weight = RANDOM.standard_normal(shape)
    expected = gradients(lambda x: (reference(x) * weight).sum(), features)
    slopes = tape_gradient(
        lambda x: tf.reduce_sum(layer(x, training=True) * weight.astype(np.float32)), features
    )
    np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-4)
    moving = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    still = layer(features.astype(np.float32), training=False)
    expected = (features - moving[0]) / np.sqrt(moving[1] + 1e-5) * gamma + beta
    np.testing.assert_allclose(still, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 40])
def test_instance_normalisation(batch):
    features = 3.0 * RANDOM.standard_normal((batch, 4, 5, 2)) + RANDOM.standard_normal(
        (batch, 1, 1, 2)
    )
    weight = RANDOM.standard_normal(features.shape)
    layer = InstanceNormalization(epsilon=1e-3)

    def reference(x):
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), [1, 2], keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-3)

    def slopes(function, dtype):
        x, by = tf.constant(features, dtype), tf.constant(weight, dtype)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(tf.sin(function(x)) * by)
            slope = inner.gradient(loss, x)
            total = tf.reduce_sum(tf.square(slope) * by)
        return slope, outer.gradient(total, x)

    for training in (True, False):
        seen = layer(features.astype(np.float32), training=training)
        np.testing.assert_allclose(seen, reference(features), rtol=1e-4, atol=1e-5)
    found = slopes(lambda x: layer(x, training=True), tf.float32)
    for seen, expected in zip(found, slopes(reference, tf.float64), strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("kernel", "strides", "shape", "bias"),
    [(7, 1, (2, 14, 10, 3), True), (3, 1, (1, 6, 4, 2), False), (4, 2, (2, 8, 10, 3), True)],
)
def test_a_convolution_over_blocks_is_keras_s(kernel, strides, shape, bias, tmp_path):
    options = {
        "strides": strides,
        "use_bias": bias,
        "bias_initializer": "normal",
        "dtype": "float64",
    }
    model = keras.Sequential([keras.Input(shape[1:]), BlockConv2D(3, kernel, **options)])
    layer = model.layers[0]
    plain = keras.layers.Conv2D(3, kernel, **options)
    plain.build(shape)
    plain.set_weights(layer.get_weights())
    images = tf.constant(RANDOM.standard_normal(shape))
    weight = RANDOM.standard_normal(plain(images).shape)

    def found(one, **training):
        weights = [weight.value for weight in one.trainable_weights]
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                made = one(images, **training)
                loss = tf.reduce_sum(tf.sin(made) * weight)
            slopes = inner.gradient(loss, [images, *weights])
            total = tf.add_n([tf.reduce_sum(slope**3) for slope in slopes])
        return [made, *slopes, *outer.gradient(total, [images, *weights])]

    for seen, expected in zip(found(layer, training=True), found(plain), strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-9)
    # Odd sides, and what it is used for, are as Keras has them.
    np.testing.assert_array_equal(layer(images[:, 1:], training=True), plain(images[:, 1:]))
    np.testing.assert_array_equal(layer(images), plain(images))
    model.save(tmp_path / "blocks.keras")
    again = keras.models.load_model(tmp_path / "blocks.keras")
    np.testing.assert_array_equal(again(images), model(images))


def test_instance_normalisation_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 2)), InstanceNormalization(epsilon=0.1)])
    model.save(tmp_path / "norm.keras")
    again = keras.models.load_model(tmp_path / "norm.keras")
    assert type(again.layers[0]) is InstanceNormalization
    images = RANDOM.random((2, 4, 4, 2))
    np.testing.assert_array_equal(again(images), model(images))
    assert np.std(again(images)) < 0.9


def test_projection():
    features, labels = RANDOM.standard_normal((5, 4)), np.array([0, 2, 1, 1, 0])
    layer = Projection(3)
    layer.build([(None, 4), (None,)])
    kernel, bias, table = (np.asarray(weight, np.float64) for weight in layer.weights)

    def reference(x):
        return x @ kernel + bias + (table[labels] * x).sum(axis=1, keepdims=True)

    def call(x):
        return layer([x, tf.constant(labels)])

    np.testing.assert_allclose(
        call(features.astype(np.float32)), reference(features), rtol=1e-5, atol=1e-6
    )
    expected = gradients(lambda x: (reference(x) ** 2).sum(), features)
    np.testing.assert_allclose(
        tape_gradient(lambda x: tf.reduce_sum(call(x) ** 2), features),
        expected,
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "layer",
    [
        MinibatchStandardDeviation(2, momentum=0.9),
        ConditionalBatchNormalization(3),
        Projection(4, spectral=True),
        FourierFeatures((0, 3)),
    ],
)
def test_serialises(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_fourier_features():
    points = RANDOM.standard_normal((5, 2))
    phases = [np.pi / 2 * 2**octave * points for octave in (-1, 0, 1)]
    expected = np.concatenate([points, *np.sin(phases), *np.cos(phases)], axis=1)
    features = FourierFeatures((-1, 1))(points.astype(np.float32))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert FourierFeatures((-1, 1)).compute_output_shape((None, 2)) == (None, 14)
    with pytest.raises(ValueError, match="octaves must be"):
        FourierFeatures((2, 1))


def test_bad_group_size():
    with pytest.raises(ValueError, match="group_size must be at least 2, got 1"):
        MinibatchStandardDeviation(1)


def test_weights_of_a_plain_convolution_fit_one_over_blocks(tmp_path):
    """So runs from before it go on."""
    plain, blocks = (
        keras.Sequential([keras.Input((8, 8, 3)), kind(4, 7), keras.layers.Conv2D(2, 1)])
        for kind in (keras.layers.Conv2D, BlockConv2D)
    )
    for saved, loaded in ((plain, blocks), (blocks, plain)):
        saved.set_weights([RANDOM.standard_normal(one.shape) for one in saved.get_weights()])
        saved.save_weights(tmp_path / "saved.weights.h5")
        loaded.load_weights(tmp_path / "saved.weights.h5")
        for one, other in zip(saved.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
