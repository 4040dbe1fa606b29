import keras
import numpy as np
import pytest

import kgan.data
from kgan.networks.classifiers import CLASSIFIERS

SHAPES = [(8, 8, 1), (13, 9, 3), (28, 28, 1), (32, 32, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_images_to_finite_logits(name, shape):
    model = CLASSIFIERS[name](shape, 7, width=8)
    images = np.random.default_rng(0).uniform(size=(2, *shape)).astype("float32")
    logits = model(images).numpy()
    assert logits.shape == (2, 7)
    assert np.isfinite(logits).all()
    # Logits, not probabilities.
    assert not np.allclose(logits.sum(axis=1), 1.0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_image_alone_gets_the_logits_it_has_in_a_batch(name):
    model = CLASSIFIERS[name]((8, 8, 1), 4, width=8)
    images = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")
    alone = np.concatenate([model(image[None], training=False) for image in images])
    np.testing.assert_allclose(alone, model(images, training=False), atol=1e-5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_file_gives_the_same_classifier_back(name, tmp_path):
    model = CLASSIFIERS[name]((8, 8, 1), 4, width=8)
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")
    twin = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(twin(images), model(images), atol=1e-6)


def test_wrong_shapes_are_named():
    for build in CLASSIFIERS.values():
        with pytest.raises(ValueError, match=r"\(height, width, channels\), got \(28, 28\)"):
            build((28, 28), 10)
        with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
            build((28, 28, 1), 1)


def test_the_residual_network_learns_digits():
    data = kgan.data.load("digits")
    keras.utils.set_random_seed(0)
    model = CLASSIFIERS["resnet"](data.sample_shape, 10, width=8, blocks=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(data.as_float(), data.labels, epochs=4, batch_size=64, verbose=0)
    test = kgan.data.load("digits", "test")
    assert model.evaluate(test.as_float(), test.labels, verbose=0)[1] > 0.9
