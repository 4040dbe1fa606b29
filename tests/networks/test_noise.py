"""Dropout and additive noise: their moments, and that their draws are a matter of the count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.random
from kgan.counter import unmoved
from kgan.networks import Dropout, GaussianNoise

ONES = np.ones((2000, 3, 4), np.float32)


@pytest.mark.parametrize("layer", [Dropout(0.5, seed=1), GaussianNoise(0.5, seed=1)])
def test_nothing_happens_outside_of_training(layer):
    assert (layer(ONES).numpy() == 1).all()
    assert layer(ONES, training=True).numpy().std() > 0.1


def test_dropout_keeps_the_mean():
    values = Dropout(0.3, seed=3)(ONES, training=True).numpy()
    assert set(np.unique(values)) == {np.float32(0), np.float32(1 / 0.7)}
    # 24,000 draws: a standard deviation of 0.003.
    assert (values == 0).mean() == pytest.approx(0.3, abs=0.012)


def test_whole_channels_drop():
    values = Dropout(0.5, seed=3, noise_shape=(None, 1, None))(ONES, training=True).numpy()
    assert (values == values[:, :1]).all()
    assert (values != values[:, :, :1]).any()


def test_noise_has_its_deviation():
    noise = GaussianNoise(0.2, seed=5)(ONES, training=True).numpy() - 1
    assert noise.mean() == pytest.approx(0, abs=0.006)
    assert noise.std() == pytest.approx(0.2, rel=0.03)


def test_each_call_has_its_own_draw_and_the_count_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((3, 4)), Dropout(0.5), GaussianNoise(0.1)])
    first, second = (model(ONES, training=True).numpy() for _ in range(2))
    assert (first != second).any()
    model.save(tmp_path / "model.keras")
    third = model(ONES, training=True).numpy()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(ONES, training=True), third)


@pytest.mark.parametrize("kind", [Dropout, GaussianNoise])
def test_a_pass_that_some_steps_skip_is_not_counted_and_has_its_own_draw(kind):
    layer, other, counted = kind(0.5, seed=1), kind(0.5, seed=2), kind(0.5, seed=1)

    def drawn(layer, purpose):
        with kgan.random.drawing(kgan.random.step_seed(0, 3, purpose)), unmoved():
            return layer(ONES, training=True).numpy()

    first = drawn(layer, "R1")
    for another in (drawn(layer, "R2"), drawn(other, "R1"), counted(ONES, training=True).numpy()):
        assert abs(np.corrcoef(first.ravel(), another.ravel())[0, 1]) < 0.03
    # As if that pass had not been.
    assert int(layer.calls.numpy()) == 0
    second = layer(ONES, training=True).numpy()
    np.testing.assert_array_equal(second, kind(0.5, seed=1)(ONES, training=True))
    np.testing.assert_array_equal(drawn(layer, "R1"), first)
    with unmoved(), pytest.raises(RuntimeError, match="draws in training"):
        layer(ONES, training=True)


def test_equal_seeds_of_keras_make_equal_layers():
    keras.utils.set_random_seed(4)
    one, other = Dropout(0.5), Dropout(0.5)
    keras.utils.set_random_seed(4)
    assert (Dropout(0.5).seed, Dropout(0.5).seed) == (one.seed, other.seed)
    assert one.seed != other.seed


def test_xla_draws_the_same():
    eager, compiled = Dropout(0.5, seed=2), Dropout(0.5, seed=2)
    eager.build(ONES.shape)
    compiled.build(ONES.shape)
    call = tf.function(lambda x: compiled(x, training=True), jit_compile=True)
    np.testing.assert_array_equal(call(ONES), eager(ONES, training=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dropout(1.0), r"rate must be in \[0, 1\), got 1.0"),
        (lambda: Dropout(0.5, noise_shape=(1, None)), "noise_shape must begin with None"),
        (lambda: GaussianNoise(-1.0), "stddev must be at least 0, got -1.0"),
        (lambda: Dropout(0.5, seed=-1), "seed must be a whole number"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
