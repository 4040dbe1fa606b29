"""AdvGAN's training step: its losses against closed forms, its bounds, what it leaves alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import kgan.attacks
import kgan.models
import kgan.random
from kgan.losses.fooling import feature_loss, hinge_on_norm, margin_loss
from kgan.models.norm_ball import bounded
from kgan.models.perturbation_gan import WEIGHTS
from kgan.networks import dcgan_discriminator, perturbation_network
from tests.conftest import slow_but

SHAPE = (8, 8, 1)


def make(*, num_classes=None, rate=1e-3, optimizer=keras.optimizers.Adam, **options):
    keras.utils.set_random_seed(2)
    surrogate = options.pop("surrogate", None)
    gan = kgan.models.PerturbationGAN(
        perturbation_network(
            SHAPE,
            num_classes=num_classes,
            epsilon=options.get("least_epsilon") is not None,
            width=4,
            blocks=1,
        ),
        dcgan_discriminator(SHAPE, width=4),
        surrogate=surrogate,
        **options,
    )
    gan.compile(
        g_optimizer=optimizer(rate),
        d_optimizer=optimizer(rate),
        s_optimizer=None if surrogate is None else optimizer(rate),
    )
    return gan


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.3), ("l2", 2.0)])
def test_the_default_radius_follows_the_norm(norm, radius):
    gan = make(norm=norm)
    assert gan.epsilon == radius == kgan.attacks.AdvGAN(norm=norm).epsilon
    assert make(norm=norm, epsilon=0.0).epsilon == 0.0


@pytest.fixture
def classifier():
    """Random, with batch normalisation, whose statistics training mode would move."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 3, name="inner"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


def logits_of(classifier):
    return lambda images: classifier(images, training=False)


@pytest.fixture
def batches(images):
    labels = np.arange(16, dtype=np.int32) % 3
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(8).repeat()


def fit(gan, batches, steps=2, *, graph=False):
    """Trains, by default eagerly: the same step, without the cost of tracing it.

    Only the victims of attacks need a graph, so it is refused; the classifiers here do not.
    """
    gan.run_eagerly = not graph
    if not graph:
        gan._unpack = lambda data: (data[0], data[1])
    return gan.fit(batches, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0).history


# Losses


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("kappa", [0.0, 1.5])
def test_the_margin_is_carlini_and_wagners(targeted, kappa):
    logits = np.random.default_rng(0).normal(scale=2, size=(30, 4)) - 5.0
    labels = np.arange(30) % 4
    wanted = []
    for row, label in zip(logits, labels, strict=True):
        others = max(row[k] for k in range(4) if k != label)
        lead = others - row[label] if targeted else row[label] - others
        wanted.append(max(lead + kappa, 0.0))
    found = margin_loss(logits.astype("float32"), labels, targeted=targeted, kappa=kappa)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_margin_may_be_another_one(classifier, images):
    """Of each image as far as the second other class lags behind the label."""

    def lead(logits, labels, targeted):
        assert not targeted
        is_label = tf.one_hot(labels, 3, on_value=True, off_value=False)
        others = tf.where(is_label, float("inf"), logits)
        return tf.reduce_min(others, axis=1) - tf.gather(logits, labels, batch_dims=1)

    gan = make(weights={"gan": 0.0}, kappa=0.5)
    gan.set_victim(logits_of(classifier), lead=lead)
    labels = np.arange(16, dtype=np.int32) % 3
    adversarial = gan.perturb(images)
    behind = lead(classifier(adversarial, training=False), labels, False).numpy()
    batch = tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)
    said = fit(gan, batch, steps=1)
    wanted = 10 * np.maximum(0.5 - behind, 0).mean()
    assert said["g_loss"][0] == pytest.approx(wanted, rel=1e-4)
    assert said["success"][0] == pytest.approx(np.mean(behind > 0))


def test_the_hinge_and_the_features_in_closed_form():
    change = np.zeros((3, 2, 2, 1), np.float32)
    change[1, 0] = (3.0,)
    change[2, 0, :, 0] = 3.0, 4.0
    np.testing.assert_allclose(
        hinge_on_norm(tf.constant(change), 2.0), [0, 18**0.5 - 2, 3], rtol=1e-6
    )
    clean = tf.constant([[3.0, 4.0], [0.0, 2.0]])
    moved = clean + tf.constant([[0.0, 5.0], [1.0, 0.0]])
    np.testing.assert_allclose(feature_loss(moved, clean), [-1.0, -0.5], rtol=1e-6)


