"""Layers of BigGAN against float64 references."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.random
from kgan.models.average import average_of
from kgan.models.standing import set_standing_statistics
from kgan.networks import (
    BatchNormalization,
    LatentChunk,
    NoiseInput,
    SelfAttention,
    SteeredBatchNormalization,
    biggan_discriminator,
    biggan_generator,
    fastgan_generator,
)
from tests.networks.test_layers import gradients, tape_gradient

RANDOM = np.random.default_rng(0)


def test_attention():
    features = RANDOM.standard_normal((2, 4, 6, 8))
    layer = SelfAttention(spectral=False)
    layer.build(features.shape)
    np.testing.assert_array_equal(layer(features.astype(np.float32)), features.astype(np.float32))
    layer.strength.assign(0.7)
    kernels = [
        np.asarray(one.kernel, float)[0, 0]
        for one in (layer.query, layer.key, layer.value, layer.output_map)
    ]

    def pooled(x):
        b, h, w, c = x.shape
        return x.reshape(b, h // 2, 2, w // 2, 2, c).max(axis=(2, 4)).reshape(b, -1, c)

    def reference(x):
        query, key, value = (x @ kernel for kernel in kernels[:3])
        scores = query.reshape(len(x), -1, query.shape[-1]) @ pooled(key).swapaxes(1, 2)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        found = (weights @ pooled(value)).reshape(*x.shape[:3], -1)
        return x + 0.7 * found @ kernels[3]

    np.testing.assert_allclose(
        layer(features.astype(np.float32)), reference(features), rtol=1e-4, atol=1e-5
    )
    weight = RANDOM.standard_normal(features.shape)
    expected = gradients(lambda x: (reference(x) * weight).sum(), features)
    seen = tape_gradient(lambda x: tf.reduce_sum(layer(x) * weight.astype(np.float32)), features)
    np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-3)


def test_attention_has_gradients_of_gradients():
    """As a penalty on the discriminator needs them: by differences along one direction."""
    # Its kernels, and values that no other test has drawn from before.
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    layer, given = SelfAttention(spectral=False), random.standard_normal((1, 4, 4, 8))
    layer.build(given.shape)
    layer.strength.assign(1.0)

    def norm(x):
        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.square(layer(x)))
        return tf.reduce_sum(tf.square(tape.gradient(total, x)))

    direction = random.standard_normal(given.shape).astype(np.float32)
    slope = np.sum(tape_gradient(norm, given) * direction)
    step = 1e-2 * direction
    change = norm(given.astype(np.float32) + step) - norm(given.astype(np.float32) - step)
    assert slope == pytest.approx(float(change) / 2e-2, rel=2e-2)


def test_steered_normalisation():
    features, vectors = RANDOM.standard_normal((6, 2, 2, 3)), RANDOM.standard_normal((6, 4))
    layer = SteeredBatchNormalization()
    layer.build([features.shape, vectors.shape])
    for dense in (layer.scale, layer.offset):
        for _ in range(50):
            dense.power_iteration()
    scale, offset = (
        np.asarray(one.kernel, float) / np.linalg.svd(np.asarray(one.kernel, float))[1][0]
        for one in (layer.scale, layer.offset)
    )

    def reference(x):
        normal = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-5)
        return normal * (1 + vectors @ scale)[:, None, None] + (vectors @ offset)[:, None, None]

    def call(x):
        return layer([x, tf.constant(vectors, tf.float32)], training=True)

    np.testing.assert_allclose(
        call(features.astype(np.float32)), reference(features), rtol=1e-4, atol=1e-4
    )
    weight = RANDOM.standard_normal(features.shape)
    expected = gradients(lambda x: (reference(x) * weight).sum(), features)
    seen = tape_gradient(lambda x: tf.reduce_sum(call(x) * weight.astype(np.float32)), features)
    np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-3)


def test_chunks_are_all_of_the_latents_once():
    latents = np.arange(22.0, dtype=np.float32).reshape(2, 11)
    parts = [LatentChunk(i, 4)(latents) for i in range(4)]
    assert [part.shape[1] for part in parts] == [5, 2, 2, 2]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), latents)
    for i, part in enumerate(parts):
        assert LatentChunk(i, 4).compute_output_shape((None, 11)) == (None, part.shape[1])
    with pytest.raises(ValueError, match="latent_dim must be at least 4"):
        LatentChunk(0, 4)(latents[:, :3])


def test_each_block_must_have_a_latent():
    biggan_generator((16, 16, 1), 3, width=8)
    with pytest.raises(ValueError, match=r"latent_dim must be at least 3 for images of \(16, 16"):
        biggan_generator((16, 16, 1), 2, width=8)


def test_attention_stands_at_32_pixels_of_larger_images_alone():
    for shape, sides in (((32, 32, 3), []), ((64, 64, 3), [32]), ((128, 128, 1), [32])):
        generator = biggan_generator(shape, 20, width=8)
        discriminator = biggan_discriminator(shape, width=8)
        for network in (generator, discriminator):
            layers = [one for one in network.layers if isinstance(one, SelfAttention)]
            assert [one.output.shape[1] for one in layers] == sides
        assert any(one.name == "shared_embedding" for one in generator.layers) is False


def test_standing_statistics_are_plain_averages():
    network = keras.Sequential([keras.Input((3,)), BatchNormalization(momentum=0.9)])
    batches = [RANDOM.standard_normal((8, 3)).astype(np.float32) + i for i in range(3)]
    assert set_standing_statistics(network, batches) == 3
    layer = network.layers[0]
    np.testing.assert_allclose(layer.moving_mean, np.mean(batches, axis=(0, 1)), rtol=1e-5)
    variances = [batch.var(axis=0) for batch in batches]
    np.testing.assert_allclose(layer.moving_variance, np.mean(variances, axis=0), rtol=1e-4)
    assert layer.momentum == 0.9
    with pytest.raises(ValueError, match="must have batch normalisation"):
        set_standing_statistics(keras.Sequential([keras.Input((3,))]), batches)


@pytest.mark.parametrize("normalization", [BatchNormalization, keras.layers.BatchNormalization])
def test_standing_statistics_of_an_average_which_stays_as_it_was(normalization):
    """Its layers do not train; Keras's own normalisation would then keep its statistics."""
    network = average_of(keras.Sequential([keras.Input((3,)), normalization(name="last")]))
    batches = [RANDOM.standard_normal((8, 3)).astype(np.float32) + i for i in range(3)]
    layer = network.get_layer("last")
    momentum = layer.momentum
    set_standing_statistics(network, batches)
    np.testing.assert_allclose(layer.moving_mean, np.mean(batches, axis=(0, 1)), rtol=1e-5)
    variances = [batch.var(axis=0) for batch in batches]
    np.testing.assert_allclose(layer.moving_variance, np.mean(variances, axis=0), rtol=1e-4)

    def failing():
        yield batches[0]
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        set_standing_statistics(network, failing())
    assert layer.momentum == momentum
    assert not layer.trainable
    assert not network.trainable_variables


