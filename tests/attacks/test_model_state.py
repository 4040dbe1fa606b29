"""A model that is changed in place is attacked as it is now."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FGSM, victim_of
from kgan.attacks.model_state import ModelState

IMAGES = np.random.default_rng(0).uniform(size=(12, 6, 6, 1)).astype("float32")
LABELS = np.arange(12) % 4


class Own(keras.layers.Layer):
    """A user's own layer, whose attributes say only part of what it does."""

    factors = [1.0]  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.powers = {"inner": [[1.0]]}

    def call(self, images):
        return images ** self.powers["inner"][0][0] * self.factors[0]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.own = Own()
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(4)
        self.other = keras.layers.Dense(4)
        self.other.build((None, 36))

    def call(self, images):
        return self.dense(self.flatten(self.own(images)))


def known():
    normalization = keras.layers.Normalization(axis=None)
    normalization.adapt(IMAGES)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            normalization,
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(4),
        ]
    )


def quantized(model):
    model.layers[-1].quantize("int8")


def adapted_twice(model):
    # The second result may lie where the first one was.
    model.layers[0].adapt(3.0 * IMAGES)
    model.layers[0].adapt(5.0 * IMAGES + 1.0)


def another_activation(model):
    model.layers[-2].activation = keras.activations.tanh


def a_head(model):
    model.layers[-1].activation = keras.activations.softmax


def another_layer(model):
    model.pop()
    model.add(keras.layers.Dense(4, kernel_initializer=keras.initializers.Ones()))


def another_policy(model):
    model.layers[-1].dtype_policy = keras.DTypePolicy("mixed_bfloat16")


def weights(model):
    model.set_weights([1e4 * (one + 0.1) for one in model.get_weights()])


def tiny_weights(model):
    model.layers[-1].set_weights([1e-6 * one + 1e-7 for one in model.layers[-1].get_weights()])


def of_a_class(model):
    Own.factors = [-2.0]


def deep_inside(model):
    model.own.powers["inner"][0][0] = 3.0


def swapped(model):
    model.dense = model.other


@pytest.mark.parametrize(
    ("make", "change"),
    [
        *[
            (known, change)
            for change in (
                quantized, adapted_twice, another_activation, a_head, another_layer, another_policy,
                weights, tiny_weights,
            )
        ],
        *[(Subclassed, change) for change in (of_a_class, deep_inside, swapped, weights)],
    ],
    ids=lambda one: one.__name__,
)  # fmt: skip
def test_a_change_in_place_is_seen(make, change, monkeypatch):
    monkeypatch.setattr(Own, "factors", [1.0])
    keras.utils.set_random_seed(0)
    model = make()
    held = victim_of(model, IMAGES)
    before = held.predict(IMAGES)
    FGSM(0.1).run(model, IMAGES, LABELS)
    change(model)
    truth = np.asarray(model(IMAGES, training=False), "float32")
    for victim in (held, victim_of(model, IMAGES)):
        logits = victim.predict(IMAGES)
        shown = tf.nn.softmax(logits).numpy() if victim.head == "softmax" else logits
        np.testing.assert_allclose(shown, truth, rtol=1e-2, atol=1e-3 * np.abs(truth).max())
    assert change is a_head or np.abs(truth - before).max() > 1e-4 * np.abs(before).max()
    result = FGSM(0.1).run(model, IMAGES, LABELS)
    said = np.asarray(model(result.adversarial)).argmax(axis=1)
    np.testing.assert_array_equal(said != LABELS, result.success)


def test_nothing_is_compiled_again_where_only_values_changed():
    model = known()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    FGSM(0.1).run(model, IMAGES, LABELS)
    model.fit(IMAGES, LABELS, verbose=0)
    state = ModelState(model)
    compiled = dict(victim_of(model, IMAGES).functions)
    model.fit(IMAGES, LABELS, verbose=0)
    model.predict(IMAGES, verbose=0)
    model.evaluate(IMAGES, LABELS, verbose=0)
    assert ModelState(model) == state
    assert ModelState(model).known
    assert dict(victim_of(model, IMAGES).functions) == compiled
    own = Subclassed()
    FGSM(0.1).run(own, IMAGES, LABELS)
    compiled = dict(victim_of(own, IMAGES).functions)
    weights(own)
    assert not ModelState(own).known
    assert dict(victim_of(own, IMAGES).functions) == compiled


def test_a_loss_that_is_compiled_anew_is_a_change():
    model = known()
    model.compile("sgd", "mse")
    state = ModelState(model)
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert ModelState(model) != state
