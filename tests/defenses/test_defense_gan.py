"""A linear generator's range is a plane, and the projection onto it is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FGSM, PGD, RandomNoise, victim_of
from kgan.defenses import DefenseGAN, PurificationReport, purification_report
from kgan.models import GAN

# Affine generators have known projections; their images leave [0, 1], of which a model warns.
pytestmark = pytest.mark.filterwarnings("ignore:images of this GAN must be in")

SHAPE = (3, 4, 1)


def make_gan(weight, bias, num_classes=None):
    """Images `latents @ weight + bias`, with a bias for each class where there are classes."""
    latents = keras.Input((weight.shape[0],))
    flat = keras.layers.Dense(12, use_bias=num_classes is None)
    offset = keras.layers.Embedding(num_classes, 12) if num_classes else None
    inputs, features = latents, flat(latents)
    if offset is not None:
        labels = keras.Input((), dtype="int32")
        inputs, features = [latents, labels], features + offset(labels)
    generator = keras.Model(inputs, keras.layers.Reshape(SHAPE)(features))
    flat.set_weights([weight] if num_classes else [weight, bias])
    if offset is not None:
        offset.set_weights([bias])
    images = keras.Input(SHAPE)
    logits = keras.layers.Reshape(())(keras.layers.Dense(1)(keras.layers.Flatten()(images)))
    inputs = [images, keras.Input((), dtype="int32")] if num_classes else images
    return GAN(generator, keras.Model(inputs, logits), num_classes=num_classes)


@pytest.fixture
def draw():
    return np.random.default_rng(0)


@pytest.fixture
def gan(draw):
    return make_gan(0.2 * draw.normal(size=(3, 12)).astype("float32"), np.full(12, 0.5, "float32"))


@pytest.fixture
def classifier(draw):
    model = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(8, activation="tanh"),
         keras.layers.Dense(3)]
    )  # fmt: skip
    model.set_weights([draw.normal(size=one.shape) for one in model.get_weights()])
    return model


@pytest.fixture
def some(draw):
    return draw.random((7, *SHAPE)).astype("float32")


def least_squares(images, weight, bias):
    """The closest points of the plane, and their mean squared distance, in float64."""
    flat = images.reshape(len(images), -1).astype("float64") - bias
    made = flat @ np.linalg.pinv(weight) @ weight
    return (made + bias).reshape(images.shape), np.square(made - flat).mean(axis=1)


def weights_of(gan):
    return [value.astype("float64") for value in gan.ema_generator.get_weights()]


def test_the_projection_onto_a_plane_is_least_squares(gan, classifier, some):
    defense = DefenseGAN(gan, classifier, steps=400, restarts=2)
    purified, errors = defense.project(some)
    wanted, distance = least_squares(some, *weights_of(gan))
    np.testing.assert_allclose(purified, wanted, atol=1e-3)
    np.testing.assert_allclose(errors, distance, rtol=1e-3)
    np.testing.assert_array_equal(purified, defense.purify(some))
    np.testing.assert_array_equal(errors, defense.reconstruction_error(some))
    # What the generator made comes back as it was.
    made = np.clip(gan.generate(5, seed=3), 0, 1)
    assert ((made > 0) & (made < 1)).all(axis=(1, 2, 3)).any()
    inside = made[((made > 0) & (made < 1)).all(axis=(1, 2, 3))]
    np.testing.assert_allclose(defense.purify(inside), inside, atol=1e-3)


def test_a_conditional_generator_is_tried_with_every_class(draw, classifier, some):
    weight = 0.2 * draw.normal(size=(2, 12)).astype("float32")
    offsets = draw.random((3, 12)).astype("float32")
    gan = make_gan(weight, offsets, num_classes=3)
    purified, errors = DefenseGAN(gan, classifier, steps=400, restarts=3).project(some)
    found = [least_squares(some, weight.astype("float64"), offset) for offset in offsets]
    best = np.argmin([distance for _, distance in found], axis=0)
    assert len(set(best)) > 1
    wanted = np.stack([found[k][0][i] for i, k in enumerate(best)])
    np.testing.assert_allclose(purified, wanted, atol=1e-3)
    np.testing.assert_allclose(errors, np.min([d for _, d in found], axis=0), rtol=1e-3)
    with pytest.raises(ValueError, match=r"restarts must be at least 3, one for each class.*got 2"):
        DefenseGAN(gan, classifier, restarts=2)


def test_the_gradient_is_the_classifiers_at_the_projection(gan, classifier, some):
    defense = DefenseGAN(gan, classifier, steps=5, restarts=2)
    direction = tf.constant([[1.0, -2.0, 0.5]])

    @tf.function
    def gradient(model, images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=False)
            value = tf.reduce_sum(outputs * direction)
        return outputs, tape.gradient(value, images)

    purified = defense.purify(some)
    outputs, found = gradient(defense, tf.constant(some))
    wanted_outputs, wanted = gradient(classifier, tf.constant(purified))
    np.testing.assert_allclose(outputs, wanted_outputs, atol=1e-5)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.abs(wanted).max() > 0.1
    assert np.abs(gradient(classifier, tf.constant(some))[1] - wanted).max() > 0.01
    # And so attacks see it.
    logits = victim_of(defense, some).predict(some)
    np.testing.assert_allclose(logits, classifier.predict(purified, verbose=0), atol=1e-5)
    np.testing.assert_allclose(defense(some), logits, atol=1e-5)


@pytest.fixture
def uneven(make_gan, make_classifier):
    """A convolutional GAN, untrained but with weights large enough to matter, and a classifier."""
    gan = make_gan()
    weights = gan.ema_generator.get_weights()
    gan.ema_generator.set_weights([20 * one if one.ndim > 1 else one for one in weights])
    return gan, make_classifier()


def test_more_restarts_never_worsen_and_more_steps_help(uneven, digits):
    gan, classifier = uneven
    images = digits[0][:6]
    errors = [
        DefenseGAN(gan, classifier, steps=5, restarts=restarts).reconstruction_error(images)
        for restarts in (1, 3, 6)
    ]
    assert (errors[1] <= errors[0] + 1e-6).all()
    assert (errors[2] <= errors[1] + 1e-6).all()
    assert errors[2].mean() < errors[0].mean() - 1e-4
    longer = DefenseGAN(gan, classifier, steps=30, restarts=6).reconstruction_error(images)
    assert longer.mean() < errors[2].mean() - 1e-4


def test_an_image_depends_on_the_seed_and_on_nothing_beside_it(uneven, digits):
    gan, classifier = uneven
    images = digits[0][:7]

    def purify(seed, images, batch_size):
        defense = DefenseGAN(gan, classifier, steps=5, restarts=2, seed=seed)
        return defense.purify(images, batch_size=batch_size)

    first = purify(1, images, 8)
    np.testing.assert_array_equal(first, purify(1, images, 8))
    np.testing.assert_allclose(first, purify(1, images, 3), atol=1e-4)
    np.testing.assert_allclose(first[::-1], purify(1, images[::-1], 8), atol=1e-4)
    assert np.abs(first - purify(2, images, 8)).max() > 1e-3


def test_the_threshold_has_the_rate_of_false_alarms_that_was_asked(gan, classifier, draw):
    images = draw.random((40, *SHAPE)).astype("float32")
    defense = DefenseGAN(gan, classifier, steps=50, restarts=1)
    for rate, alarms in ((0.0, 0), (0.1, 4), (0.5, 20)):
        threshold = defense.threshold(images, false_positive_rate=rate)
        # `threshold` is itself an error of these images: only larger ones raise an alarm.
        assert abs(defense.detect(images, threshold).sum() - alarms) <= 1
        assert defense.detect(images, threshold).sum() <= alarms
    made = np.clip(gan.generate(20, seed=1), 0.0, 1.0)
    assert defense.detect(images, defense.threshold(made, false_positive_rate=0.0)).all()


@pytest.mark.slow
def test_the_report_gives_both_figures_and_they_are_those_of_the_attacks(gan, draw):
    # Classes are told by what lies in the plane and, as much, by what does not.
    weight = weights_of(gan)[0]
    direction = draw.normal(size=12)
    classifier = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    kernel = np.stack([np.zeros(12), direction], axis=1)
    classifier.set_weights([kernel, np.array([0.5 * direction.sum(), 0.0])])
    images = np.clip(gan.generate(40, seed=2), 0.05, 0.95)
    labels = (images.reshape(40, -1) @ direction > 0.5 * direction.sum()).astype("int32")
    defense = DefenseGAN(gan, classifier, steps=100, restarts=1)
    attack = PGD(0.1, steps=4)
    report = purification_report(defense, images, labels, attack=attack)
    assert isinstance(report, PurificationReport)

    def accuracy(images):
        return np.mean(classifier.predict(images, verbose=0).argmax(axis=1) == labels)

    assert report.clean == 1.0
    assert report.clean_purified == pytest.approx(accuracy(defense.purify(images)))
    bare = attack.run(classifier, images, labels)
    assert report.undefended == pytest.approx(1 - bare.success.mean())
    assert report.naive == pytest.approx(accuracy(defense.purify(bare.adversarial)))
    through = attack.run(defense, images, labels)
    right = classifier.predict(defense.purify(bare.adversarial), verbose=0).argmax(axis=1) == labels
    assert report.adaptive == pytest.approx(np.mean(right & ~through.success))
    assert report.undefended < report.naive
    assert report.adaptive <= report.naive
    assert np.linalg.norm(direction @ np.linalg.pinv(weight) @ weight) > 0
    assert 0.5 < report.naive_detection <= 1.0
    assert f"{report.naive:.1%}" in str(report)
    assert f"{report.adaptive:.1%}" in str(report)
    assert report.unrolled is None
    # Through the plane the attack reaches epsilon times the l1 norm of the direction's part in it,
    # which the identity in place of the projection only comes near.
    both = purification_report(defense, images, labels, attack=attack, unrolled=100)
    reach = 0.1 * np.abs(direction @ np.linalg.pinv(weight) @ weight).sum()
    score = defense.purify(images).reshape(40, -1) @ direction - 0.5 * direction.sum()
    robust = np.where(labels, score, -score) > reach
    assert both.bpda == pytest.approx(1 - through.success.mean())
    assert both.unrolled == pytest.approx(robust.mean(), abs=0.051)
    assert both.unrolled < both.bpda
    assert both.adaptive <= min(report.adaptive, both.unrolled)
    assert "by the unrolled descent alone" in str(both)


def gradient_of(defense, images, direction):
    """The gradient of the classifier's outputs along a direction, by the images."""

    @tf.function(autograph=False)
    def gradient(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = tf.reduce_sum(defense(images, training=False) * direction)
        return tape.gradient(value, images)

    return gradient(tf.constant(images)).numpy()


def test_the_gradient_through_the_whole_descent_is_that_of_least_squares(gan, some):
    total = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)])
    along = np.random.default_rng(3).normal(size=(12, 1)).astype("float32")
    total.set_weights([along, np.zeros(1)])
    defense = DefenseGAN(gan, total, steps=300, restarts=2, unrolled=300)
    weight = weights_of(gan)[0]
    wanted = (np.linalg.pinv(weight) @ weight @ along).reshape(1, *SHAPE)
    found = gradient_of(defense, some, 1.0)
    np.testing.assert_allclose(found, np.repeat(wanted, len(some), axis=0), atol=0.02)


