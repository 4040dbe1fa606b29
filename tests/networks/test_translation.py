"""Networks that translate images and judge patches: sizes, borders, and what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.networks import ReflectionPadding2D, patch_discriminator, translation_generator


@pytest.mark.parametrize(
    ("shape", "options"),
    [((8, 8, 1), {}), ((16, 24, 3), {"channels": 1}), ((32, 32, 1), {"halvings": 0, "blocks": 1})],
)
def test_images_in_and_images_of_their_size_out(shape, options):
    generator = translation_generator(shape, width=4, **options)
    images = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    found = np.asarray(generator(images))
    assert found.shape == (2, *shape[:2], options.get("channels", shape[-1]))
    assert 0 <= found.min() < found.max() <= 1


def blocks_of(generator):
    return sum(isinstance(layer, keras.layers.Add) for layer in generator.layers)


def halvings_of(generator):
    return sum(isinstance(layer, keras.layers.UpSampling2D) for layer in generator.layers)


@pytest.mark.parametrize(
    ("side", "halvings", "blocks"), [(16, 1, 3), (32, 2, 6), (128, 2, 6), (256, 2, 9)]
)
def test_the_published_depth_of_each_size(side, halvings, blocks):
    generator = translation_generator((side, side, 3), width=2)
    assert (halvings_of(generator), blocks_of(generator)) == (halvings, blocks)


def test_the_published_number_of_weights():
    # The authors' code says 11.378 million for nine blocks at 256 pixels. It has biases before each
    # normalisation, which takes them away again.
    biases = 64 + 128 + 256 + 9 * 2 * 256 + 128 + 64
    assert translation_generator((256, 256, 3)).count_params() + biases == 11_378_179


@pytest.mark.parametrize(("stages", "side", "field"), [(1, 6, 16), (2, 12, 34), (3, 24, 70)])
def test_patches_of_the_published_size(stages, side, field):
    discriminator = patch_discriminator((side, side, 1), width=2, stages=stages)
    assert discriminator.output_shape[1:] == (1, 1, 1)
    # The field of a logit, from the kernels of 4 and their strides.
    size, stride = 1, 1
    for strides in [2] * stages + [1, 1]:
        size, stride = size + 3 * stride, stride * strides
    # Strides apply to what comes after, so the walk goes from the image inward.
    assert size == field
    with pytest.raises(ValueError, match=f"sides of at least {side} for a patch discriminator"):
        patch_discriminator((side - 1, side, 1), stages=stages)


@pytest.mark.parametrize(("side", "map_side"), [(16, 6), (32, 6), (64, 14), (128, 14)])
def test_the_map_of_each_size(side, map_side):
    assert patch_discriminator((side, side, 3), width=2).output_shape[1:] == (map_side, map_side, 1)


def test_reflection_padding_is_numpys(tmp_path):
    images = np.random.default_rng(0).random((2, 4, 5, 3), dtype=np.float32)
    expected = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    layer = ReflectionPadding2D(2)
    np.testing.assert_array_equal(layer(images), expected)
    model = keras.Sequential([keras.Input((4, 5, 3)), layer])
    assert model.output_shape == (None, 8, 9, 3)
    model.save(tmp_path / "padding.keras")
    again = keras.models.load_model(tmp_path / "padding.keras")
    np.testing.assert_array_equal(again(images), expected)
    with pytest.raises(ValueError, match="padding must be less than the sides of the map"):
        ReflectionPadding2D(4)(images)
    with pytest.raises(ValueError, match="padding must be at least 0, got -1"):
        ReflectionPadding2D(-1)


@pytest.mark.parametrize(
    ("shape", "padding"),
    # The smallest maps whose border is folded, and some whose border TensorFlow adds up.
    [
        ((1, 4, 5, 2), 1),
        ((2, 8, 9, 2), 3),
        ((2, 3, 5, 2), 1),
        ((1, 7, 12, 1), 3),
        ((1, 3, 3, 1), 0),
    ],
)
def test_the_gradient_of_reflection_padding_is_tensorflows(shape, padding):
    random = np.random.default_rng(0)
    layer = ReflectionPadding2D(padding, dtype="float64")
    images = tf.constant(random.standard_normal(shape))
    sides = [padding, padding]

    def expected_of(x, **_):
        return tf.pad(x, [[0, 0], sides, sides, [0, 0]], mode="REFLECT")

    weight = random.standard_normal(expected_of(images).shape)

    def slopes(pad):
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                loss = tf.reduce_sum(tf.sin(pad(images, training=True)) * weight)
            slope = inner.gradient(loss, images)
            total = tf.reduce_sum(slope**3)
        return slope, outer.gradient(total, images)

    for found, expected in zip(slopes(layer), slopes(expected_of), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((30, 32, 3), {"halvings": 2}, "divisible by 4 for a generator that halves 2 times, got"),
        ((4, 4, 1), {"halvings": 2}, "sides of at least 8 that are divisible by 4"),
        ((2, 8, 1), {"halvings": 0}, "sides of at least 4"),
        ((8, 8, 1), {"halvings": -1}, "halvings must be at least 0, got -1"),
    ],
)
def test_sizes_that_a_generator_cannot_take(shape, options, message):
    with pytest.raises(ValueError, match=message):
        translation_generator(shape, width=2, **options)


def test_stages_that_there_are_not():
    with pytest.raises(ValueError, match="stages must be 1, 2 or 3, got 4"):
        patch_discriminator((64, 64, 3), stages=4)
