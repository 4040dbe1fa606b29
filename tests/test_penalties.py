"""Penalties against closed forms: the gradient of a linear discriminator is its weight."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.random
from kgan import penalties

SEED = kgan.random.step_seed(0, 0, "test")
BATCH = 4


@pytest.fixture
def direction():
    return np.random.default_rng(0).standard_normal((6, 5, 2)).astype(np.float32)


@pytest.fixture
def batch():
    random = np.random.default_rng(1)
    return [tf.constant(random.random((BATCH, 6, 5, 2)), tf.float32) for _ in range(2)]


def linear(direction):
    """A discriminator as a paper has it: linear in images of [-1, 1]."""
    return lambda images: tf.reduce_sum((2.0 * images - 1.0) * direction, axis=[1, 2, 3])


PUBLISHED = {
    "r1": lambda norm: 10 / 2 * norm**2,
    "r2": lambda norm: 10 / 2 * norm**2,
    "gradient_penalty": lambda norm: 10 * (norm - 1) ** 2,
    "dragan": lambda norm: 10 * (norm - 1) ** 2,
}


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_published_weight_gives_published_penalty_on_images(name, direction, batch):
    """The papers' formula, evaluated by hand for inputs in [-1, 1], with weight 10."""
    penalty = penalties.get(name, 10.0)
    norm = np.linalg.norm(direction.astype(np.float64))
    values = penalty.per_sample(linear(direction), *batch, SEED) * penalty.weight_at(0)
    assert values.shape == (BATCH,)
    np.testing.assert_allclose(values, np.full(BATCH, PUBLISHED[name](norm)), rtol=1e-5)


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_points_are_not_rescaled(name):
    weight = np.array([0.3, -0.4], np.float32)
    points = tf.constant(np.random.default_rng(0).normal(size=(BATCH, 2)), tf.float32)
    penalty = penalties.get(name, 10.0, input_width=1.0)
    values = penalty.weight_at(0) * penalty.per_sample(
        lambda x: tf.linalg.matvec(x, weight), points, points, SEED
    )
    np.testing.assert_allclose(values, np.full(BATCH, PUBLISHED[name](0.5)), rtol=1e-5)


def quadratic(points):
    """Its gradient at a point is the point."""
    return tf.reduce_sum(tf.square(points), axis=1) / 2


def test_each_penalty_looks_where_its_paper_says():
    real = tf.constant([[3.0, 4.0]])
    fakes = tf.constant([[0.0, 0.0]])
    at = {
        name: float(
            penalties.get(name, 1.0, input_width=1.0).per_sample(quadratic, real, fakes, SEED)[0]
        )
        for name in penalties.PENALTIES
    }
    assert at["r1"] == pytest.approx(12.5)
    assert at["r2"] == pytest.approx(0.0)
    # Between 0 and the real point the norm goes from 0 to 5.
    assert -1 <= np.sqrt(at["gradient_penalty"]) <= 4
    share = float(kgan.random.uniform(SEED, [1, 1])[0, 0])
    assert at["gradient_penalty"] == pytest.approx((5 * (1 - share) - 1) ** 2, rel=1e-4)


def test_dragan_perturbs_by_half_the_global_deviation():
    random = np.random.default_rng(0)
    real = tf.constant(random.normal(2.0, 3.0, (64, 2)), tf.float32)
    noise = kgan.random.uniform(SEED, [64, 2]).numpy()
    points = real.numpy() + 0.5 * real.numpy().std() * noise
    expected = (np.linalg.norm(points, axis=1) - 1) ** 2
    penalty = penalties.DRAGAN(1.0, input_width=1.0)
    np.testing.assert_allclose(penalty.per_sample(quadratic, real, real, SEED), expected, rtol=1e-4)


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_a_lazy_penalty_is_so_many_times_as_strong_and_zero_between(name, direction, batch):
    penalty = penalties.get(name, 10.0, interval=3)
    wanted = PUBLISHED[name](np.linalg.norm(direction.astype(np.float64)))
    for step in range(5):
        found = penalty.weighted(linear(direction), *batch, seed=SEED, step=tf.constant(step))
        strength = 3 if step % 3 == 0 else 0
        np.testing.assert_allclose(found, np.full(BATCH, strength * wanted), rtol=1e-5)


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_a_flat_discriminator_gives_finite_second_derivatives(name, batch):
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        values = penalties.get(name, 1.0).per_sample(
            lambda images: scale * tf.reduce_sum(images, axis=[1, 2, 3]), *batch, SEED
        )
        total = tf.reduce_sum(values)
    assert np.isfinite(float(tape.gradient(total, scale)))


def test_weights_follow_a_schedule_and_the_interval():
    halving = keras.optimizers.schedules.ExponentialDecay(8.0, decay_steps=10, decay_rate=0.5)
    penalty = penalties.R1(halving, interval=4)
    assert float(penalty.weight_at(tf.constant(0))) == pytest.approx(32.0)
    assert float(penalty.weight_at(tf.constant(20))) == pytest.approx(8.0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert float(again.weight_at(tf.constant(20))) == pytest.approx(8.0)


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_serialises(name):
    penalty = penalties.get(name, 3.0, interval=4, input_width=1.0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert type(again) is type(penalty)
    assert again.get_config() == penalty.get_config()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("r3", 1.0, {}), "penalty must be one of r1"),
        (("r1", -1.0, {}), "weight must be at least 0, got -1.0"),
        (("r1", 1.0, {"interval": 0}), "interval must be at least 1, got 0"),
    ],
)
def test_bad_arguments(options, message):
    name, weight, rest = options
    with pytest.raises(ValueError, match=message):
        penalties.get(name, weight, **rest)
