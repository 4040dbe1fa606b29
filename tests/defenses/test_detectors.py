"""Detectors against closed forms, and always against an attacker who knows of them."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, stats

import kgan.defenses
from kgan.attacks import PGD, DeepFool
from kgan.defenses import (
    DETECTORS,
    Detector,
    EvadingPGD,
    FeatureSqueezing,
    MahalanobisDetector,
    detection_report,
)
from kgan.defenses.feature_squeezing import median, reduce_bits
from kgan.defenses.roc import area_under_roc, roc

FEATURES = 8


def linear_features(weights: np.ndarray) -> keras.Model:
    """A classifier whose features are its inputs."""
    inputs = keras.Input((FEATURES,))
    features = keras.layers.Identity(name="features")(inputs)
    logits = keras.layers.Dense(weights.shape[1], use_bias=True)(features)
    model = keras.Model(inputs, logits)
    model.layers[-1].set_weights([weights, -weights.sum(axis=0) / 2])
    return model


@pytest.fixture(scope="module")
def gaussians():
    """A classifier of two far Gaussians with one covariance, and a function that draws them."""
    rng = np.random.default_rng(0)
    root = 0.02 * (np.eye(FEATURES) + 0.5 * rng.normal(size=(FEATURES, FEATURES)) / 3)
    means = np.stack([np.full(FEATURES, 0.35), np.full(FEATURES, 0.65)])
    weights = np.stack([np.full(FEATURES, -10.0), np.full(FEATURES, 10.0)], axis=1)

    def draw(n: int, seed: int):
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        images = means[labels] + rng.normal(size=(n, FEATURES)) @ root.T
        return images.astype(np.float32), labels

    return linear_features(weights), draw, root


def test_the_score_of_gaussian_features_is_chi_squared(gaussians):
    model, draw, root = gaussians
    detector = MahalanobisDetector(model, ridge=0.0).fit(*draw(40_000, 1))
    clean, _ = draw(4_000, 2)
    scores = detector.scores(clean)
    law = stats.chi2(FEATURES)
    assert stats.kstest(scores, law.cdf).pvalue > 0.01
    assert detector.threshold(clean, false_alarms=0.05) == pytest.approx(law.ppf(0.95), rel=0.04)
    wanted = np.linalg.inv(root @ root.T)
    np.testing.assert_allclose(detector.precision, wanted, atol=0.05 * np.abs(wanted).max())


def test_the_area_is_that_of_a_moved_gaussian(gaussians):
    model, draw, root = gaussians
    detector = MahalanobisDetector(model, ridge=0.0).fit(*draw(40_000, 1))
    move = root @ np.eye(FEATURES)[0] * 3.0  # Three deviations.
    clean, moved = draw(4_000, 2)[0], draw(4_000, 3)[0] + move.astype(np.float32)
    found = area_under_roc(detector.scores(clean), detector.scores(moved))
    # P(X' > X) of a chi-squared X and a noncentral X' with the noncentrality 3^2.
    grid = np.linspace(0, 80, 20_001)
    density = stats.chi2(FEATURES).pdf(grid)
    wanted = np.trapezoid(density * stats.ncx2(FEATURES, 9.0).sf(grid), grid)
    assert found == pytest.approx(wanted, abs=0.015)
    curve = roc(detector.scores(clean), detector.scores(moved))
    assert np.trapezoid(curve.detected, curve.false_alarms) == pytest.approx(found)


def test_squeezers_are_rounding_and_scipys_median():
    images = np.random.default_rng(0).uniform(size=(2, 7, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(reduce_bits(tf.constant(images), 1), images > 0.5)
    np.testing.assert_allclose(
        reduce_bits(tf.constant(images), 3), np.round(images * 7) / 7, atol=1e-7
    )
    for size in (2, 3):
        origin = (0, -1 if size == 2 else 0, -1 if size == 2 else 0, 0)
        wanted = ndimage.median_filter(
            images, size=(1, size, size, 1), mode="reflect", origin=origin
        )
        np.testing.assert_array_equal(median(tf.constant(images), size), wanted)
    with tf.GradientTape() as tape:
        given = tf.constant(images)
        tape.watch(given)
        total = tf.reduce_sum(reduce_bits(given, 1) * 2.0)
    np.testing.assert_array_equal(tape.gradient(total, given), np.full_like(images, 2.0))


@pytest.fixture(scope="module")
def model(digits) -> keras.Model:
    """A small classifier of digits."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(*digits, epochs=6, batch_size=64, verbose=0)
    return model


def test_the_score_of_squeezing_is_the_largest_distance_of_the_answers(model, digits):
    images = digits[0][:6]
    scores = FeatureSqueezing(model, bits=(1, 2), medians=(3,)).scores(images, batch_size=4)

    def answer(images):
        return np.asarray(tf.nn.softmax(model(images)))

    middle = ndimage.median_filter(images, size=(1, 3, 3, 1), mode="reflect")
    squeezed = [np.round(images), np.round(images * 3) / 3, middle]
    distances = [np.abs(answer(images) - answer(one)).sum(axis=1) for one in squeezed]
    np.testing.assert_allclose(scores, np.max(distances, axis=0), atol=1e-5)


