"""Extractors: pinned, of any Keras model, of a discriminator."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import kgan.data
from kgan.metrics.extractor import (
    EXTRACTORS,
    PINNED,
    SHIPPED,
    Extractor,
    discriminator_extractor,
    extractor,
)
from kgan.networks.classifiers import small_cnn
from kgan.pixels import rounded_to_8_bits
from tests.conftest import ROOT

SHAPES = {"lenet-digits": (8, 8, 1), "lenet-mnist": (28, 28, 1)}


@pytest.fixture
def linear():
    """A model whose features are known: x @ kernel, cut at 0."""
    images = keras.Input((2, 2, 1))
    flat = keras.layers.Flatten()(images)
    hidden = keras.layers.Dense(3, activation="relu", name="hidden")(flat)
    model = keras.Model(images, keras.layers.Dense(2, name="logits")(hidden), name="linear")
    kernel = np.arange(12, dtype=np.float32).reshape(4, 3) - 5
    model.get_layer("hidden").set_weights([kernel, np.ones(3, np.float32)])
    return model, kernel


@pytest.mark.parametrize("name", PINNED)
def test_a_shipped_network_has_its_pinned_weights(name):
    found = extractor(name)
    assert found.label == f"{name}@{PINNED[name]}"
    images = np.random.default_rng(0).random((5, *SHAPES[name]), dtype=np.float32)
    features = found.features(images)
    assert features.shape == (5, 84)
    assert features.min() >= 0
    probabilities = found.probabilities(images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_the_digits_network_knows_digits():
    data = kgan.data.load("digits", "test")
    seen = extractor("lenet-digits").probabilities(data.samples).argmax(axis=1)
    assert (seen == data.labels).mean() >= 0.98


@pytest.mark.slow
def test_the_mnist_network_knows_mnist(tfds_data_dir):
    data = kgan.data.load("mnist", "test")
    seen = extractor("lenet-mnist").probabilities(data.samples).argmax(axis=1)
    assert (seen == data.labels).mean() >= 0.99


def test_a_damaged_network_is_refused(monkeypatch):
    monkeypatch.setitem(PINNED, "lenet-digits", "0" * 8)
    with pytest.raises(ValueError, match="is damaged: its weights have the hash"):
        extractor("lenet-digits")


@pytest.mark.slow
def test_a_wheel_holds_the_networks(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    command += ["--no-build-isolation", "--wheel-dir", tmp_path, ROOT]
    subprocess.run([str(part) for part in command], check=True)
    (wheel,) = tmp_path.glob("kgan-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"kgan/metrics/extractors/{name}.keras" for name in PINNED} <= set(names)


def test_every_shipped_file_is_pinned():
    assert {path.stem for path in SHIPPED.glob("*.keras")} == set(PINNED)
    assert set(PINNED) < set(EXTRACTORS)


def test_features_are_those_of_the_layer(linear):
    model, kernel = linear
    images = np.random.default_rng(0).random((300, 2, 2, 1), dtype=np.float32)
    expected = np.maximum(rounded_to_8_bits(images).reshape(-1, 4) @ kernel + 1, 0)
    found = Extractor(model)
    np.testing.assert_allclose(found.features(images), expected, atol=1e-5)
    np.testing.assert_allclose(Extractor(model, "hidden").features(images), expected, atol=1e-5)
    assert found.label == f"linear@{found.hash}"
    assert Extractor(model, "hidden").label == f"linear.hidden@{found.hash}"
    exact = np.maximum(images.reshape(-1, 4) @ kernel + 1, 0)
    np.testing.assert_allclose(found.features(images, rounded=False), exact, atol=1e-5)


def test_floats_and_8_bits_give_the_same_features(linear):
    eight_bits = np.random.default_rng(0).integers(0, 256, (9, 2, 2, 1), np.uint8)
    floats = (eight_bits + 0.3).astype(np.float32) / 255
    found = Extractor(linear[0])
    np.testing.assert_array_equal(found.features(eight_bits), found.features(floats))


def test_the_hash_is_of_the_weights_alone(linear):
    model, _ = linear
    before = Extractor(model).hash
    assert Extractor(model, name="other").hash == before
    weight = model.get_layer("logits").kernel
    weight.assign(weight + 1e-6)
    assert Extractor(model).hash != before


def test_softmax_outputs_are_probabilities_already(linear):
    model, _ = linear
    softmax = keras.Model(model.inputs, keras.layers.Softmax()(model.output))
    images = np.random.default_rng(0).random((9, 2, 2, 1), dtype=np.float32)
    np.testing.assert_allclose(
        Extractor(softmax).probabilities(images), Extractor(model).probabilities(images), atol=1e-6
    )


def test_labels_of_which_several_may_hold_are_no_classes(linear):
    model, _ = linear
    shares = keras.layers.Activation("sigmoid")(model.output)
    found = Extractor(keras.Model(model.input, shares))
    assert (found.is_classifier, found.num_classes) == (False, None)
    with pytest.raises(ValueError, match="gives no class probabilities: it is no classifier"):
        found.probabilities(np.zeros((3, 2, 2, 1), np.float32))
    assert found.features(np.zeros((3, 2, 2, 1), np.float32)).shape == (3, 3)


def test_feature_maps_are_averaged():
    images = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(3, 1, name="maps")(images)
    logits = keras.layers.Dense(2)(keras.layers.Flatten()(maps))
    found = Extractor(keras.Model(images, logits), "maps")
    batch = np.random.default_rng(0).random((6, 4, 4, 1), dtype=np.float32)
    kernel = found.model.get_layer("maps").kernel.numpy().reshape(3)
    expected = rounded_to_8_bits(batch).mean(axis=(1, 2, 3))[:, None] * kernel
    np.testing.assert_allclose(found.features(batch), expected, atol=1e-5)


def test_a_file(tmp_path):
    model = small_cnn((8, 8, 1), 4, width=4)
    model.save(tmp_path / "mine.keras")
    found = extractor(tmp_path / "mine.keras")
    assert found.label == f"mine@{Extractor(model, structure=True).hash}"
    assert found.features(np.zeros((2, 8, 8, 1), np.float32)).shape == (2, 16)


def test_the_hash_of_a_file_tells_activations_apart(tmp_path):
    labels = set()
    for activation in ("relu", "tanh", "tanh"):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Flatten(), keras.layers.Dense(4, activation=activation)]
        keras.Sequential([keras.Input((8, 8, 1)), *layers]).save(tmp_path / "net.keras")
        labels.add(extractor(tmp_path / "net.keras").label)
    assert len(labels) == 2


@pytest.mark.parametrize(
    "options",
    [{}, {"num_classes": 3}, {"discriminator": {"minibatch_stddev": True}}],
)
def test_a_discriminator_gives_each_image_features_of_its_own(make_gan, images, options):
    found = discriminator_extractor(make_gan(**options))
    features = found.features(images)
    assert features.ndim == 2
    np.testing.assert_allclose(found.features(images[3:4]), features[3:4], atol=1e-5)
    with pytest.raises(ValueError, match="no class probabilities"):
        found.probabilities(images)


def test_errors(make_gan, linear, tmp_path):
    with pytest.raises(FileNotFoundError, match="Did you mean 'lenet-mnist'"):
        extractor("lenet-mnsit")
    with pytest.raises(FileNotFoundError, match=r"or a \.keras file that exists"):
        extractor(tmp_path / "no.keras")
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be loaded as a Keras model"):
        extractor(tmp_path / "broken.keras")
    with pytest.raises(ValueError, match="layer must be left out for lenet-mnist"):
        extractor("lenet-mnist", "features")
    with pytest.raises(ValueError, match="Did you mean 'hidden'"):
        Extractor(linear[0], "hiden")
    with pytest.raises(ValueError, match="takes images of 2x2x1, got an array of shape"):
        Extractor(linear[0]).features(np.zeros((3, 4, 4, 1), np.float32))
    with pytest.raises(ValueError, match="packing is 2"):
        discriminator_extractor(make_gan(packing=2))
