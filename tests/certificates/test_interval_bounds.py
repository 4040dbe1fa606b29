"""Interval bounds: exact for one layer, sound for many, never contradicted by an attack."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import PGD, TopK, Victim
from kgan.certificates import certified, margins
from kgan.defenses import IntervalTraining

L = keras.layers


def dense(*layers, shape=(6,)):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape), *layers])


def labelled(model, n=20, seed=0):
    images = np.random.default_rng(seed).uniform(size=(n, *model.input_shape[1:]))
    images = images.astype("float32")
    return images, model.predict(images, verbose=0).argmax(axis=1).astype("int32")


def test_one_dense_layer_is_bounded_exactly():
    # The least of a linear function over a box is at the corner against its signs.
    model = dense(L.Dense(4, bias_initializer="normal"))
    images, labels = labelled(model)
    kernel, bias = (np.asarray(one, np.float64) for one in model.get_weights())
    found = margins(model, tf.constant(images), tf.constant(labels), 0.05).numpy()
    low, high = np.clip(images - 0.05, 0, 1), np.clip(images + 0.05, 0, 1)
    for row, label in enumerate(labels):
        for other in range(4):
            weight = kernel[:, label] - kernel[:, other]
            worst = np.where(weight > 0, low[row], high[row])
            expected = worst @ weight + bias[label] - bias[other]
            assert found[row, other] == pytest.approx(expected, abs=1e-5)


def test_two_layers_agree_with_the_paper_worked_out_in_float64():
    model = dense(L.Dense(5, activation="relu", bias_initializer="normal"), L.Dense(3))
    images, labels = labelled(model)
    first, shift, second, last = (np.asarray(one, np.float64) for one in model.get_weights())
    low, high = np.clip(images - 0.1, 0, 1), np.clip(images + 0.1, 0, 1)
    center, radius = (low + high) / 2, (high - low) / 2
    middle, reach = center @ first + shift, radius @ np.abs(first)
    low, high = np.maximum(middle - reach, 0), np.maximum(middle + reach, 0)
    found = margins(model, tf.constant(images), tf.constant(labels), 0.1).numpy()
    for row, label in enumerate(labels):
        weight = second[:, [label]] - second
        expected = ((low + high)[row] / 2) @ weight - ((high - low)[row] / 2) @ np.abs(weight)
        np.testing.assert_allclose(found[row], expected + last[label] - last, atol=1e-5)


MODELS = {
    "convolutions": lambda: dense(
        L.Rescaling(2.0, -1.0), L.Conv2D(4, 3, padding="same", activation="relu"),
        L.MaxPooling2D(2), L.Conv2D(4, 3, strides=2, activation="tanh"), L.Dropout(0.5),
        L.Flatten(), L.Dense(3), L.Softmax(), shape=(8, 8, 1),
    ),
    "batch normalisation and pooling": lambda: dense(
        L.Conv2D(4, 3), L.BatchNormalization(beta_initializer="normal", gamma_initializer="normal"),
        L.LeakyReLU(), L.AveragePooling2D(2), L.GlobalAveragePooling2D(), L.Dense(3, "softmax"),
        shape=(8, 8, 1),
    ),
    "no dense end": lambda: dense(L.Conv2D(3, 8), L.Reshape((3,)), shape=(8, 8, 1)),
    "residual": lambda: residual(),
}  # fmt: skip


def residual():
    keras.utils.set_random_seed(2)
    images = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(images)
    x = L.Add()([x, L.Conv2D(4, 1)(x)])
    return keras.Model(images, L.Dense(3)(L.Flatten()(L.Activation("relu")(x))))


@pytest.mark.parametrize("name", MODELS)
def test_no_point_of_the_ball_is_below_the_bounds(name):
    model = MODELS[name]()
    images, labels = labelled(model, 6)
    generator = np.random.default_rng(1)
    for epsilon in (0.0, 0.02, 0.2):
        bound = margins(model, tf.constant(images), tf.constant(labels), epsilon).numpy()
        noise = generator.uniform(-epsilon, epsilon, (40, *images.shape))
        noise[::2] = np.sign(noise[::2]) * epsilon
        points = np.clip(images + noise, 0, 1).astype("float32")
        z = model.predict(points.reshape(-1, 8, 8, 1), verbose=0, batch_size=240)
        if model.layers[-1].name.startswith("softmax") or name.startswith("batch"):
            z = np.log(z)
        z = z.reshape(40, 6, 3)
        least = (z[:, np.arange(6), labels][:, :, None] - z).min(axis=0)
        assert (bound <= least + 1e-4).all()
        if epsilon == 0.0:
            np.testing.assert_allclose(bound, least, atol=1e-4)


def test_certified_images_survive_every_corner_and_an_attack():
    model = dense(L.Dense(8, activation="relu"), L.Dense(3), shape=(4,))
    images, labels = labelled(model, 200)
    safe = certified(model, images, labels, epsilon=0.1, batch_size=64)
    assert 0.1 < safe.mean() < 1.0
    for signs in itertools.product((-0.1, 0.1), repeat=4):
        corner = np.clip(images + np.float32(signs), 0, 1)
        assert (model.predict(corner, verbose=0).argmax(1) == labels)[safe].all()
    assert not (PGD(0.1, steps=20).run(model, images, labels).success & safe).any()
    wrong = (labels + 1) % 3
    assert not certified(model, images, wrong, epsilon=0.0).any()


def test_what_cannot_be_bounded_is_named():
    model = dense(L.Dense(4, activation="gelu"), L.Dense(2))
    images, labels = labelled(model, 2)
    with pytest.raises(ValueError, match=r"increasing activation.*has gelu"):
        certified(model, images, labels, epsilon=0.1)
    model = dense(L.LayerNormalization(), L.Dense(2))
    with pytest.raises(ValueError, match=r"unknown for the layer .*LayerNormalization"):
        certified(model, *labelled(model, 2), epsilon=0.1)


def relu(x):
    """Has the name of an increasing function, and falls."""
    return -x


def test_what_would_make_a_certificate_wrong_is_refused():
    named = dense(L.Dense(4, activation=relu), L.Dense(2))
    half = dense(L.Dense(4, dtype="mixed_float16"), L.Dense(2, dtype="float32"))
    whole = dense(L.Dense(4), L.Dense(2))
    whole.layers[0].quantize("int8")
    for model, message in (
        (named, "increasing activation"),
        (half, "compute in float32; .* is float16"),
        (whole, "compute in float32; .* is int8"),
    ):
        images = np.full((2, 6), 0.5, "float32")
        with pytest.raises(ValueError, match=message):
            certified(model, images, np.zeros(2, int), epsilon=0.1)


def test_a_nested_model_has_the_bounds_of_its_layers_in_a_row():
    inner = dense(L.Dense(4, activation="relu"), L.Dense(3, activation="relu"))
    outer = dense(L.Flatten(), inner, L.Dense(2))
    flat = dense(L.Dense(4, activation="relu"), L.Dense(3, activation="relu"), L.Dense(2))
    flat.set_weights(outer.get_weights())
    images, labels = labelled(outer, 5)
    one, other = (margins(m, tf.constant(images), tf.constant(labels), 0.1) for m in (outer, flat))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_training_makes_bounds_tight(tmp_path):
    # Two classes, far apart by one coordinate of four.
    generator = np.random.default_rng(0)
    images = generator.uniform(size=(256, 4)).astype("float32")
    labels = (images[:, 0] > 0.5).astype("int32")
    images[:, 0] = np.where(labels, 0.9, 0.1)
    model = dense(L.Dense(16, activation="relu"), L.Dense(2), shape=(4,))
    training = IntervalTraining(model, epsilon=0.3, warmup=20, ramp=60)
    training.compile(keras.optimizers.Adam(0.01), metrics=["accuracy"])
    history = training.fit(images, labels, batch_size=64, epochs=60, verbose=0).history
    assert history["accuracy"][-1] == 1.0
    assert certified(model, images, labels, epsilon=0.3).mean() > 0.99
    training.save(tmp_path / "training.keras")
    loaded = keras.saving.load_model(tmp_path / "training.keras")
    assert int(loaded.step) == 240
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_training_takes_one_hot_labels_and_refuses_what_is_no_class():
    images = np.random.default_rng(0).uniform(size=(8, 4)).astype("float32")
    labels = np.arange(8, dtype="int32") % 3
    ends = []
    for given in (labels, np.eye(3, dtype="float32")[labels]):
        model = dense(L.Dense(3), shape=(4,))
        model.set_weights([np.linspace(-1, 1, 12).reshape(4, 3), np.zeros(3)])
        training = IntervalTraining(model, epsilon=0.1, warmup=0, ramp=1)
        training.compile("sgd")
        training.fit(images, given, batch_size=8, epochs=2, verbose=0)
        ends.append(model.get_weights()[0])
    np.testing.assert_array_equal(*ends)
    with pytest.raises(ValueError, match=r"labels must be in \[0, 2\]"):
        training.fit(images, labels + 1, batch_size=8, verbose=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kappa": 1.5}, "kappa must be in"),
        ({"epsilon": 8}, "Did you mean 8/255"),
        ({"ramp": 0}, "ramp 1"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        IntervalTraining(dense(L.Dense(2)), **options)


def test_a_loaded_sequential_model_is_followed_through_the_graph_it_is_in_now(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(3)]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(size=(20, 4)).astype(np.float32)
    # Another graph of the same layers.
    keras.Model(loaded.inputs, loaded.layers[0].output)
    loaded.layers[0](keras.Input((4,)))
    found = [
        margins(one, tf.constant(images), tf.zeros(20, tf.int32), 0.05) for one in (model, loaded)
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "change",
    [
        lambda images: (images * 255).astype("uint8"),
        lambda images: images * 255,
        lambda images: images * 2 - 1,
        lambda images: np.where(images > 0.5, np.nan, images),
    ],
)
def test_images_of_another_range_are_not_certified(change):
    # Their box, cut to [0, 1], would hold nothing, and so nothing that fools.
    model = dense(L.Dense(4))
    images, labels = labelled(model)
    with pytest.raises(ValueError, match="images must"):
        certified(model, change(images), labels, epsilon=0.01)


def test_what_is_declared_of_a_model_counts():
    """A model that undoes what its victim declares is the model without both."""
    body = L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(4)
    plain = dense(*body, shape=(5, 6, 2))
    images, labels = labelled(plain)
    mean, std = np.array([10.0, 30.0]), np.array([20.0, 50.0])
    undo = L.Permute((2, 3, 1)), L.Normalization(mean=-mean / std, variance=1 / std**2)
    other = dense(*undo, L.Rescaling(1 / 255), *body, shape=(2, 5, 6))
    victim = Victim(
        other, bounds=(0, 255), mean=mean, std=std, data_format="channels_first"
    )  # fmt: skip
    given = tf.constant(images), tf.constant(labels), 0.02
    found, expected = margins(victim, *given), margins(plain, *given)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    safe = certified(victim, images, labels, epsilon=0.02)
    assert safe.any()
    np.testing.assert_array_equal(safe, certified(plain, images, labels, epsilon=0.02))


def test_a_single_output_is_not_certified():
    # It has no other class, so that every margin would hold at any radius.
    model = dense(L.Dense(1))
    images = np.zeros((3, 6), np.float32)
    with pytest.raises(ValueError, match=r"an output for each class.*got 1"):
        certified(model, images, [0, 0, 0], epsilon=1.0)
    training = IntervalTraining(model)
    training.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match=r"an output for each class.*got 1"):
        training.fit(images, np.array([0, 1, 0]), verbose=0)


def test_what_has_no_layers_to_follow_is_named():
    class Own(keras.Model):
        def call(self, images):
            return images

    with pytest.raises(ValueError, match="must be a built Sequential or functional model"):
        certified(Own(), np.zeros((2, 6), np.float32), [0, 1], epsilon=0.1)
    held = Victim(lambda images: images)
    with pytest.raises(ValueError, match=r"not for a model that only answers"):
        certified(held, np.zeros((2, 6), np.float32), [0, 1], epsilon=0.1)
    several = Victim(dense(L.Dense(3)), criterion=TopK(2))
    with pytest.raises(ValueError, match=r"not for TopK"):
        certified(several, np.zeros((2, 6), np.float32), [0, 1], epsilon=0.1)
    with pytest.raises(ValueError, match="batch_size must be"):
        certified(dense(L.Dense(2)), np.zeros((2, 6)), [0, 1], epsilon=0.1, batch_size=0)