def test_the_gradient_through_a_few_steps_is_that_of_small_differences(gan, classifier, some):
    some = 0.1 + 0.8 * some
    defense = DefenseGAN(gan, classifier, steps=6, restarts=2, unrolled=6)
    direction = np.array([[1.0, -2.0, 0.5]], np.float32)
    found = gradient_of(defense, some, direction)
    move = np.random.default_rng(4).normal(size=some.shape).astype("float32")
    move /= np.linalg.norm(move.reshape(len(move), -1), axis=1)[:, None, None, None]
    plus, minus = (
        (classifier(defense.purify(some + step * move)) * direction).numpy().sum(1)
        for step in (5e-3, -5e-3)
    )
    along = (found * move).reshape(len(some), -1).sum(axis=1)
    np.testing.assert_allclose(along, (plus - minus) / 0.01, rtol=0.05, atol=0.02)
    # The outputs themselves do not depend on the gradient's kind.
    np.testing.assert_allclose(
        defense.predict(some, verbose=0), defense.with_unrolled(0).predict(some, verbose=0),
        atol=1e-5,
    )  # fmt: skip


def test_a_saved_defence_purifies_as_before(make_gan, make_classifier, digits, tmp_path):
    defense = DefenseGAN(make_gan(num_classes=2), make_classifier(), steps=3, restarts=4, seed=2)
    defense.save(tmp_path / "defense.keras")
    loaded = keras.models.load_model(tmp_path / "defense.keras")
    images = digits[0][:3]
    np.testing.assert_allclose(loaded.purify(images), defense.purify(images), atol=1e-5)
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0), defense.predict(images, verbose=0), atol=1e-4
    )
    assert (loaded.steps, loaded.restarts, loaded.seed) == (3, 4, 2)


