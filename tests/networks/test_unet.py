"""U-Net, encoder-decoder, super-resolution, and what judges at several scales."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.networks import (
    KEEPING,
    Dropout,
    PixelShuffle,
    encoder_decoder_generator,
    multiscale_discriminator,
    patch_discriminator,
    super_resolution_generator,
    translation_generator,
    unet_generator,
)

IMAGES = np.random.default_rng(0).random((2, 16, 16, 3), dtype=np.float32)


def noisy(generator):
    return sum(isinstance(layer, Dropout) for layer in generator.layers)


def test_the_published_number_of_weights_of_a_unet():
    # The authors' code says 54.414 million at 256 pixels, with scales and offsets of its batch
    # norms, and without biases before them.
    norms = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    biases = 64 + 512
    generator = unet_generator((256, 256, 3), halvings=8)
    assert round((generator.count_params() + norms - biases) / 1e6, 3) == 54.414


@pytest.mark.parametrize(
    ("shape", "lowest", "noise"),
    [
        ((8, 8, 1), 2, 1),
        ((32, 32, 3), 2, 1),
        ((64, 64, 3), 2, 1),
        ((256, 256, 1), 2, 3),
        ((24, 40, 1), 3, 1),
    ],
)
def test_a_unet_fits_the_size_and_always_has_noise(shape, lowest, noise):
    generator = unet_generator(shape, width=1, channels=2)
    assert generator.output_shape == (None, *shape[:2], 2)
    maps = [one.output.shape[1] for one in generator.layers if isinstance(one, keras.layers.Conv2D)]
    assert min(maps) == lowest
    assert noisy(generator) == noise


def test_noise_is_drawn_in_training_alone():
    keras.utils.set_random_seed(0)
    generator = unet_generator((16, 16, 3), width=4)
    one, other = (np.asarray(generator(IMAGES, training=True)) for _ in range(2))
    assert np.abs(one - other).max() > 0
    one, other = (np.asarray(generator(IMAGES, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def float64_unet(generator, images):
    """The generator of two halvings, written anew in float64 with sums over kernels."""
    weights = iter(generator.get_weights())

    def take(shape):
        # The counts of the noise lie between.
        found = next(weights)
        while found.shape != shape:
            found = next(weights)
        return found.astype(np.float64)

    def down(x, filters, bias):
        kernel = take((4, 4, x.shape[-1], filters))
        offset = take((filters,)) if bias else 0.0
        padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        height, width = x.shape[1] // 2, x.shape[2] // 2
        return offset + sum(
            padded[:, i : i + 2 * height : 2, j : j + 2 * width : 2] @ kernel[i, j]
            for i in range(4)
            for j in range(4)
        )

    def up(x, filters, bias):
        kernel = take((4, 4, filters, x.shape[-1]))
        offset = take((filters,)) if bias else 0.0
        n, height, width, _ = x.shape
        whole = np.zeros((n, 2 * height + 2, 2 * width + 2, filters))
        for i in range(4):
            for j in range(4):
                part = x @ kernel[i, j].T
                whole[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += part
        return whole[:, 1:-1, 1:-1] + offset

    def norm(x):
        mean = x.mean(axis=(1, 2), keepdims=True)
        return (x - mean) / np.sqrt(x.var(axis=(1, 2), keepdims=True) + 1e-5)

    first = down(2.0 * images - 1.0, 3, True)
    inner = down(np.where(first > 0, first, 0.2 * first), 6, True)
    back = norm(up(np.maximum(inner, 0), 3, False))
    back = np.concatenate([back, first], axis=-1)
    return 0.5 * np.tanh(up(np.maximum(back, 0), 3, True)) + 0.5


@pytest.mark.parametrize("batch", [1, 2])
def test_a_unet_and_its_instance_norm_against_float64(batch):
    keras.utils.set_random_seed(1)
    generator = unet_generator((16, 16, 3), width=3, halvings=2)
    for weight in generator.trainable_weights:
        # Larger than at first, so that what follows from them is seen.
        weight.assign(np.random.default_rng(2).normal(0, 0.3, weight.shape))
    found = generator(IMAGES[:batch], training=False)
    expected = float64_unet(generator, IMAGES[:batch].astype(np.float64))
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=5e-6)


def test_an_encoder_decoder_knows_only_its_code():
    generator = encoder_decoder_generator((12, 16, 3), width=2, bottleneck=5, channels=1)
    assert generator.get_layer("code").output.shape == (None, 5)
    assert generator.output_shape == (None, 12, 16, 1)
    # No way leads past the code.
    rest = keras.Model(generator.get_layer("code").output, generator.output)
    assert np.asarray(rest(np.zeros((1, 5), np.float32))).shape == (1, 12, 16, 1)
    with pytest.raises(ValueError, match="bottleneck must be at least 1, got 0"):
        encoder_decoder_generator((16, 16, 3), bottleneck=0)


@pytest.mark.parametrize("upsampling", ["nearest", "pixel_shuffle"])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_larger_images(factor, upsampling, tmp_path):
    generator = super_resolution_generator(
        (6, 8, 3), width=4, blocks=1, factor=factor, upsampling=upsampling
    )
    assert generator.output_shape == (None, 6 * factor, 8 * factor, 3)
    generator.save(tmp_path / "sr.keras")
    again = keras.models.load_model(tmp_path / "sr.keras")
    images = IMAGES[:, :6, :8]
    np.testing.assert_array_equal(again(images), generator(images))


def test_a_pixel_shuffle_is_a_reshape():
    images = np.random.default_rng(0).random((1, 2, 3, 8), dtype=np.float32)
    found = PixelShuffle(2)(images)
    expected = images.reshape(1, 2, 3, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(1, 4, 6, 2)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="channels must be divisible by 4 for a pixel shuffle"):
        PixelShuffle(2).compute_output_shape((None, 2, 2, 6))


def constant(shape, channels, value):
    """A generator whose images are of one value."""
    images = keras.Input(shape)
    layer = keras.layers.Conv2D(channels, 1, kernel_initializer="zeros")
    made = keras.layers.Rescaling(1.0, value)(layer(images))
    return keras.Model(images, made)


def test_what_is_known_stays():
    known = (np.random.default_rng(1).random((2, 16, 16, 1)) < 0.5).astype(np.float32)
    given = np.concatenate([IMAGES, known], axis=-1)
    found = KEEPING["known"](constant((16, 16, 4), 3, 0.25))(given)
    np.testing.assert_allclose(found, np.where(known > 0, IMAGES, 0.25), atol=1e-7)
    # Whatever lies in the holes, the network sees it not.
    generator = KEEPING["known"](translation_generator((16, 16, 4), channels=3, width=2, blocks=0))
    hidden = given.copy()
    hidden[..., :3] += (1 - known) * 0.7
    np.testing.assert_array_equal(generator(given), generator(hidden))


def test_a_residual_network_begins_near_its_input():
    generator = KEEPING["residual"](constant((16, 16, 3), 3, 0.5))
    np.testing.assert_allclose(generator(IMAGES), IMAGES, atol=1e-6)
    brighter = KEEPING["residual"](constant((16, 16, 3), 3, 0.75))
    np.testing.assert_allclose(brighter(IMAGES), np.minimum(IMAGES + 0.5, 1), atol=1e-6)
    # A pixel that was cut has a slope back.
    images = tf.ones((1, 16, 16, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(brighter(images))
    assert float(tf.norm(tape.gradient(loss, brighter.trainable_variables[1]))) > 0
    doubled = KEEPING["residual"](super_resolution_generator((8, 8, 3), width=2, blocks=0))
    assert doubled.output_shape == (None, 16, 16, 3)
    flat = np.full((1, 8, 8, 3), 0.4, np.float32)
    np.testing.assert_allclose(doubled(flat), 0.4, atol=0.1)
    assert KEEPING["nothing"](doubled) is doubled


def test_colours_leave_the_brightness_alone():
    random = np.random.default_rng(1)
    given = random.random((2, 16, 16, 3), np.float32)
    # Nothing is cut of greys near the middle and colours that are faint.
    given[..., 0] = 0.4 + 0.2 * given[..., 0]
    network = translation_generator((16, 16, 3), channels=3, width=2, blocks=0)
    made = network(given).numpy().astype(float)
    faint = keras.Model(network.input, keras.layers.Rescaling(0.1, 0.45)(network.output))
    found = KEEPING["brightness"](faint)(given).numpy()
    weights = np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(found @ weights, given[..., 0], atol=1e-6)
    colours = 0.2 * made - 0.1
    expected = given[..., :1] + colours - (colours @ weights)[..., None]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    grey = KEEPING["brightness"](constant((16, 16, 3), 3, 0.5))(given).numpy()
    np.testing.assert_allclose(grey, np.repeat(given[..., :1], 3, axis=-1), atol=1e-6)
    # What leaves the range is cut.
    red = KEEPING["brightness"](constant((16, 16, 3), 3, [1.0, 0.0, 0.0]))(given).numpy()
    np.testing.assert_allclose(red, np.broadcast_to([1.0, 0.0, 0.0], red.shape), atol=0.01)
    assert red.min() >= 0


def test_several_scales_are_judged():
    discriminator = multiscale_discriminator((32, 48, 3), width=2, scales=3)
    maps = discriminator(np.random.default_rng(0).random((2, 32, 48, 3), dtype=np.float32))
    # Of one stage, each map has two less than a half of its image's side.
    assert [tuple(one.shape) for one in maps] == [(2, 14, 22, 1), (2, 6, 10, 1), (2, 2, 4, 1)]
    alone = patch_discriminator((16, 24, 3), width=2, stages=1)
    alone.set_weights(discriminator.get_layer("scale_1").get_weights())
    images = np.random.default_rng(1).random((1, 16, 24, 3), dtype=np.float32)
    larger = images.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(discriminator(larger)[1], alone(images), atol=1e-5)
    with pytest.raises(ValueError, match="scales must be at least 1"):
        multiscale_discriminator((32, 32, 3), scales=0)
    with pytest.raises(ValueError, match="sides of at least 6 for a patch discriminator"):
        multiscale_discriminator((16, 16, 3), scales=3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: unet_generator((30, 32, 3), halvings=2),
            "divisible by 4 for a U-Net that halves 2",
        ),
        (lambda: unet_generator((15, 16, 3)), "divisible by 2 for a U-Net that halves 1 time, got"),
        (lambda: unet_generator((16, 16, 3), halvings=0), "halvings must be from 1 to 10"),
        (lambda: super_resolution_generator((8, 8, 3), factor=3), "factor must be 1, 2, 4 or 8"),
        (
            lambda: super_resolution_generator((8, 8, 3), upsampling="bilinear"),
            "upsampling must be one of nearest, pixel_shuffle, got 'bilinear'",
        ),
        (lambda: super_resolution_generator((8, 8, 3), blocks=-1), "blocks must be at least 0"),
    ],
)
def test_networks_that_cannot_be(build, message):
    with pytest.raises(ValueError, match=message):
        build()