@pytest.fixture(scope="module")
def fitted(model, digits):
    return {
        "feature-squeezing": FeatureSqueezing(model, bits=(1, 2)),
        "mahalanobis": MahalanobisDetector(model).fit(*digits),
    }


@pytest.mark.parametrize("name", DETECTORS)
def test_a_report_has_both_attacks_and_the_one_that_knows_does_no_worse(fitted, held, name):
    images, labels = held
    detector = fitted[name]
    assert type(detector) is DETECTORS[name]
    report = detection_report(
        detector, images[:60], labels[:60], attack=PGD(0.2, steps=10),
        calibration=images[60:], false_alarms=0.1, steps=30, batch_size=64,
    )  # fmt: skip
    assert report.false_alarms == pytest.approx(0.1, abs=0.1)
    assert report.adaptive.evading >= report.naive.evading
    assert report.adaptive.evading > 0.3
    assert report.adaptive.area <= report.naive.area
    said = str(report)
    assert "naive attack" in said
    assert "adaptive attack" in said
    # No argument leaves the second attack out.
    switches = set(inspect.signature(detection_report).parameters)
    assert switches == {"detector", "images", "labels", "attack", "calibration", "false_alarms",
                        "steps", "batch_size"}  # fmt: skip


def test_what_evades_is_misclassified_below_the_threshold_and_in_the_ball(fitted, held):
    images, labels = (part[:40] for part in held)
    detector = fitted["mahalanobis"]
    threshold = detector.threshold(held[0][60:], false_alarms=0.1)
    result = EvadingPGD(detector, threshold, 0.2, steps=20).run(detector.victim, images, labels)
    won = result.success
    assert won.any()
    assert np.abs(result.adversarial - images).max() <= 0.2 + 1e-6
    said = detector.victim.predict(result.adversarial).argmax(axis=1)
    assert (said[won] != labels[won]).all()
    # A tie at the threshold may go either way by rounding.
    assert (detector.scores(result.adversarial)[won] <= threshold * (1 + 1e-5)).all()


def test_a_detector_that_forbids_everything_is_not_evaded(fitted, held):
    images, labels = (part[:10] for part in held)
    detector = fitted["mahalanobis"]
    result = EvadingPGD(detector, 0.0, 0.2, steps=3).run(detector.victim, images, labels)
    assert not result.success.any()


def test_what_cannot_be_judged_is_refused(model, digits, fitted):
    images, labels = digits[0][:10], digits[1][:10]
    detector = fitted["mahalanobis"]
    common = {"calibration": images}
    with pytest.raises(ValueError, match="must have a radius"):
        detection_report(detector, images, labels, attack=DeepFool(), **common)
    with pytest.raises(ValueError, match="not fitted yet"):
        detection_report(MahalanobisDetector(model), images, labels, attack=PGD(0.1), **common)
    with pytest.raises(ValueError, match="must be run on detector"):
        EvadingPGD(detector, 1.0, 0.1).run(model, images, labels)
    with pytest.raises(ValueError, match="every class, got none of"):
        MahalanobisDetector(model).fit(images, np.zeros(10, int))
    with pytest.raises(ValueError, match="layer must be one of"):
        MahalanobisDetector(model, layer="none")
    with pytest.raises(ValueError, match="must name a squeezer"):
        FeatureSqueezing(model, bits=(), medians=())
    with pytest.raises(ValueError, match="must be a share"):
        detector.threshold(images, false_alarms=1.5)


def test_every_detector_has_its_row():
    members = [one for one in vars(kgan.defenses).values() if isinstance(one, type)]
    known = {one for one in members if issubclass(one, Detector) and one is not Detector}
    assert set(DETECTORS.values()) == known


def test_an_attack_on_the_views_sees_past_a_flat_score(digits):
    """Answers of 1 and 0 have no gradient left, and with it neither has the score."""
    keras.utils.set_random_seed(0)
    steep = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    steep.compile(keras.optimizers.Adam(0.01), loss)
    steep.fit(*digits, epochs=6, batch_size=64, verbose=0)
    steep.set_weights([40.0 * weight for weight in steep.get_weights()])
    detector = FeatureSqueezing(steep, bits=(2,), medians=(2,))
    images, labels = (part[:40] for part in digits)
    settings = {"epsilon": 0.2, "steps": 30}
    found = {
        attempts: EvadingPGD(detector, 0.1, view_attempts=attempts, **settings).run(
            detector.victim, images, labels
        )
        for attempts in (0, 2)
    }
    scores, views = (found[attempts].success for attempts in (0, 2))
    assert views.sum() > scores.sum() + 5
    won = found[2].adversarial[views]
    assert (detector.scores(won) <= 0.1 + 1e-5).all()
    assert (steep(won).numpy().argmax(axis=1) != labels[views]).all()
    assert np.abs(found[2].adversarial - images).max() <= 0.2 + 1e-6
