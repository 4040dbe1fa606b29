"""What is known of a classifier's outputs, from its graph, its loss and its values."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import Victim, victim_of
from kgan.attacks.endings import ending
from kgan.attacks.head import Evidence, agree, find, told_by_loss
from tests.attacks.conftest import build

IMAGES = np.random.default_rng(0).uniform(size=(6, 8, 8, 1)).astype("float32")
PROBABILITIES = np.array([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]])
SMALL = np.array([[0.2, 0.7], [0.9, 0.3], [0.1, 0.0]])
LARGE = np.array([[2.0, -1.0], [0.5, 0.1], [0.0, 0.3]])
ONE = PROBABILITIES[:, :1]
ONE_LARGE = LARGE[:, :1]


@pytest.mark.parametrize(
    ("loss", "takes"),
    [
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), "logits"),
        (keras.losses.SparseCategoricalCrossentropy(), "probabilities"),
        (keras.losses.BinaryFocalCrossentropy(from_logits=True), "logits"),
        ("sparse_categorical_crossentropy", "probabilities"),
        (keras.losses.binary_crossentropy, "probabilities"),
        (functools.partial(keras.losses.binary_crossentropy, from_logits=True), "logits"),
        (functools.partial(keras.losses.binary_crossentropy, label_smoothing=0.1), "probabilities"),
        (functools.partial(keras.losses.mean_squared_error), "values"),
        ("hinge", "logits"),
        (keras.losses.CategoricalHinge(), "logits"),
        ("mse", "values"),
        (keras.losses.Huber(), "values"),
        (lambda y, z: z, None),
        ("no_such_loss", None),
        (None, None),
    ],
)
def test_a_loss_tells_what_it_takes(loss, takes):
    assert told_by_loss(loss) == takes


@pytest.mark.parametrize(
    ("end", "outputs", "loss", "head"),
    [
        ("softmax", PROBABILITIES, "logits", "softmax"),
        ("sigmoid", ONE, None, "sigmoid"),
        ("linear", ONE, None, "logits"),
        ("linear", ONE_LARGE, "logits", "logits"),
        ("linear", SMALL, "probabilities", "logits"),
        # An ensemble's mean of probabilities.
        ("linear", PROBABILITIES, None, "softmax"),
        # The same for every input, as of a new network: no shares of anything.
        ("linear", np.full((3, 2), 0.5), None, "logits"),
        ("unknown", ONE, "logits", "logits"),
        ("unknown", ONE, "probabilities", "sigmoid"),
        ("unknown", ONE_LARGE, None, "logits"),
        ("unknown", LARGE, "probabilities", "logits"),
        ("unknown", PROBABILITIES, None, "softmax"),
        ("unknown", PROBABILITIES, "logits", "softmax"),
        ("unknown", SMALL, "probabilities", "sigmoid"),
        ("shares", PROBABILITIES, None, "softmax"),
        ("shares", SMALL, "probabilities", "sigmoid"),
        # Shares that rounding brings above 1.
        ("linear", np.array([[1 + 1e-6, 0.0], [0.3, 0.7]]), None, "softmax"),
    ],
)
def test_evidence_is_weighed(end, outputs, loss, head):
    assert find(Evidence("net", end, outputs, loss)) == head


@pytest.mark.parametrize(
    ("end", "outputs", "loss"),
    [
        ("unknown", ONE, None),
        ("unknown", SMALL, None),
        ("unknown", ONE, "values"),
        # A threshold at 0 or at 0.5?
        ("linear", ONE_LARGE, "probabilities"),
        ("linear", ONE_LARGE, "values"),
        ("unknown", ONE_LARGE, "probabilities"),
        ("sigmoid", ONE, "logits"),
    ],
)
def test_what_cannot_be_known_is_to_be_declared(end, outputs, loss):
    with pytest.raises(ValueError, match=r'net .*head="logits"'):
        find(Evidence("net", end, outputs, loss))


def test_what_is_declared_must_agree():
    assert agree("logits", Evidence("net", "unknown", SMALL, "probabilities")) == "logits"
    assert agree("sigmoid", Evidence("net", "unknown", ONE, "logits")) == "sigmoid"
    for head, end, outputs in (
        ("logits", "softmax", PROBABILITIES),
        ("softmax", "sigmoid", SMALL),
        ("softmax", "unknown", LARGE),
        ("sigmoid", "linear", ONE_LARGE),
        ("softmax", "unknown", ONE),
    ):
        with pytest.raises(ValueError, match=f"head '{head}'"):
            agree(head, Evidence("net", end, outputs, None))


W, V = (np.random.default_rng(seed).normal(size=(4, 3)).astype("float32") for seed in (0, 1))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda x: x @ W + 1.0, "linear"),
        (lambda x: (x @ W + x @ V) / 2.0 - 3.0, "linear"),
        (lambda x: tf.reduce_mean(tf.stack([x @ W, x @ V]), axis=0), "linear"),
        (lambda x: tf.nn.log_softmax(x @ W), "linear"),
        (lambda x: tf.cast(tf.reshape(tf.nn.softmax(x @ W), [-1, 3]), tf.float16), "softmax"),
        (lambda x: tf.sigmoid(x @ W)[:, :], "shares"),
        (lambda x: tf.identity(tf.sigmoid(x @ W)), "sigmoid"),
        (lambda x: tf.nn.softmax(x @ W) * tf.nn.softmax(x @ V), "shares"),
        (lambda x: tf.exp(x @ W) / tf.reduce_sum(tf.exp(x @ W), axis=1, keepdims=True), "shares"),
        (lambda x: tf.reshape(tf.nn.softmax(tf.reshape(x @ W, [-1, 3, 1])), [-1, 3]), "shares"),
        (lambda x: tf.clip_by_value(tf.nn.softmax(x @ W), 1e-7, 1 - 1e-7), "softmax"),
        (lambda x: tf.clip_by_value(tf.nn.softmax(x @ W), 0.1, 0.9), "shares"),
        (lambda x: tf.nn.softmax(x @ W) @ W[:3], "linear"),
        (lambda x: tf.nn.softmax(x @ W) * (x @ W), "unknown"),
        (lambda x: tf.nn.softmax(x @ W) - 0.1, "unknown"),
        (lambda x: tf.nn.silu(x @ W), "unknown"),
        (lambda x: tf.nn.relu(x @ W), "unknown"),
        (lambda x: 2.0 * x, "unknown"),
        (tf.function(lambda x: x @ W), "unknown"),
    ],
)
def test_the_end_of_a_graph_is_read(function, kind):
    found = []

    @tf.function(autograph=False)
    def traced(x):
        found.append(ending(function(x)))
        return found[0].scores

    scores = traced(np.eye(4, dtype="float32"))
    assert found[0].kind == kind
    if kind in ("softmax", "sigmoid"):
        np.testing.assert_allclose(scores, W, atol=1e-6)


def test_a_single_logit_between_0_and_1_is_a_logit():
    """Its outputs look like probabilities; its classes part at 0, not at 0.5."""
    model = build(units=1)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0.001 * kernel, np.full_like(bias, 0.25)])
    assert np.all((model(IMAGES) > 0) & (model(IMAGES) < 0.5))
    victim = victim_of(model, IMAGES)
    assert victim.head == "logits"
    np.testing.assert_array_equal(victim.predict(IMAGES).argmax(axis=1), 1)


def test_the_compiled_loss_decides_where_the_graph_is_hidden():
    inner = build(units=1)
    inner.layers[-1].set_weights([0.001 * inner.layers[-1].get_weights()[0], np.full(1, 0.25)])
    function = tf.function(lambda images: inner(images))

    class Hidden(keras.Model):
        def call(self, images):
            return function(images)

    model = Hidden()
    with pytest.raises(ValueError, match=r"outputs from .* to .*, which may be logits"):
        victim_of(model, IMAGES)
    for from_logits, head, answer in ((True, "logits", 1), (False, "sigmoid", 0)):
        model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=from_logits))
        victim = victim_of(model, IMAGES)
        assert victim.head == head
        np.testing.assert_array_equal(victim.predict(IMAGES).argmax(axis=1), answer)


class Two(keras.Model):
    """An embedding and class scores, by name."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, images):
        scores = self.inner(images)
        return {"embedding": 2.0 * scores, "scores": scores}


def test_one_of_several_outputs_is_chosen(model):
    two = keras.Model(model.inputs, [2.0 * model.outputs[0], model.outputs[0]])
    named = Two(model)
    for victim in (Victim(two, output=1), Victim(named, output="scores")):
        np.testing.assert_allclose(
            victim_of(victim, IMAGES).predict(IMAGES), model(IMAGES), atol=1e-5
        )
    with pytest.raises(ValueError, match="output='embedding' or 'scores'"):
        victim_of(named, IMAGES)
    with pytest.raises(ValueError, match="output must be left out"):
        victim_of(Victim(model, output="scores"), IMAGES)
