"""Several inputs and outputs: one is attacked, the others are held for each image of the data."""

import keras
import numpy as np
import pytest

from kgan.attacks import FMN, PGD, AutoAttack, Guided, HopSkipJump, OnePixel, Square, Victim
from kgan.robustness import evaluate
from kgan.robustness.testing import LinearCase, check_budget_attack, check_minimal_attack

SHAPE = (5, 5, 1)
N = 24


@pytest.fixture(scope="module")
def case():
    """Two classes apart by u x + h, with a shift h of each image's own beside it.

    Beside another image's shift most of the distances would be far off.
    """
    random = np.random.default_rng(0)
    direction = random.normal(size=(25, 1)).astype("float32")
    image = keras.Input(SHAPE, name="image")
    shift = keras.Input((1,), name="shift")
    score = keras.layers.Dense(1, name="score")(keras.layers.Flatten()(image))
    scores = keras.layers.Add()([score, shift])
    zero = keras.layers.Rescaling(0.0)(scores)
    both = keras.layers.Concatenate(name="both")([zero, scores])
    model = keras.Model([shift, image], {"scores": both, "other": score})
    model.get_layer("score").set_weights([direction, np.array([-0.5 * direction.sum()])])
    images = random.uniform(0.4, 0.6, (N, *SHAPE)).astype("float32")
    shifts = random.choice([-1.0, 1.0], (N, 1)) * random.uniform(0.3, 2.0, (N, 1))
    z = images.reshape(N, -1).astype("float64") @ direction - 0.5 * direction.sum() + shifts
    size = np.abs(direction.ravel())
    distances = {
        "linf": np.abs(z.ravel()) / size.sum(),
        "l2": np.abs(z.ravel()) / np.sqrt(np.sum(size**2)),
    }
    victim = Victim(model, input="image", held={"shift": shifts.astype("float32")}, output="scores")
    return LinearCase(victim, images, (z.ravel() > 0).astype("int32"), distances)


def test_each_image_has_its_own_row(case):
    np.testing.assert_array_equal(case.model.predict(case.images).argmax(axis=1), case.labels)
    rows = np.array([7, 3, 20])
    found = case.model.predict(case.images[rows], indices=rows).argmax(axis=1)
    np.testing.assert_array_equal(found, case.labels[rows])
    assert "image is attacked, and shift held" in case.model.assumptions


def test_an_attack_finds_the_border_of_each_image(case):
    # Examples leave the batch of PGD, whose early stop is on, at different steps.
    check_budget_attack(lambda epsilon: PGD(epsilon, steps=10, loss="margin"), case)
    check_minimal_attack(FMN(norm="l2", steps=40), case, factor=1.02)


@pytest.mark.slow
def test_attacks_that_ask_several_times_about_an_image(case):
    attack = HopSkipJump(queries=1000, first_samples=50, starts=case.images)
    check_minimal_attack(attack, case, factor=1.1, slack=2e-3)
    epsilon = float(np.quantile(case.distances["linf"], 0.3))
    result = Square(epsilon, steps=200).run(case.model, case.images, case.labels)
    assert not result.success[case.distances["linf"] > epsilon * 1.001].any()
    assert result.success.any()
    result = OnePixel(population=10, steps=5, pixels=3).run(case.model, case.images, case.labels)
    after = case.model.predict(result.adversarial).argmax(axis=1)
    np.testing.assert_array_equal(result.success, after != case.labels)


def test_pieces_and_reports_keep_the_rows(case):
    epsilon = float(np.median(case.distances["linf"]))
    attack = PGD(epsilon, steps=10, loss="margin")
    whole = attack.run(case.model, case.images, case.labels)
    rows = np.arange(N)[::-2]
    part = attack.run(case.model, case.images[rows], case.labels[rows], indices=rows, batch_size=4)
    np.testing.assert_array_equal(part.success, whole.success[rows])
    # Chunks of two batches of two images.
    report = evaluate(case.model, case.images, case.labels, attacks=[attack], batch_size=2)
    assert report.clean.robust_accuracy == 1.0
    assert report.rows[0].robust_accuracy == pytest.approx(1 - whole.success.mean())
    assert any("need a classifier of images alone" in text for text in report.unchecked)


def test_what_is_missing_is_named(case):
    model = case.model.model
    with pytest.raises(ValueError, match=r"Attack one of its inputs \(shift, image\)"):
        PGD(0.1).run(model, case.images)
    with pytest.raises(ValueError, match=r"takes the inputs shift, image: name the attacked one"):
        Victim(model, input="image", held={"shfit": np.zeros((N, 1))})
    with pytest.raises(ValueError, match="held needs input="):
        Victim(model, held={"shift": np.zeros((N, 1))})
    short = Victim(model, input="image", held={"shift": np.zeros((3, 1))}, output="scores")
    with pytest.raises(ValueError, match="held has rows for 3 images, but an image has the index"):
        PGD(0.1).run(short, case.images)
    # With labels nothing is asked before the attack, which took other images' rows.
    with pytest.raises(ValueError, match="an image has the index 23"):
        PGD(0.1).run(short, case.images, case.labels)
    with pytest.raises(ValueError, match="an image has the index 23"):
        AutoAttack(0.1).run(short, case.images, case.labels)
    with pytest.raises(ValueError, match=r"output='(scores|other)' or"):
        PGD(0.1).run(Victim(model, input="image", held={"shift": np.zeros((1, 1))}), case.images)
    with pytest.raises(ValueError, match="give surrogates="):
        Guided(0.1).run(case.model, case.images)
    assert set(AutoAttack(0.1).left_out(case.model, SHAPE)) == set()


def test_one_row_serves_all_images(case):
    model = case.model.model
    one = Victim(model, input="image", held={"shift": [[0.5]]}, output="scores")
    many = Victim(model, input="image", held={"shift": np.full((N, 1), 0.5)}, output="scores")
    np.testing.assert_allclose(one.predict(case.images), many.predict(case.images), atol=1e-6)
