"""Adversarial training of classifiers that take another range or return more than scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import PGD, Victim
from kgan.defenses import AdversarialTraining, OverfittingGuard
from tests.defenses.conftest import sparse_loss

IMAGES = np.random.default_rng(0).uniform(size=(32, 4, 4, 1)).astype("float32")
LABELS = np.arange(32) % 3


def network(scale=1.0, offset=0.0):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Rescaling(scale, offset),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(3),
        ]
    )


def trained(classifier, method):
    training = AdversarialTraining(
        classifier, method=method, epsilon=0.1, **({"batch_size": 16} if method == "free" else {})
    )
    training.compile(keras.optimizers.SGD(0.1), sparse_loss())
    training.fit(IMAGES, LABELS, batch_size=16, shuffle=False, verbose=0)
    return training


@pytest.mark.parametrize("method", ["trades", "free"])
def test_a_classifier_of_0_to_255_is_trained_as_one_of_0_to_1(method, tmp_path):
    plain = trained(network(), method)
    wide = trained(Victim(network(1 / 255), bounds=(0, 255)), method)
    for one, other in zip(plain.get_weights(), wide.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    # Its own images are in [0, 255], those of the training in [0, 1].
    outputs = wide.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(outputs, wide.classifier(255 * IMAGES), atol=1e-4)
    wide.save(tmp_path / "training.keras")
    loaded = keras.models.load_model(tmp_path / "training.keras")
    np.testing.assert_allclose(loaded.predict(IMAGES, verbose=0), outputs, atol=1e-5)
    assert loaded.victim.declared == wide.victim.declared
    # The guard attacks what is trained.
    guard = OverfittingGuard(IMAGES, LABELS, epsilon=0.1)
    guard.set_model(wide)
    success = PGD(0.1, steps=5).run(wide.victim, IMAGES, LABELS).success
    assert guard.accuracy() == pytest.approx(1 - success.mean())


def test_the_loss_of_the_training_tells_the_head_of_a_hidden_classifier():
    inner = network()
    function = tf.function(lambda images: tf.nn.softmax(inner(images)))

    class Hidden(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def call(self, images):
            return function(images)

    hidden = Hidden()
    hidden(IMAGES)
    with pytest.raises(ValueError, match="from_logits=False"):
        trained(hidden, "fast")
    whole = keras.Sequential(
        [keras.Input((4, 4, 1), dtype="uint8"), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    with pytest.raises(ValueError, match="takes whole numbers"):
        AdversarialTraining(Victim(whole), method="fast")


def test_data_may_know_less_of_their_shape_than_the_classifier():
    data = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(16)
    unknown = data.map(
        lambda images, labels: (
            tf.ensure_shape(tf.py_function(lambda one: one, [images], tf.float32), [None] * 4),
            labels,
        )
    )
    found = []
    for some in (data, unknown):
        training = AdversarialTraining(network(), method="fast", epsilon=0.1)
        training.compile(keras.optimizers.SGD(0.1), sparse_loss())
        training.fit(some, verbose=0, shuffle=False)
        found.append(training.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