def test_a_step_of_the_generator_is_the_gradient_of_the_weighted_sum(classifier, images):
    weights = {"margin": 2.0, "cross_entropy": 0.5, "gan": 0.7, "hinge": 0.3, "reconstruction": 4.0}
    labels = np.arange(16, dtype=np.int32) % 3
    gan = make(weights=weights, bound=0.5, kappa=1.0, optimizer=keras.optimizers.SGD, rate=0.01)
    # The discriminator is to be the same before and after, to write the loss in one piece.
    gan.d_optimizer.learning_rate = 0.0
    gan.set_victim(logits_of(classifier))
    reference = keras.models.clone_model(gan.generator)
    reference.set_weights(gan.generator.get_weights())
    with tf.GradientTape() as tape:
        adversarial = tf.clip_by_value(images + 0.3 * reference(images), 0, 1)
        logits = classifier(adversarial, training=False)
        is_label = np.eye(3, dtype=bool)[labels]
        own = tf.boolean_mask(logits, is_label)
        other = tf.reduce_max(tf.where(is_label, -np.inf, logits), axis=1)
        change = tf.reshape(adversarial - images, [16, -1])
        loss = 2.0 * tf.reduce_mean(tf.nn.relu(own - other + 1.0))
        loss += 0.5 * tf.reduce_mean(tf.math.log(tf.boolean_mask(tf.nn.softmax(logits), is_label)))
        loss += 0.7 * tf.reduce_mean(0.5 * (gan.discriminator(adversarial) - 1.0) ** 2)
        loss += 0.3 * tf.reduce_mean(tf.nn.relu(tf.norm(change, axis=1) - 0.5))
        loss += 4.0 * tf.reduce_mean(change**2)
    slopes = tape.gradient(loss, reference.trainable_variables)
    before = reference.get_weights()
    batch = tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)
    said = fit(gan, batch, steps=1)
    assert said["g_loss"][0] == pytest.approx(float(loss), rel=1e-5)
    for old, slope, variable in zip(before, slopes, gan.generator.trainable_variables, strict=True):
        np.testing.assert_allclose(variable.numpy(), old - 0.01 * slope.numpy(), atol=2e-6)


# Bounds


