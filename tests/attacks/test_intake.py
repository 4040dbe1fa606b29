"""What a model takes: ranges, means, layouts and whole numbers, against numbers made by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FGSM, PGD, Spatial, Square, Victim, victim_of
from kgan.attacks.intake import Intake, declared

IMAGES = np.random.default_rng(0).uniform(size=(20, 5, 6, 3)).astype("float32")


def test_values_are_brought_into_what_the_model_takes():
    images = tf.constant(IMAGES)
    np.testing.assert_array_equal(Intake()(images), IMAGES)
    np.testing.assert_allclose(Intake((-1.0, 1.0))(images), 2 * IMAGES - 1, atol=1e-6)
    mean, std = (123.68, 116.779, 103.939), (58.393, 57.12, 57.375)
    for layout, axes in (("channels_last", (0, 1, 2, 3)), ("channels_first", (0, 3, 1, 2))):
        intake = declared((0, 255), mean, std, layout, dtype="float32")
        wanted = ((255.0 * IMAGES - np.array(mean)) / np.array(std)).transpose(axes)
        np.testing.assert_allclose(intake(images), wanted, rtol=1e-4, atol=1e-4)
        assert intake.shape((5, 6, 3)) == wanted.shape[1:]


def test_whole_numbers_are_rounded_and_let_the_gradient_pass():
    intake = declared(None, None, None, None, dtype="uint8")
    images = tf.constant([[0.1, 0.5, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(images)
        taken = intake(images)
    np.testing.assert_array_equal(taken, [[26.0, 128.0, 255.0]])
    np.testing.assert_array_equal(tape.gradient(taken, images), [[255.0] * 3])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bounds": (255, 0)}, "the lower first"),
        ({"bounds": (0, 1, 2)}, "two numbers"),
        ({"bounds": (0, np.inf)}, "two numbers"),
        ({"std": 0.0}, "above 0"),
        ({"mean": np.nan}, "mean must be"),
        ({"head": "softmaks"}, "Did you mean 'softmax'"),
        ({"data_format": "NCHW"}, "channels_first"),
    ],
)
def test_what_is_declared_is_checked(options, said):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=said):
        Victim(model, **options)


def linear(shape, scale=1.0, dtype="float32", before=()):
    """Three classes with weights that equal arguments make equal, on scaled inputs."""
    dense = keras.layers.Dense(3)
    model = keras.Sequential(
        [
            keras.Input(shape, dtype=dtype),
            *before,
            keras.layers.Rescaling(scale),
            keras.layers.Flatten(),
            dense,
        ]
    )
    weights = np.random.default_rng(3).normal(size=(IMAGES[0].size, 3))
    dense.set_weights([weights, -0.5 * weights.sum(axis=0)])
    return model


def test_attacks_in_0_to_255_are_the_attacks_in_0_to_1():
    plain = linear((5, 6, 3))
    wide = Victim(linear((5, 6, 3), 1 / 255), bounds=(0, 255))
    expected = FGSM(0.02).run(plain, IMAGES)
    found = FGSM(0.02).run(wide, IMAGES, expected.labels)
    np.testing.assert_array_equal(found.success, expected.success)
    np.testing.assert_allclose(found.adversarial, expected.adversarial, atol=1e-6)
    assert any("in [0, 255]" in text for text in wide.assumptions)


def test_a_model_of_bytes_is_attacked_through_the_rounding():
    plain, whole = linear((5, 6, 3)), linear((5, 6, 3), 1 / 255, "uint8")
    images = np.round(IMAGES * 255) / np.float32(255)
    victim = victim_of(whole, images)
    np.testing.assert_allclose(victim.predict(images), plain(images), atol=1e-3)
    result = PGD(0.05, steps=10).run(whole, images)
    assert result.success.mean() > 0.2
    # What the model itself says of the bytes.
    said = whole(np.round(result.adversarial * 255).astype("uint8")).numpy().argmax(axis=1)
    np.testing.assert_array_equal(said != result.labels, result.success)
    inside = keras.Sequential([keras.Input((5, 6, 3)), whole])
    with pytest.raises(ValueError, match="which takes uint8"):
        victim_of(inside, images)
    tokens = linear((5, 6, 3), 1 / 255, "int32")
    with pytest.raises(ValueError, match=r"takes int32: declare"):
        victim_of(tokens, images)


@pytest.mark.parametrize(
    "attack",
    [Square(0.05, steps=40), Spatial(rotation=12.0, shift=0.0, crop=0.0, occlusion=0.0)],
    ids=["square", "spatial"],
)
def test_channels_first_is_declared_for_attacks_that_move_pixels(attack):
    last = linear((5, 6, 3))
    first = linear((3, 5, 6), before=[keras.layers.Permute((2, 3, 1))])
    expected = attack.run(last, IMAGES)
    found = attack.run(Victim(first, data_format="channels_first"), IMAGES, expected.labels)
    np.testing.assert_allclose(found.adversarial, expected.adversarial, atol=1e-6)
    turned = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match='data_format="channels_first"'):
        attack.run(first, turned)


def test_a_layout_is_asked_for_only_where_it_matters():
    first = linear((3, 5, 6), before=[keras.layers.Permute((2, 3, 1))])
    turned = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    expected = FGSM(0.02).run(linear((5, 6, 3)), IMAGES)
    np.testing.assert_array_equal(FGSM(0.02).run(first, turned).success, expected.success)
    # Three rows of pixels with six channels, if that is what they are.
    rows = Victim(linear((3, 5, 6)), data_format="channels_last").ready(turned)
    rows.check_layout("Square", (3, 5, 6))
    assert rows.image_shape == (3, 5, 6)
    assert Victim(first, data_format="channels_first").image_shape == (5, 6, 3)


def test_a_mean_has_the_channels_of_the_images():
    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
    victim = Victim(model, mean=(0.1, 0.2, 0.3), data_format="channels_last")
    victim.ready(IMAGES)
    with pytest.raises(ValueError, match=r"mean must be .* the 1 channels of images .* got 3"):
        victim.ready(IMAGES[..., :1])
