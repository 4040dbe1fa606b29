import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import APGD, victim_of
from kgan.attacks.victim import Victim
from tests.attacks.conftest import build

IMAGES = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")


class Subclassed(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, images):
        return self.inner(images)


def compiled_away(model):
    """A classifier whose activation no graph shows."""
    function = tf.function(lambda images: model(images))

    class Hidden(keras.Model):
        def call(self, images):
            return function(images)

    return Hidden()


def with_softmax_layer(model):
    return keras.Sequential([model, keras.layers.Softmax()])


def with_ops(model):
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, keras.ops.softmax(model(inputs)))


def reshaped(model):
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Reshape((1, 1, 10))(model(inputs))
    outputs = keras.layers.Activation("softmax")(outputs)
    return keras.Model(inputs, keras.layers.Flatten()(outputs))


@pytest.mark.parametrize("wrap", [with_softmax_layer, with_ops, reshaped])
def test_a_softmax_is_cut_wherever_it_stands(model, wrap):
    victim = victim_of(wrap(model), IMAGES)
    assert victim.head == "softmax"
    np.testing.assert_allclose(victim.predict(IMAGES), model(IMAGES), atol=1e-5)


def test_a_softmax_activation_is_cut_also_in_nested_and_subclassed_models(model, softmax_model):
    for twin in (softmax_model, Subclassed(softmax_model), keras.Sequential([softmax_model])):
        np.testing.assert_allclose(
            victim_of(twin, IMAGES).predict(IMAGES), model(IMAGES), atol=1e-5
        )


def test_saturated_probabilities_keep_their_gradient(model):
    """Where float32 rounds the probability to one, the logits still differ."""
    sharp = keras.Sequential([model, keras.layers.Rescaling(1e4), keras.layers.Softmax()])
    victim = victim_of(sharp, IMAGES)
    np.testing.assert_allclose(victim.predict(IMAGES), 1e4 * model(IMAGES).numpy(), rtol=1e-4)


def test_a_hidden_softmax_is_recovered_by_a_log(model, softmax_model):
    victim = victim_of(hidden := compiled_away(softmax_model), IMAGES)
    assert "log" in victim.assumptions[1]
    logits = tf.nn.log_softmax(model(IMAGES))
    np.testing.assert_allclose(victim.predict(IMAGES), logits, atol=1e-3)
    del hidden


def test_hidden_logits_are_logits(model):
    victim = victim_of(hidden := compiled_away(model), IMAGES)
    assert victim.head == "logits"
    np.testing.assert_allclose(victim.predict(IMAGES), model(IMAGES), atol=1e-5)
    del hidden


@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("head", [None, "sigmoid"])
def test_one_output_becomes_two_logits(head, hide):
    plain = build(head, units=1)
    # A spread that no probability has.
    plain.layers[-1].kernel.assign(10.0 * plain.layers[-1].kernel)
    model = compiled_away(plain) if hide else plain
    if head and hide:
        with pytest.raises(ValueError, match='head="logits"'):
            victim_of(model, IMAGES)
    victim = victim_of(Victim(model, head=head), IMAGES)
    assert victim.classes == 2
    outputs = plain(IMAGES).numpy()[:, 0]
    probability = tf.nn.softmax(victim.predict(IMAGES)).numpy()[:, 1]
    want = outputs if head else tf.sigmoid(outputs)
    np.testing.assert_allclose(probability, want, atol=1e-5)


def test_the_model_is_left_untouched():
    class Counting(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = build()
            self.calls = self.add_weight(shape=(), trainable=False, initializer="zeros")
            self.noise = keras.layers.GaussianNoise(0.1, seed=1)

        def call(self, images, training=False):
            self.calls.assign_add(1.0)
            return self.inner(self.noise(images, training=True), training=training)

    model = Counting()
    model(IMAGES)
    before = [variable.numpy() for variable in model.variables]
    victim_of(model, IMAGES).predict(IMAGES)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


def test_a_model_that_was_never_called_is_built():
    class Unbuilt(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten = keras.layers.Flatten()
            self.dense = keras.layers.Dense(10, activation="softmax")

        def call(self, images):
            return self.dense(self.flatten(images))

    model = Unbuilt()
    victim = victim_of(model, IMAGES)
    np.testing.assert_allclose(tf.nn.softmax(victim.predict(IMAGES)), model(IMAGES), atol=1e-6)


def test_new_weights_are_seen():
    model = build()
    victim = victim_of(model, IMAGES)
    before = victim.predict(IMAGES)
    model.set_weights([weight + 0.1 for weight in model.get_weights()])
    np.testing.assert_allclose(victim.predict(IMAGES), model(IMAGES), atol=1e-5)
    assert np.abs(victim.predict(IMAGES) - before).max() > 0.01


def test_the_cache_does_not_keep_a_model_alive():
    model = build("softmax")
    assert victim_of(model, IMAGES) is victim_of(model, IMAGES)
    victim_of(model, IMAGES).predict(IMAGES)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


def test_errors_name_the_remedy(model):
    with pytest.raises(ValueError, match=r"shape \(None, 8, 8, 1\)"):
        victim_of(build(), IMAGES[:, :4])
    with pytest.raises(TypeError, match=r"keras\.Model or a kgan\.attacks\.Victim, .*got str"):
        victim_of("model.keras", IMAGES)
    two = keras.Model(model.inputs, [model.outputs[0], model.outputs[0]])
    with pytest.raises(ValueError, match="must return one tensor"):
        victim_of(Victim(two), IMAGES)


class Noisy(keras.Model):
    """A defence that adds noise at inference too."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.noise = keras.layers.GaussianNoise(0.3, seed=1)

    def call(self, images):
        return self.inner(self.noise(images, training=True))


def test_a_random_model_draws_anew_at_each_call_and_the_same_in_each_run(model, some):
    noisy = Noisy(model)
    victim = victim_of(noisy, IMAGES)
    seed = noisy.noise.seed_generator.state.numpy()
    twice = tf.function(lambda x: (victim.logits(x), victim.logits(x)), autograph=False)
    first, second = twice(IMAGES)
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_array_equal(victim.predict(IMAGES), victim.predict(IMAGES))
    attack = APGD(0.1, steps=10, samples=5)
    runs = [attack.run(noisy, *some) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].adversarial, runs[1].adversarial)
    np.testing.assert_array_equal(noisy.noise.seed_generator.state.numpy(), seed)