@given(
    scale=st.floats(0.01, 100.0),
    epsilon=st.floats(0.0, 2.0),
    norm=st.sampled_from(["linf", "l2"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_a_change_is_within_the_ball_for_any_weights(scale, epsilon, norm, seed):
    raw = np.tanh(scale * np.random.default_rng(seed).normal(size=(4, 6, 5, 2))).astype("float32")
    radii = epsilon * np.array([1.0, 0.5, 0.25, 0.0], np.float32)
    change = bounded(tf.constant(raw), radii, norm).numpy().reshape(4, -1)
    lengths = np.abs(change).max(axis=1) if norm == "linf" else np.linalg.norm(change, axis=1)
    assert np.all(lengths <= radii * (1 + 1e-6))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_adversarial_images_are_within_ball_and_box_for_any_weights(norm, images):
    gan = make(norm=norm, epsilon=0.7)
    random = np.random.default_rng(0)
    for scale in (0.1, 10.0):
        gan.generator.set_weights(
            [scale * random.normal(size=w.shape) for w in gan.generator.get_weights()]
        )
        adversarial = gan(images).numpy()
        change = (adversarial - images).reshape(16, -1)
        lengths = np.abs(change).max(axis=1) if norm == "linf" else np.linalg.norm(change, axis=1)
        assert lengths.max() <= 0.7 + 1e-6
        assert lengths.max() > 0.1
        assert adversarial.min() >= 0.0
        assert adversarial.max() <= 1.0


# The victim


def test_the_victim_is_left_as_it_was(classifier, batches):
    before = [variable.numpy() for variable in classifier.variables]
    gan = make()
    gan.set_victim(logits_of(classifier))
    fit(gan, batches, steps=3)
    for old, variable in zip(before, classifier.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    assert not {id(v) for v in classifier.variables} & {id(v) for v in gan.variables}


def no_gradient(classifier):
    @tf.custom_gradient
    def blocked(images):
        def gradient(_):
            raise AssertionError("a gradient was taken through the victim")

        return tf.identity(images), gradient

    return lambda images: classifier(blocked(images), training=False)


def substitute(seed=4):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])


def test_a_black_box_is_only_asked(classifier, batches):
    gan = make(surrogate=substitute())
    gan.set_victim(no_gradient(classifier))
    said = fit(gan, batches, steps=3)
    assert said["s_loss"][0] > 0
    white = make()
    white.set_victim(no_gradient(classifier))
    with pytest.raises(AssertionError, match="through the victim"):
        fit(white, batches)


def test_the_surrogate_learns_the_victims_answers(images):
    victim, surrogate = substitute(), substitute(5)
    gan = make(surrogate=surrogate, rate=0.02)
    gan.set_victim(logits_of(victim))
    data = tf.data.Dataset.from_tensor_slices(images).batch(16).repeat()
    fit(gan, data, steps=150, graph=True)
    for seen in (images, gan(images).numpy()):
        asked, told = (tf.nn.softmax(model(seen)).numpy() for model in (victim, surrogate))
        np.testing.assert_allclose(told, asked, atol=0.1)


# Conditions


def test_targets_are_any_class_but_the_label_and_epsilon_any_radius():
    gan = make(targets="any", num_classes=3, least_epsilon=0.1, epsilon=0.4)
    labels = tf.constant(np.arange(3000) % 3, tf.int32)
    goals, epsilon = (value.numpy() for value in gan._draw(labels))
    further = (goals - labels.numpy()) % 3
    counts = np.bincount(further, minlength=3)
    assert counts[0] == 0
    assert abs(counts[1] - 1500) < 150
    assert epsilon.min() >= 0.1
    assert epsilon.max() <= 0.4
    assert epsilon.mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(goals, gan._draw(labels)[0])
    gan.step.assign_add(1)
    assert np.mean(goals != gan._draw(labels)[0].numpy()) > 0.3


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_term_trains_alone(name, classifier, batches):
    gan = make(weights=dict.fromkeys(WEIGHTS, 0.0) | {name: 1.0}, kappa=50.0, bound=0.0)
    inner = keras.Model(classifier.inputs[0], classifier.get_layer("inner").output)
    gan.set_victim(logits_of(classifier), inner if name == "features" else None)
    before = [weight.copy() for weight in gan.generator.get_weights()]
    fit(gan, batches, steps=1)
    moved = max(
        np.abs(a - b).max() for a, b in zip(before, gan.generator.get_weights(), strict=True)
    )
    assert moved > 1e-5


# Saving


@pytest.mark.parametrize("black_box", slow_but([False, True], True))
def test_a_saved_training_goes_on_as_if_it_had_not_stopped(classifier, images, black_box, tmp_path):
    options = {"targets": "any", "num_classes": 3, "least_epsilon": 0.1}
    labels = np.arange(16, dtype=np.int32) % 3
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
    stopped = make(**options, surrogate=substitute() if black_box else None)
    stopped.set_victim(logits_of(classifier))
    fit(stopped, data, steps=2, graph=True)
    stopped.save(tmp_path / "gan.keras")
    resumed = kgan.models.load(tmp_path / "gan.keras")
    with pytest.raises(ValueError, match="no victim to fool yet"):
        fit(resumed, data, graph=True)
    resumed.set_victim(logits_of(classifier))
    for gan in (stopped, resumed):
        fit(gan, data, steps=2, graph=True)
    assert int(resumed.step.numpy()) == 4
    for one, other in zip(stopped.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_mistakes(classifier, images, batches):
    cases = {
        "norm must be": {"norm": "l1"},
        "targets must be": {"targets": "all"},
        "least_epsilon must be in": {"least_epsilon": 0.5},
        "have an input 'targets'": {"targets": "any"},
        "not have an input 'targets'": {"num_classes": 3},
        "weights must be those of": {"weights": {"gans": 1.0}},
        "at least 0, got -1": {"weights": {"gan": -1.0}},
        "loss must be one of": {"gan_loss": "lsgan"},
    }
    for said, options in cases.items():
        with pytest.raises(ValueError, match=said):
            make(**options)
    gan = make()
    with pytest.raises(ValueError, match="features must be given just where"):
        gan.set_victim(logits_of(classifier), logits_of(classifier))
    gan.set_victim(logits_of(classifier))
    wrong = tf.data.Dataset.from_tensors((images * 255).astype("int32"))
    with pytest.raises(ValueError, match=r"images must be float32 .* got int32"):
        fit(gan, wrong, steps=1, graph=True)
    with pytest.raises(ValueError, match="compile must be given g_optimizer, d_optimizer for this"):
        gan.compile(g_optimizer=keras.optimizers.Adam(), d_optimizer=keras.optimizers.Adam(),
                    s_optimizer=keras.optimizers.Adam())  # fmt: skip
