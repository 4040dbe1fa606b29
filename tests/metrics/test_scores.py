"""Closed forms of the metrics that need few lines each."""

import keras
import numpy as np
import pytest

from kgan.metrics import (
    authenticity,
    bits_per_dimension,
    classification_accuracy,
    classification_accuracy_score,
    density_coverage,
    inception_score,
    kernel_distance,
    mind,
    mode_count,
    mode_scores,
    ndb,
    nearest_mode,
    perceptual_path_length,
    precision_recall,
    spectral_distance,
    stacked_mode_count,
)


def normal(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


# Kernel distance


def test_kernel_distance_of_the_smallest_sets_by_hand():
    real, fake = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    # k(0, 1) = 1, k(2, 3) = 343, and across 1, 1, 27, 64.
    found = kernel_distance(real, fake, subsets=3, subset_size=2)
    assert found == pytest.approx((1 + 343 - 2 * (1 + 1 + 27 + 64) / 4, 0))


def test_kernel_distance_is_unbiased():
    values = np.array(
        [
            kernel_distance(normal(40, 3, s), normal(40, 3, s + 1000), subsets=1, subset_size=40)
            for s in range(300)
        ]
    )[:, 0]
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
    # A biased estimate would be positive each time.
    assert 0.3 < (values < 0).mean() < 0.8


def test_kernel_distance_depends_on_the_seed_alone():
    real, fake = normal(60, 3), normal(60, 3, 1)
    first, again, other = (
        kernel_distance(real, fake, subsets=4, subset_size=20, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again != other


def test_a_subset_larger_than_a_set():
    with pytest.raises(ValueError, match=r"subset_size must be at most .* got 1000 for 60"):
        kernel_distance(normal(60, 3), normal(70, 3))


# Inception score


def test_inception_score_of_certain_and_even_classes_is_their_number():
    assert inception_score(np.tile(np.eye(7), (30, 1))) == pytest.approx((7, 0))


def test_inception_score_of_a_constant_is_one():
    assert inception_score(np.full((50, 4), 0.25)) == pytest.approx((1, 0))
    assert inception_score(np.tile([1.0, 0, 0], (50, 1))) == pytest.approx((1, 0))


def test_inception_score_of_two_kinds_by_hand():
    p = np.tile([[0.9, 0.1], [0.1, 0.9]], (20, 1))
    expected = np.exp(np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert inception_score(p, splits=4) == pytest.approx((expected, 0), abs=1e-12)


def test_inception_score_of_logits():
    with pytest.raises(ValueError, match=r"sum to 1 in each row, .* Are these logits\?"):
        inception_score(normal(50, 4))
    with pytest.raises(ValueError, match="probabilities must hold at least 10 samples, got 3"):
        inception_score(np.full((3, 4), 0.25))


# Neighbours


@pytest.mark.parametrize("k", [1, 3, 5])
def test_density_and_coverage_of_equal_laws(k):
    found = density_coverage(normal(2000, 4), normal(2000, 4, 1), k=k)
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2.0**-k, abs=0.02)


def test_precision_and_recall_are_not_swapped():
    real = np.concatenate([normal(200, 2), normal(200, 2, 1) + 50])
    one_mode = normal(400, 2, 2)
    found = precision_recall(real, one_mode)
    assert found.precision > 0.9
    assert 0.4 < found.recall <= 0.5
    assert precision_recall(one_mode, real) == (found.recall, found.precision)


def test_precision_recall_density_coverage_by_hand():
    real, fake = np.array([[0.0], [1.0], [3.0]]), np.array([[1.5], [9.0]])
    # Radii 1, 1, 2: the first fake is in the second ball and the third, the other in none. Fakes
    # have radius 7.5, so that each real sample is near the first.
    assert precision_recall(real, fake, k=1) == (0.5, 1.0)
    assert density_coverage(real, fake, k=1) == pytest.approx((1.0, 2 / 3))


def test_copies_are_not_authentic():
    train = normal(300, 4)
    assert authenticity(train, train[::-1]) == 0.0
    assert authenticity(train, train + 1e-9) == 0.0
    assert authenticity(train, train + 1000) == 1.0
    half = np.concatenate([train[:100], train[:100] + 1000])
    assert authenticity(train, half) == 0.5


# Sliced distance


def test_mind_of_a_mean_shift():
    real = normal(50, 8)
    assert mind(real, real + 0.5, projections=10_000) == pytest.approx(3 * 8 * 0.25, rel=0.02)
    assert mind(real, real[::-1]) == pytest.approx(0, abs=1e-12)


# Modes


def test_mode_count_by_hand():
    found = mode_count([0] * 6 + [1] * 5 + [2] + [3] * 4, 4)
    share = np.array([6, 5, 1, 4]) / 16
    assert found[:2] == (4, 2)
    assert found.kl == pytest.approx((share * np.log(4 * share)).sum())
    assert found.reverse_kl == pytest.approx(-np.log(4 * share).mean())


def test_even_modes_have_no_divergence_and_a_missing_one_shows():
    assert mode_count(np.repeat(np.arange(5), 3), 5) == pytest.approx((5, 0, 0, 0), abs=1e-15)
    found = mode_count(np.repeat(np.arange(4), 7), 5)
    assert found[:2] == (4, 4)
    assert found.kl == pytest.approx(np.log(5 / 4))
    assert found.reverse_kl == float("inf")


def test_stacked_modes_are_the_classes_of_all_channels():
    # A channel's grey level is its class; modes 000, 001, ..., 999, but 007 twice and 123 never.
    modes = np.arange(1000)
    modes[123] = 7
    levels = np.stack([modes // 100, modes // 10 % 10, modes % 10], axis=1) / 9
    images = np.broadcast_to(levels[:, None, None], (1000, 2, 2, 3))

    def classify(grey):
        return -np.abs(grey.mean(axis=(1, 2)) * 9 - np.arange(10))

    found = stacked_mode_count(images, classify=classify)
    assert (found.modes, found.modes_5) == (999, 0)
    assert found.kl == pytest.approx(2 * np.log(2) / 1000)


def test_assignments_beyond_the_modes():
    with pytest.raises(ValueError, match=r"assignments must be in \[0, 3\), got 0 to 3"):
        mode_count([0, 3], 3)
    with pytest.raises(ValueError, match=r"assignments must be whole .* got float64"):
        mode_count([0.0, 1.0], 3)


def test_modes_of_points():
    centres = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.array([[0.0, 0.29], [10, 0.31], [9, 0], [0.1, 0.1]])
    found = nearest_mode(points, centres)
    assert found.indices[:, 0].tolist() == [0, 1, 1, 0]
    assert found.distances[:, 0] == pytest.approx([0.29, 0.31, 1, np.sqrt(0.02)])
    scores = mode_scores(centres, points, deviation=0.1)
    # Only the first and the last lie within 3 deviations.
    assert (scores.modes, scores.modes_5, scores.high_quality) == (1, 0, 0.5)
    assert scores.kl == pytest.approx(np.log(3 / 2))


def test_a_perfect_generator_reaches_the_stated_ceiling():
    centres = np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(8) / 8])
    which = np.random.default_rng(0).integers(8, size=20_000)
    scores = mode_scores(centres, centres[which] + 0.01 * normal(20_000, 2), deviation=0.01)
    assert (scores.modes, scores.modes_5) == (8, 8)
    assert scores.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.004)


def test_bins_that_differ():
    real, fake = normal(2000, 2), normal(2000, 2, 1)
    same = np.mean([ndb(real, normal(2000, 2, s), bins=20) for s in range(1, 7)], axis=0)
    assert 0.01 < same[0] < 0.12
    assert same[1] < 0.01
    # Only one half of the plane: about half the bins are empty, the others too full.
    half = ndb(real, np.abs(fake[:, :1]) * [1, 0] + fake * [0, 1], bins=20)
    assert half.share > 0.8
    assert half.jensen_shannon > 0.15
    apart = ndb(real, fake + 100, bins=20)
    assert 0 < apart.jensen_shannon <= np.log(2)


def test_more_bins_than_samples():
    with pytest.raises(ValueError, match="real must hold at least 100 samples for 100 bins, got 9"):
        ndb(normal(9, 2), normal(9, 2))


# Path length


def test_path_length_of_a_linear_generator():
    # G(z) = A z on a line: |A (end - start)|^2 at any t, in the mean twice the squared norm of A.
    matrix = normal(3, 5).astype("float32")
    found = perceptual_path_length(
        lambda z: z @ matrix.T, features=lambda x: x, latent_dim=5, samples=10_000,
        epsilon=1e-2, interpolation="linear", keep=(0, 100), batch_size=1000,
    )  # fmt: skip
    assert found == pytest.approx(2 * (matrix**2).sum(), rel=0.05)


def test_path_length_of_a_constant_generator_is_zero():
    found = perceptual_path_length(
        lambda z: np.zeros((len(z), 2)), features=lambda x: x, latent_dim=5, samples=30
    )
    assert found == 0


def test_path_length_of_bad_settings():
    how = {"generate": lambda z: z, "features": lambda x: x, "latent_dim": 2, "samples": 10}
    with pytest.raises(ValueError, match=r"epsilon must be in \(0, 1\), a share .* got 2"):
        perceptual_path_length(**how, epsilon=2)
    with pytest.raises(ValueError, match=r"interpolation must be one of .* got 'cubic'"):
        perceptual_path_length(**how, interpolation="cubic")
    with pytest.raises(ValueError, match="features of generated samples must be finite"):
        perceptual_path_length(**{**how, "features": lambda x: x * np.nan})


# Spectrum


def test_brightness_is_the_same_gap_at_each_frequency():
    images = np.random.default_rng(0).random((20, 8, 8, 3))
    assert spectral_distance(images, images[::-1]) == pytest.approx(0, abs=1e-9)
    assert spectral_distance(images, images / 2) == pytest.approx(20 * np.log10(2))


def test_a_missing_band_shows():
    images = np.random.default_rng(0).random((50, 16, 16, 1))
    smooth = (images + np.roll(images, 1, axis=1)) / 2
    assert spectral_distance(images, smooth) > 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"generate": lambda z: np.asarray(z * 50).astype(np.uint8)},
            "generate must return floats",
        ),
        ({"keep": (99, 1)}, "keep must be two percentiles, the lower first"),
        ({"keep": (0.01, 0.99)}, "keep must leave some of 50 distances"),
        ({"features": lambda z: z[:3]}, r"features must be of 100 samples, got the shape \(3, 3\)"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
    ],
)
def test_path_lengths_that_mean_nothing_are_refused(options, match):
    own = {"generate": lambda z: z, "features": lambda z: z, "latent_dim": 3, "samples": 50}
    own |= options
    with pytest.raises(ValueError, match=match):
        perceptual_path_length(own.pop("generate"), **own)


