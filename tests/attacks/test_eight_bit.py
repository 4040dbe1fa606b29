"""Adversarial images of 8 bits a value."""

import numpy as np
import pytest
import tensorflow as tf

from kgan import attacks
from kgan.attacks import eight_bit
from kgan.pixels import to_float, to_uint8
from kgan.robustness.testing import lengths, linear_case

LEVEL = 1 / 255


def grid_case(n=24, **options):
    """A linear case whose images have 8 bits, its weights' difference, and how far it leads."""
    case = linear_case(n, **options)
    images = to_float(to_uint8(case.images))
    weights, _ = (value.astype(np.float64) for value in case.model.layers[-1].get_weights())
    logits = case.model(images, training=False).numpy()
    labels = logits.argmax(axis=1)
    apart = (weights[:, 1] - weights[:, 0]) * np.where(labels == 0, 1, -1)[:, None]
    gap = np.abs(logits[:, 0] - logits[:, 1]).astype(np.float64)
    return case.model, images, labels, apart, gap


@pytest.fixture(scope="module")
def case():
    return grid_case()


def judged_as_files(result, model, images, labels):
    """Checks that the images are what files hold, and that these fool; returns the changes."""
    files = to_float(to_uint8(result.adversarial))
    np.testing.assert_array_equal(files, result.adversarial)
    predicted = model(files, training=False).numpy().argmax(axis=1)
    np.testing.assert_array_equal(predicted != labels, result.success)
    np.testing.assert_array_equal(files[~result.success], images[~result.success])
    return result.adversarial - images


BUDGET = [
    (attacks.FGSM, {}),
    (attacks.PGD, {"steps": 20}),
    (attacks.APGD, {"steps": 20}),
    (attacks.FAB, {"steps": 20}),
    (attacks.Square, {"steps": 200}),
    (attacks.RandomNoise, {"tries": 3}),
]


@pytest.mark.parametrize(
    ("number", "norm"),
    [
        pair if pair in ((1, "linf"), (1, "l2"), (3, "linf")) else pytest.param(*pair, marks=slow)
        for slow in [pytest.mark.slow]
        for pair in [(k, norm) for k in range(len(BUDGET)) for norm in ("linf", "l2", "l1")]
    ],
)
def test_results_lie_on_the_grid_in_the_ball_and_fool(number, norm, case):
    model, images, labels, apart, gap = case
    make, settings = BUDGET[number]
    dual = {"linf": 1, "l2": 2, "l1": np.inf}[norm]
    reach = gap / np.linalg.norm(apart, dual, axis=1)
    epsilon = float(np.median(reach))
    result = make(epsilon, norm=norm, quantize=True, **settings).run(model, images, labels)
    change = judged_as_files(result, model, images, labels)
    assert np.all(lengths(change, norm) <= epsilon + 1e-6)
    assert not np.any(result.success & (reach > epsilon * (1 + 1e-4)))
    if norm == "linf" and make in (attacks.FGSM, attacks.PGD, attacks.APGD):
        # In linf whole levels decide: the radius is worth as many as fit into it.
        levels = np.floor(epsilon / LEVEL) * LEVEL
        np.testing.assert_array_equal(result.success, reach < levels)


@pytest.mark.parametrize(
    ("attack", "factor"),
    [
        (attacks.DeepFool(quantize=True), 1.05),
        pytest.param(attacks.DeepFool(norm="linf", quantize=True), 1.05, marks=pytest.mark.slow),
        (
            attacks.CarliniWagner(
                steps=200, learning_rate=0.005, initial_constant=0.01, quantize=True
            ),
            1.05,
        ),
        pytest.param(attacks.FAB(norm="l1", quantize=True), 1.1, marks=pytest.mark.slow),
    ],
    ids=lambda value: type(value).__name__,
)
def test_smallest_changes_fool_rounded_and_are_hardly_larger(attack, factor, case):
    model, images, labels, apart, gap = case
    result = attack.run(model, images, labels)
    change = judged_as_files(result, model, images, labels)
    assert result.success.all()
    dual = {"linf": 1, "l2": 2, "l1": np.inf}[attack.norm]
    reach = gap / np.linalg.norm(apart, dual, axis=1)
    # A whole level of every value is the least that linf knows.
    slack = LEVEL if attack.norm == "linf" else 0.02
    assert np.all(lengths(change, attack.norm) <= reach * factor + slack)