def test_mistakes(gan, classifier, make_classifier, some):
    with pytest.raises(TypeError, match=r"gan must be a kgan\.models\.GAN"):
        DefenseGAN(classifier, classifier)
    with pytest.raises(TypeError, match=r"classifier must be a keras\.Model, got str"):
        DefenseGAN(gan, "classifier.keras")
    with pytest.raises(ValueError, match=r"must take the generator's images \(3, 4, 1\), takes"):
        DefenseGAN(gan, make_classifier())
    for name in ("steps", "restarts", "learning_rate"):
        with pytest.raises(ValueError, match=name):
            DefenseGAN(gan, classifier, **{name: 0})
    defense = DefenseGAN(gan, classifier, steps=1, restarts=1)
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        defense.purify(255 * some)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 1\), got \(4, 3, 1\)"):
        defense.purify(some.reshape(7, 4, 3, 1))
    with pytest.raises(ValueError, match="false_positive_rate"):
        defense.threshold(some, false_positive_rate=1.0)
    labels = np.zeros(len(some), int)
    with pytest.raises(ValueError, match="attack must follow gradients, got RandomNoise"):
        purification_report(defense, some, labels, attack=RandomNoise(0.1))
    with pytest.raises(TypeError, match="attack must be an attack such as"):
        purification_report(defense, some, labels, attack="pgd")
    with pytest.raises(ValueError, match="images must not be empty"):
        purification_report(defense, some[:0], labels[:0], attack=FGSM(0.1))