def test_bits_of_nothing_are_refused():
    # Two nats a value of three are 2 / log(2) bits.
    found = bits_per_dimension(np.full(4, -6.0), np.full(2, -6.0), dimensions=3)
    assert found == pytest.approx((2 / np.log(2), 2 / np.log(2)))
    for train in ([], [np.nan, 1.0], 1.0):
        with pytest.raises(ValueError, match="train must be finite log-likelihoods"):
            bits_per_dimension(np.array(train), np.ones(2), dimensions=3)
    with pytest.raises(ValueError, match="dimensions must be a whole number"):
        bits_per_dimension(np.ones(2), np.ones(2), dimensions=0)


def test_samples_without_a_feature_are_no_equal_ones():
    with pytest.raises(ValueError, match=r"real must have at least one feature, .* \(9, 0\)"):
        kernel_distance(np.zeros((9, 0)), np.zeros((9, 0)), subset_size=9)


# Classification accuracy


def tiny_classifier():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    return model


def two_classes(seed, n=200):
    labels = np.arange(n) % 2
    centres = np.array([[8.0, 2.0], [2.0, 8.0]])
    return (0.3 * normal(n, 2, seed) + centres[labels]).astype("float32"), labels


def test_accuracy_of_separable_classes_is_one_and_of_swapped_labels_zero():
    train, test = two_classes(0), two_classes(1)
    how = {"classifier": tiny_classifier, "epochs": 3}
    assert classification_accuracy(test, train, **how) == (1, 1)
    assert classification_accuracy(test, (train[0], 1 - train[1]), **how) == (0, 0)


