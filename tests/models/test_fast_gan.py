"""A GAN whose discriminator is also taught what real images hold."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.augmentation
import kgan.kinds
import kgan.models
import kgan.networks
from kgan.models.self_supervision import decoding_error

SHAPE = (8, 8, 1)


def build(*, decodes=True, num_classes=None, **options):
    keras.utils.set_random_seed(1)
    discriminator = kgan.networks.fastgan_discriminator(SHAPE, num_classes=num_classes, width=4)
    gan = kgan.models.GAN(
        kgan.networks.fastgan_generator(SHAPE, 6, num_classes=num_classes, width=4),
        discriminator,
        decoder=kgan.networks.fastgan_decoder(SHAPE, discriminator, width=4) if decodes else None,
        num_classes=num_classes,
        loss="hinge",
        augmentation=kgan.augmentation.DiffAugment(),
        **options,
    )
    gan.compile(
        g_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
    )
    gan.run_eagerly = True
    return gan


@pytest.fixture(scope="module")
def batches():
    images = np.random.default_rng(0).random((2, 4, *SHAPE), dtype=np.float32)
    return [tf.constant(batch) for batch in images]


@pytest.fixture(scope="module")
def trained(batches):
    gan = build()
    return gan, [gan.train_step(batch) for batch in batches]


def test_a_decoder_learns_with_the_discriminator(trained):
    gan, logs = trained
    assert 0.0 < float(logs[0]["decoding"]) < 4.0
    start = build()
    moved = [
        float(tf.reduce_max(tf.abs(one - other)))
        for one, other in zip(
            gan.decoder.trainable_variables, start.decoder.trainable_variables, strict=True
        )
    ]
    assert min(moved) > 0


def test_it_resumes_to_the_bit(trained, batches, tmp_path):
    """A step, a file, a step: all weights and moments are those of two steps."""
    gan = build()
    gan.train_step(batches[0])
    gan.save(tmp_path / "half.keras")
    again = kgan.models.load(tmp_path / "half.keras")
    again.train_step(batches[1])
    whole, _ = trained
    pairs = [(whole.weights, again.weights)]
    pairs += [(getattr(whole, n).variables, getattr(again, n).variables) for n in whole.optimizers]
    for mine, theirs in pairs:
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=one.path)


def test_the_error_is_that_of_half_the_image_and_of_a_quarter():
    """A decoder that passes its maps on, of a map that is the image: a float64 reference."""
    images = np.random.default_rng(1).random((3, 8, 8, 1))
    features = images + 0.1
    inputs = [keras.Input((4, 4, 1)), keras.Input((4, 4, 1))]
    decoder = keras.Model(inputs, [inputs[0] * 1.0, inputs[1] * 0.5])
    seen = set()
    for number in range(20):
        error = decoding_error(
            decoder,
            tf.constant(images, tf.float32),
            tf.constant(features, tf.float32),
            tf.constant([number, 3]),
        )
        corners = {}
        for top in (0, 4):
            for left in (0, 4):
                part = images[:, top : top + 4, left : left + 4]
                drawn = 0.5 * features[:, top : top + 4, left : left + 4]
                corners[top, left] = 0.2 + 2.0 * np.abs(drawn - part).mean(axis=(1, 2, 3))
        fits = [one for one, wanted in corners.items() if np.allclose(error, wanted, atol=1e-5)]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) == 4


def test_generated_images_are_not_decoded(batches, monkeypatch):
    decoded = []

    def spy(decoder, images, features, seed):
        decoded.append(images)
        return decoding_error(decoder, images, features, seed)

    monkeypatch.setattr("kgan.models.gan.decoding_error", spy)
    gan = build(n_critic=2)
    gan.train_step(batches[0])
    assert len(decoded) == 2
    # They are what the discriminator saw: augmented, of the first step.
    gan.step.assign(0)
    np.testing.assert_array_equal(decoded[0], gan._augmented(batches[0][::2], "real 0"))


def test_it_trains_with_classes_and_without_a_decoder(batches):
    labels = tf.constant([0, 1, 2, 0])
    logs = build(num_classes=3).train_step((batches[0], labels))
    assert np.isfinite([float(value) for value in logs.values()]).all()
    assert "decoding" not in build(decodes=False).train_step(batches[0])


def test_only_what_can_be_decoded_is(batches):
    generator = kgan.networks.dcgan_generator(SHAPE, 6, width=4)
    discriminator = kgan.networks.dcgan_discriminator(SHAPE, width=4)
    decoder = build().decoder
    with pytest.raises(ValueError, match="must have a layer called decoded"):
        kgan.models.GAN(generator, discriminator, decoder=decoder)
    with pytest.raises(ValueError, match="packing must be 1 with a decoder, got 2"):
        kgan.models.GAN(generator, discriminator, decoder=decoder, packing=2)
    gan = build()
    with pytest.raises(ValueError, match="must take two maps and give two images"):
        kgan.models.GAN(gan.generator, gan.discriminator, decoder=gan.generator)


@pytest.mark.parametrize(
    ("shape", "width", "match"),
    [
        ((*SHAPE[:2], SHAPE[2] + 1), 4, "for the images of this discriminator"),
        ((4 * SHAPE[0], 4 * SHAPE[1], SHAPE[2]), 4, "for the maps of this discriminator"),
        (SHAPE, 8, "for the maps of this discriminator"),
    ],
)
def test_a_decoder_of_another_shape_is_refused(shape, width, match):
    gan = build()
    other = kgan.networks.fastgan_discriminator(shape, width=width)
    decoder = kgan.networks.fastgan_decoder(shape, other, width=4)
    with pytest.raises(ValueError, match=match):
        kgan.models.GAN(gan.generator, gan.discriminator, decoder=decoder)