def test_standing_statistics_where_layers_draw():
    """Those of noise on a map, of which the same seed draws the same."""
    network = average_of(fastgan_generator((16, 16, 1), 6, width=2))
    noisy = next(one for one in network.layers if isinstance(one, NoiseInput))
    noisy.strength.assign(2.0)
    after = next(
        one for one in network.layers[network.layers.index(noisy) :] if hasattr(one, "moving_mean")
    )
    plain = keras.Model(network.inputs, noisy.input)
    latents = tf.constant(RANDOM.standard_normal((256, 6)), tf.float32)
    seen = []
    for seed in (0, 0, 1):
        assert set_standing_statistics(network, [latents], seed=seed) == 1
        seen.append(np.array(after.moving_variance))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert np.abs(seen[0] - seen[2]).max() > 0
    # Independent noise of deviation 2 adds its variance to the map's.
    with kgan.random.drawing(kgan.random.step_seed(0, 0, "other")):
        map_variance = np.var(plain(latents, training=True), axis=(0, 1, 2))
    np.testing.assert_allclose(seen[0], map_variance + 4.0, rtol=0.05)


@pytest.mark.parametrize(
    "layer", [SelfAttention(spectral=False), LatentChunk(1, 3), SteeredBatchNormalization()]
)
def test_serialises(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