def test_one_class_of_fakes_scores_its_share_but_is_recognised():
    real, fake = two_classes(0), two_classes(1)
    ones = (fake[0][1::2], fake[1][1::2])
    found = classification_accuracy(real, ones, classifier=tiny_classifier, epochs=3)
    # Taught one class, it finds it everywhere.
    assert found == (0.5, 1)


def test_a_classifier_that_is_given_is_the_one_trained():
    train, test = two_classes(0), two_classes(1)
    model = tiny_classifier()
    before = model.get_weights()[0].copy()
    classification_accuracy_score(model, *train, *test, epochs=1)
    assert not np.array_equal(before, model.get_weights()[0])


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("sigmoid", "binary_crossentropy"),
        (None, keras.losses.BinaryCrossentropy(from_logits=True)),
        (None, "hinge"),
        ("sigmoid", keras.losses.MeanSquaredError()),
    ],
)
def test_a_classifier_of_one_output_tells_both_classes(activation, loss):
    def classifier():
        dense = keras.layers.Dense(1, activation, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((2,)), dense])
        model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
        return model

    train, test = two_classes(0), two_classes(1)
    assert classification_accuracy_score(classifier, *train, *test, epochs=20) == 1


@pytest.mark.parametrize("outputs", [1, 2])
def test_labels_that_a_classifier_has_not_are_refused(outputs):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(outputs)])
    model.compile("sgd", "mse")
    train, test = two_classes(0, 10), two_classes(1, 10)
    with pytest.raises(ValueError, match=r"train_labels must be in \[0, 1\], got 2"):
        classification_accuracy_score(model, train[0], 2 * train[1], *test)
    with pytest.raises(ValueError, match=r"test_labels must be in \[0, 1\], got 3"):
        classification_accuracy_score(model, *train, test[0], 3 * test[1])


def test_scores_of_other_classes_of_stacked_images_are_refused():
    images = np.zeros((4, 8, 8, 3), np.float32)
    with pytest.raises(ValueError, match=r"scores of shape \(4, 10\), got \(4, 1\)"):
        stacked_mode_count(images, classify=lambda grey: grey[:, 0, 0])


def test_bad_classifiers_and_labels():
    train, test = two_classes(0, 10), two_classes(1, 10)
    with pytest.raises(TypeError, match="must be a function that makes a compiled model, got Seq"):
        classification_accuracy(train, test, classifier=tiny_classifier())
    with pytest.raises(ValueError, match="classifier must be compiled, got one without a loss"):
        classification_accuracy_score(
            lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]), *train, *test
        )
    with pytest.raises(
        ValueError, match=r"train_labels must be whole .* got float64 of shape \(10"
    ):
        classification_accuracy_score(tiny_classifier, train[0], train[1] / 1, *test)
    with pytest.raises(ValueError, match=r"samples of one shape, got \(2,\) and \(1,\)"):
        classification_accuracy_score(tiny_classifier, *train, test[0][:, :1], test[1])
