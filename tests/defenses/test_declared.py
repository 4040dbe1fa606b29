"""Adversarial training of classifiers that take another range or return more than scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import APGD, PGD, RandomNoise, Victim
from kgan.defenses import AdversarialTraining, DivergencePGD, OverfittingGuard
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


def convolutional(shape, units=3):
    keras.utils.set_random_seed(0)
    images = keras.Input(shape)
    features = keras.layers.Conv2D(4, 3, padding="same", activation="tanh")(images)
    features = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(images, keras.layers.Dense(units)(features))


@pytest.mark.parametrize(
    ("method", "attack"),
    [
        ("fast", None),
        ("pgd", PGD(0.1, steps=2)),
        ("trades", None),
        ("pgd", APGD(0.1, steps=3)),
        ("pgd", PGD(0.5, norm="l2", steps=2)),
        ("pgd", RandomNoise(0.1)),
    ],
)
def test_images_of_any_size_are_trained_as_those_of_a_known_one(method, attack):
    def training(shape):
        model = AdversarialTraining(convolutional(shape), method=method, epsilon=0.1, attack=attack)
        model.compile(keras.optimizers.SGD(1.0), sparse_loss())
        return model

    batches = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(16)
    known, unknown = training((4, 4, 1)), training((None, None, 1))
    known.fit(batches, shuffle=False, verbose=0)

    def forget(images, labels):
        return tf.ensure_shape(
            tf.py_function(tf.identity, [images], tf.float32), [None] * 4
        ), labels

    unknown.fit(batches.map(forget), shuffle=False, verbose=0)
    for one, other in zip(known.get_weights(), unknown.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    # Batches of other sizes are trained by the same graph.
    larger = tf.data.Dataset.from_tensors((np.repeat(IMAGES, 2, axis=1), LABELS)).map(forget)
    unknown.fit(larger, shuffle=False, verbose=0)
    assert not np.array_equal(unknown.get_weights()[0], known.get_weights()[0])


@pytest.mark.parametrize("method", ["pgd", "trades", "mart"])
def test_one_of_several_outputs_is_trained_as_if_it_were_alone(method):
    def train(make, **declared):
        keras.utils.set_random_seed(1)
        images = keras.Input((4, 4, 1))
        features = keras.layers.Flatten()(images)
        scores = keras.layers.Dense(3, name="scores", kernel_initializer="ones")(features)
        other = keras.layers.Dense(2, name="other")(features)
        model = keras.Model(images, make(scores, other))
        training = AdversarialTraining(
            Victim(model, **declared), method=method, epsilon=0.1,
            attack=None if method == "trades" else PGD(0.1, steps=2),
        )  # fmt: skip
        training.compile(keras.optimizers.SGD(0.1), sparse_loss())
        training.fit(IMAGES, LABELS, batch_size=16, shuffle=False, verbose=0)
        assert training.predict(IMAGES, verbose=0).shape == (32, 3)
        return model

    alone = train(lambda scores, other: scores)
    one = train(lambda scores, other: {"scores": scores, "other": other}, output="scores")
    by_number = train(lambda scores, other: [other, scores], output=1)
    wanted = alone.get_layer("scores").get_weights()
    for model in (one, by_number):
        for weight, same in zip(model.get_layer("scores").get_weights(), wanted, strict=True):
            np.testing.assert_allclose(weight, same, atol=1e-6)


@pytest.mark.parametrize("method", ["fast", "trades", "mart"])
def test_one_logit_is_trained_as_two_that_differ_by_it(method):
    labels = LABELS % 2

    attacks = {"mart": PGD(0.1, steps=2), "trades": DivergencePGD(0.1, steps=2)}

    def train(weights, loss, rate):
        units = weights[1].size
        model = keras.Sequential(
            [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(units)]
        )
        model.set_weights(weights)
        training = AdversarialTraining(
            model, method=method, epsilon=0.1, attack=attacks.get(method)
        )
        training.compile(keras.optimizers.SGD(rate), loss(from_logits=True))
        training.fit(IMAGES, labels, batch_size=16, shuffle=False, verbose=0)
        return model.get_weights()[0]

    kernel = np.random.default_rng(2).normal(size=(16, 1)).astype("float32")
    one = train([kernel, np.zeros(1)], keras.losses.BinaryCrossentropy, 0.05)
    # Logits of -z / 2 and z / 2: their difference moves twice as far as z at an equal rate.
    pair = np.concatenate([-kernel, kernel], axis=1) / 2
    two = train([pair, np.zeros(2)], keras.losses.SparseCategoricalCrossentropy, 0.025)
    np.testing.assert_allclose(one[:, 0], two[:, 1] - two[:, 0], atol=1e-4)


def test_training_on_apgd_is_training_on_its_best_image():
    linear = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    images = tf.constant(0.3 + 0.4 * IMAGES)
    labels = tf.constant(LABELS % 2, tf.int32)
    attack = APGD(0.1, steps=6)
    perturb = tf.function(lambda: attack.perturb(linear, images, labels), autograph=False)
    # The highest loss of two logits in a ball is at the corner along the difference's signs.
    kernel = linear.get_weights()[0]
    along = np.sign(kernel[:, 1] - kernel[:, 0]).reshape(1, 4, 4, 1)
    wanted = images + 0.1 * along * (1 - 2 * (LABELS % 2))[:, None, None, None]
    np.testing.assert_allclose(perturb(), wanted, atol=1e-6)
