import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import BPDA, PGD


@keras.saving.register_keras_serializable(package="tests")
def halve(images):
    """Rounds to 0 or 1: no gradient anywhere."""
    return tf.round(images)


@keras.saving.register_keras_serializable(package="tests")
def bend(images):
    return tf.sigmoid(8.0 * (images - 0.5))


@pytest.mark.parametrize(
    ("backward", "slope"),
    [(None, lambda x: np.ones_like(x)), (bend, lambda x: 8 * bend(x) * (1 - bend(x)))],
    ids=["identity", "sigmoid"],
)
def test_values_are_those_of_forward_and_gradients_those_of_backward(backward, slope):
    layer = BPDA(halve, backward)
    points = tf.constant([[0.1, 0.3, 0.7, 0.9]])
    with tf.GradientTape() as tape:
        tape.watch(points)
        value = layer(points)
        loss = tf.reduce_sum(value * [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(value, [[0, 0, 1, 1]])
    want = np.asarray(slope(points)) * [[1, 2, 3, 4]]
    np.testing.assert_allclose(tape.gradient(loss, points), want, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:No gradient of the model reaches its images")
def test_an_attack_sees_past_a_rounding_layer(model, some):
    images, labels = some
    hidden = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Lambda(halve), model])
    seen = keras.Sequential([keras.Input((8, 8, 1)), BPDA(halve), model])
    np.testing.assert_array_equal(seen(images), hidden(images))
    wrong = hidden(images).numpy().argmax(axis=1) != labels
    attack = PGD(0.3, steps=10)
    blind = attack.run(hidden, images, labels)
    found = attack(seen, images, labels)
    fooled = hidden(found).numpy().argmax(axis=1) != labels
    assert fooled.mean() > blind.success.mean() + 0.2 > wrong.mean() + 0.2


def test_it_is_saved_with_its_functions(tmp_path):
    model = keras.Sequential([keras.Input((3,)), BPDA(halve, bend), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    points = np.random.default_rng(0).uniform(size=(4, 3)).astype("float32")
    np.testing.assert_array_equal(model(points), again(points))
    assert again.layers[0].backward is bend


def test_wrong_functions_are_named():
    with pytest.raises(TypeError, match="backward must be a function or a layer, got 3"):
        BPDA(halve, 3)
    with pytest.raises(ValueError, match=r"forward must return the shape \(1, 4\), got \(1,\)"):
        BPDA(lambda x: x[:, 0])(tf.zeros([1, 4]))
