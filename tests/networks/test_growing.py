"""Layers that grow, against float64 references, and networks that do so without a jump."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.models.growing import grow, growing, level_at
from kgan.networks import (
    FadeIn,
    GrowingConvolutions,
    progan_discriminator,
    progan_generator,
)

RANDOM = np.random.default_rng(0)


def convolved(x, layer):
    """A 3x3 convolution with zero padding, equalised with gain sqrt(2), in float64."""
    kernel, bias = (np.asarray(one, float) for one in (layer.kernel, layer.bias))
    kernel = kernel * np.sqrt(2.0 / np.prod(kernel.shape[:3]))
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    height, width = x.shape[1:3]
    return bias + sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)
    )


def activated(x):
    x = np.where(x > 0, x, 0.2 * x)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)


@pytest.mark.parametrize(("reached", "share"), [(0.5, 0.0), (1.0, 0.0), (1.25, 0.25), (3.0, 1.0)])
def test_a_map_fades_in(reached, share):
    old, new = RANDOM.random((2, 1, 4, 4, 2)).astype(np.float32)
    layer = FadeIn(1)
    layer.build([old.shape, new.shape])
    layer.grow(reached)
    np.testing.assert_allclose(layer([old, new]), (1 - share) * old + share * new, rtol=1e-6)


def test_convolutions_of_a_layer_that_has_grown():
    values = RANDOM.standard_normal((2, 3, 4, 5))
    layer = GrowingConvolutions(1, (6, 4), normalise=True, enlarge=(2, 1), size=(5, 4))
    layer.build(values.shape)
    for one in layer.convolutions:
        one.bias.assign(RANDOM.standard_normal(one.bias.shape))
    large = np.repeat(values, 2, axis=1)[:, :5]
    for one in layer.convolutions:
        large = activated(convolved(large, one))
    np.testing.assert_allclose(layer(values.astype(np.float32)), large, rtol=1e-3, atol=1e-4)
    assert layer.compute_output_shape((None, 3, 4, 5)) == (None, 5, 4, 4)


def test_a_map_is_halved_after_its_convolutions():
    values = RANDOM.standard_normal((1, 4, 6, 2))
    layer = GrowingConvolutions(2, (3,), reduce=(2, 2))
    layer.build(values.shape)
    found = convolved(values, layer.convolutions[0])
    found = np.where(found > 0, found, 0.2 * found)
    found = found.reshape(1, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(layer(values.astype(np.float32)), found, rtol=1e-4, atol=1e-5)


def test_a_layer_that_has_not_grown_gives_zeros_and_has_no_slope():
    values = tf.constant(RANDOM.standard_normal((1, 4, 4, 2)), tf.float32)
    layer = GrowingConvolutions(1, (3,), enlarge=(2, 2))
    layer.build(values.shape)
    layer.grow(1.0)

    @tf.function
    def slopes():
        with tf.GradientTape() as tape:
            found = layer(values)
            total = tf.reduce_sum(found + 1.0)
        return found, tape.gradient(total, layer.trainable_variables)

    found, gradients = slopes()
    np.testing.assert_array_equal(found, np.zeros((1, 8, 8, 3)))
    assert [float(tf.reduce_max(tf.abs(one))) for one in gradients] == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(16, 16, 1), (12, 20, 2)])
def test_at_the_first_level_images_are_small_ones(shape):
    generator, discriminator = (
        progan_generator(shape, 4, width=2),
        progan_discriminator(shape, width=2, minibatch_stddev=False),
    )
    latents = RANDOM.standard_normal((2, 4)).astype(np.float32)
    grow(generator, tf.constant(0.0))
    grow(discriminator, tf.constant(0.0))
    images = np.asarray(generator(latents))
    if shape == (16, 16, 1):
        blocks = images.reshape(2, 4, 4, 4, 4, 1)
        np.testing.assert_array_equal(
            blocks, np.broadcast_to(blocks[:, :, :1, :, :1], blocks.shape)
        )
        # It sees no more of an image than its sixteenth.
        other = RANDOM.random(images.shape).astype(np.float32)
        small = other.reshape(2, 4, 4, 4, 4, 1).mean(axis=(2, 4), keepdims=True)
        small = np.broadcast_to(small, (2, 4, 4, 4, 4, 1)).reshape(other.shape)
        np.testing.assert_allclose(discriminator(other), discriminator(small), rtol=1e-5, atol=1e-7)
    # From one level to the next there is no jump.
    for level in (0.0, 1.0):
        found = []
        for near in (level, level + 1e-6):
            grow(generator, tf.constant(near))
            grow(discriminator, tf.constant(near))
            found.append((np.asarray(generator(latents)), np.asarray(discriminator(images))))
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)


def test_penalties_pass_through_a_level():
    """The gradient of |dD/dx|^2 while a size fades in, by differences along a direction."""
    discriminator = progan_discriminator((8, 8, 1), width=2, minibatch_stddev=False)
    grow(discriminator, tf.constant(1.4))
    given = RANDOM.random((1, 8, 8, 1)).astype(np.float32)

    @tf.function
    def norm_and_slope(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                logits = discriminator(x)
            norm = tf.reduce_sum(tf.square(tape.gradient(logits, x)))
        kernels = discriminator.trainable_variables
        return norm, outer.gradient(norm, kernels)

    kernel = discriminator.trainable_variables[-2]
    _, slopes = norm_and_slope(tf.constant(given))
    before = kernel.numpy()
    direction = RANDOM.standard_normal(before.shape).astype(np.float32)
    ends = []
    for sign in (1.0, -1.0):
        kernel.assign(before + sign * 1e-2 * direction)
        ends.append(float(norm_and_slope(tf.constant(given))[0]))
    kernel.assign(before)
    expected = (ends[0] - ends[1]) / 2e-2
    assert float(tf.reduce_sum(slopes[-2] * direction)) == pytest.approx(expected, rel=2e-2)


@pytest.mark.parametrize(
    ("step", "level"),
    [(0, 0), (9, 0), (10, 0), (15, 0.5), (19, 0.9), (20, 1), (29, 1), (30, 1), (35, 1.5), (40, 2)],
)
def test_phases(step, level):
    """Ten steps each: 4x4 alone, then for each doubling one to fade in and one to settle."""
    assert float(level_at(tf.constant(step, tf.int64), 10)) == pytest.approx(level)


@pytest.mark.parametrize(
    "layer",
    [FadeIn(2), GrowingConvolutions(1, (3, 4), normalise=True, enlarge=(2, 1), size=(5, 4))],
)
def test_serialises(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_every_level_has_its_layers():
    generator = progan_generator((32, 32, 3), 4, width=2)
    assert sorted({layer.level for layer in growing(generator)}) == [0, 1, 2]
    with pytest.raises(ValueError, match="level must be at least 0, got -1"):
        FadeIn(-1)