def test_rounding_in_the_ball():
    original = to_float(np.full((1, 2, 2, 1), 100, np.uint8))
    moved = tf.constant(original + np.float32([[[[0.9], [-1.6]], [[2.4], [3.2]]]]) * LEVEL)
    original = tf.constant(original)
    got = eight_bit.rounded(moved, original).numpy() * 255
    np.testing.assert_allclose(got.ravel(), [101, 98, 102, 103], atol=1e-4)
    radius = tf.constant([1.9 * LEVEL], tf.float32)
    got = eight_bit.rounded(moved, original, radius, "linf").numpy() * 255
    np.testing.assert_allclose(got.ravel(), [101, 99, 101, 101], atol=1e-4)
    # The nearest levels are 1 + 2 + 2 + 3 away, more than 7.9: towards the clean image they are 6.
    radius = tf.constant([7.9 * LEVEL], tf.float32)
    got = eight_bit.rounded(moved, original, radius, "l1").numpy() * 255
    np.testing.assert_allclose(got.ravel(), [100, 99, 102, 103], atol=1e-4)


def test_few_values_are_rounded_away_and_the_change_is_lengthened_where_all_do_not_suffice():
    original = to_float(np.full((3, 4, 1, 1), 100, np.uint8))
    moved = original + np.float32(0.5 * LEVEL)
    needed = np.array([2.0, 4.0, 6.0])  # How many levels, in sum, it takes to fool each.

    def fooled(images):
        return tf.reduce_sum(images - original, axis=(1, 2, 3)) * 255 > needed - 0.5

    wanted = tf.constant([True, True, True])
    images, found = eight_bit.fooling(tf.constant(moved), tf.constant(original), wanted, fooled)
    sums = np.round((images.numpy() - original).sum(axis=(1, 2, 3)) * 255)
    assert found.numpy().all()
    assert sums[0] == 2
    assert sums[1] == 4
    assert 6 <= sums[2] <= 8
    images, found = eight_bit.fooling(
        tf.constant(moved), tf.constant(original), wanted, fooled,
        epsilon=tf.fill([3], np.float32(3 * LEVEL)), norm="l1",
    )  # fmt: skip
    np.testing.assert_array_equal(found, [True, False, False])
    np.testing.assert_array_equal(images[1:], original[1:])


def test_autoattack_guided_and_advgan_take_it(case):
    model, images, labels, _, _ = case
    guided = attacks.Guided(0.05, surrogates=model, quantize=True, white_box=False)
    judged_as_files(guided.run(model, images, labels), model, images, labels)
    members = attacks.AutoAttack(0.05, quantize=True).members(4)
    assert all(member.quantize for member in members.values())
    assert attacks.AdvGAN(quantize=True).get_config()["quantize"]


def test_masks_and_radii_hold_for_rounded_images(case):
    model, images, labels, _, _ = case
    mask = np.random.default_rng(0).uniform(size=images.shape) < 0.7
    radii = np.linspace(0.02, 0.2, len(images))
    for norm in ("linf", "l2"):
        attack = attacks.PGD(radii, norm=norm, steps=10, quantize=True)
        result = attack.run(model, images, labels, mask=mask)
        change = judged_as_files(result, model, images, labels)
        assert np.all(change[~mask] == 0)
        assert np.all(lengths(change, norm) <= radii + 1e-6)
        assert result.success.any()


def test_clean_images_off_the_grid_are_refused(case):
    model, images, labels, _, _ = case
    attack = attacks.PGD(0.1, steps=2, quantize=True)
    with pytest.raises(ValueError, match=r"need clean images of 8 bits, got a value of .*np.round"):
        attack.run(model, np.clip(images + 0.3 * LEVEL, 0, 1).astype("float32"), labels)
    # A product with 1/255 rounds otherwise than a division, and is as good.
    product = (to_uint8(images) * np.float32(LEVEL)).astype("float32")
    attack.run(model, product, labels)


def test_last_iterates_are_rounded_too(case):
    model, images, labels, _, _ = case
    ends = attacks.PGD(0.05, steps=3, quantize=True).last_iterates(model, images, labels)
    np.testing.assert_array_equal(to_float(to_uint8(ends)), ends)
    assert np.any(ends != images)
    assert np.abs(ends - images).max() <= 0.05 + 1e-6
