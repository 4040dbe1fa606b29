"""Codes: many outputs of one input, which the code decides and does not ignore."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
import kgan.models
import kgan.random
from kgan.kinds import Images
from kgan.models.codes import with_codes

SHAPE, CODES = (8, 8, 1), 2


def network(channels, made, *, closing=None, name="network"):
    return keras.Sequential(
        [
            keras.Input((*SHAPE[:2], channels)),
            keras.layers.Conv2D(4, 3, padding="same", activation="tanh"),
            keras.layers.Conv2D(made, 1, activation=closing),
        ],
        name=name,
    )


def encoder(latent_dim=CODES, shape=SHAPE):
    images = keras.Input(shape)
    features = keras.layers.Dense(4, "tanh")(keras.layers.Flatten()(images))
    outputs = [keras.layers.Dense(latent_dim)(features) for _ in range(2)]
    return keras.Model(images, outputs)


def build(rate=0.1, **options):
    keras.utils.set_random_seed(1)
    gan = kgan.models.PairedGAN(
        network(1 + CODES, 1, closing="sigmoid", name="generator"),
        network(2, 1, name="discriminator"),
        **{
            "encoder": encoder(),
            "loss": "least_squares",
            "reconstruction_weight": 10.0,
            "seed": 5,
            **options,
        },
    )
    optimizers = {name: keras.optimizers.SGD(rate) for name in ("g_optimizer", "d_optimizer")}
    gan.compile(**optimizers, run_eagerly=True)
    return gan


def batches(count, n=3):
    random = np.random.default_rng(0)
    return [tuple(random.random((n, *SHAPE), dtype=np.float32) for _ in "ab") for _ in range(count)]


def drawn(step, purpose, n=3):
    seed = kgan.random.step_seed(5, step, purpose)
    return kgan.random.stateless_normal(seed, [n, CODES])


def test_a_step_is_the_published_one():
    """By two gradients: of all but the code for both networks, of the code for the generator."""
    gan = build()
    names = ("generator", "encoder", "discriminator")
    makes, encodes, judges = (keras.models.clone_model(getattr(gan, name)) for name in names)
    for own, name in zip((makes, encodes, judges), names, strict=True):
        own.set_weights(getattr(gan, name).get_weights())
    mean = tf.reduce_mean
    for step, (a, b) in enumerate(batches(3)):
        judged = lambda images, a=a: judges(tf.concat([a, images], -1))  # noqa: E731
        code = drawn(step, "code")
        with tf.GradientTape(persistent=True) as tape:
            middle, log_variance = encodes(b)
            own = middle + tf.exp(log_variance / 2) * drawn(step, "posterior")
            near, free = (makes(with_codes(a, one)) for one in (own, code))
            divergence = -0.5 * tf.reduce_sum(
                1 + log_variance - middle**2 - tf.exp(log_variance), axis=1
            )
            shared = 0.5 * sum(mean((judged(one) - 1) ** 2) for one in (near, free))
            # Values in [-1, 1] lie twice as far apart.
            shared += 10.0 * 2.0 * mean(abs(near - b)) + 0.01 * mean(divergence)
            found = mean(abs(encodes(free)[0] - code))
        both = [*makes.trainable_variables, *encodes.trainable_variables]
        alone = makes.trainable_variables
        gradients, further = tape.gradient(shared, both), tape.gradient(found, alone)
        del tape
        for variable, gradient in zip(both, gradients, strict=True):
            variable.assign_sub(0.1 * gradient)
        for variable, gradient in zip(alone, further, strict=True):
            variable.assign_sub(0.1 * 0.5 * gradient)
        with tf.GradientTape() as tape:
            d_losses = [
                0.5 * mean((judged(b) - 1) ** 2) + 0.5 * mean(judged(one) ** 2)
                for one in (near, free)
            ]
            d_loss = tf.add_n(d_losses)
        variables = judges.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(d_loss, variables), strict=True):
            variable.assign_sub(0.1 * gradient)
        gan.reset_metrics()
        logs = gan.train_step((a, b))
        assert float(logs["code"]) == pytest.approx(float(found), rel=1e-5)
        assert float(logs["divergence"]) == pytest.approx(float(mean(divergence)), rel=1e-4)
        assert float(logs["d_loss"]) == pytest.approx(float(d_loss) / 2, rel=1e-5)
    for own, name in zip((makes, encodes, judges), names, strict=True):
        for one, other in zip(own.get_weights(), getattr(gan, name).get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=5e-6)


def test_a_seed_tells_one_output(tmp_path):
    gan = build()
    first, second = batches(2)
    gan.train_step(first)
    images = first[0]
    made = gan.vary(images, [7, 8, 9])
    assert (made.shape, made.dtype) == (images.shape, np.float32)
    codes = kgan.latents.from_seeds(np.array([8]), CODES)
    expected = gan.generator(with_codes(images[1:2], codes))
    np.testing.assert_allclose(made[1:2], expected, atol=1e-6)
    np.testing.assert_array_equal(gan.vary(images[::-1], [9, 8, 7])[::-1], made)
    # Where no seed is asked for, the likeliest code.
    middle = gan.generator(with_codes(images, tf.zeros([3, CODES])))
    np.testing.assert_allclose(gan.translate(images), middle, atol=1e-6)
    endpoints = gan.endpoints().endpoints
    assert list(endpoints) == ["translate", "translate_png", "vary"]
    asked = {"images": tf.constant(images), "seeds": tf.constant([7, 8, 9], tf.int64)}
    np.testing.assert_allclose(endpoints["vary"].function(asked)["images"], made, atol=1e-6)
    assert gan.kinds == (Images(*SHAPE),) * 2
    gan.save(tmp_path / "gan.keras")
    again = kgan.models.load(tmp_path / "gan.keras")
    again.run_eagerly = True
    for one in (gan, again):
        one.train_step(second)
    assert len(gan.variables) == len(again.variables)
    for one, other in zip(gan.variables, again.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert set(gan.test_step(second)) == {
        *("d_loss", "g_loss", "reconstruction", "code", "divergence")
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": encoder(shape=(8, 8, 3))}, "encoder must take samples of B, .8, 8, 1., got"),
        ({"encoder": network(1, 1)}, "encoder must give mean and log_variance"),
        ({"encoder": encoder(latent_dim=3)}, "channels of A and then 3 of the code"),
        ({"code_weight": -1.0}, "code_weight must be at least 0, got -1"),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_without_an_encoder_there_are_no_codes():
    gan = kgan.models.PairedGAN(network(1, 1, closing="sigmoid"), network(2, 1))
    with pytest.raises(ValueError, match="vary needs a PairedGAN with an encoder"):
        gan.vary(np.zeros((1, *SHAPE), np.float32), [0])
    with pytest.raises(ValueError, match="seeds must be one for each of the 3 samples"):
        build().vary(np.zeros((3, *SHAPE), np.float32), [0])


def spread(gan, images):
    """Mean distance between the outputs of two codes."""
    one, other = (gan.vary(images, np.arange(len(images)) + 1000 * k) for k in range(2))
    return np.abs(one - other).mean()


@pytest.mark.slow
def test_the_code_is_not_ignored():
    """Each image may become itself, darkened to a brightness that it does not tell."""
    random = np.random.default_rng(0)
    a = random.random((256, *SHAPE), dtype=np.float32)
    brightness = random.choice([0.25, 1.0], (256, 1, 1, 1)).astype(np.float32)
    gan = build(reconstruction_weight=10.0)
    gan.compile(
        g_optimizer=keras.optimizers.Adam(3e-3, beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(3e-3, beta_1=0.5),
    )
    data = tf.data.Dataset.from_tensor_slices((a, a * brightness)).shuffle(256).repeat().batch(16)
    gan.fit(data, steps_per_epoch=1500, shuffle=False, verbose=0)
    # Two of these brightnesses differ half of the time, by 0.75 of a mean of 0.5.
    apart = spread(gan, a[:100])
    assert 0.5 < apart / (0.5 * 0.75 * 0.5) < 1.5, apart
