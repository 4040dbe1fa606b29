"""A radius for each image or value, and masks, against linear models with known margins."""

import numpy as np
import pytest

from kgan import attacks
from kgan.attacks.checks import as_rows, check_mask, check_radii
from kgan.robustness.testing import lengths, linear_case
from tests.conftest import slow_but

DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
# Each attack with an epsilon, and by which ratio of radius to distance it must fool.
BUDGET = {
    "fgsm": (attacks.FGSM, {}, 1.001),
    "pgd": (attacks.PGD, {"steps": 40, "restarts": 2}, 1.06),
    "mifgsm": (attacks.MomentumPGD, {"steps": 20}, 1.1),
    "apgd": (attacks.APGD, {"steps": 30}, 1.05),
    "fab": (attacks.FAB, {"steps": 30, "targets": 1}, 1.06),
    "fab-all": (attacks.FAB, {"steps": 30, "targets": 0}, 1.06),
    "square": (attacks.Square, {"steps": 300}, np.inf),
    "noise": (attacks.RandomNoise, {"tries": 3}, np.inf),
    "gaussian": (attacks.RandomNoise, {"tries": 3, "distribution": "gaussian"}, np.inf),
}
MINIMAL = {
    "deepfool-l2": (attacks.DeepFool(), 1.03),
    "deepfool-linf": (attacks.DeepFool(norm="linf"), 1.03),
    "cw": (attacks.CarliniWagner(steps=200, learning_rate=0.005, initial_constant=0.01), 1.03),
    "ead": (attacks.ElasticNet(steps=200, beta=0.01, initial_constant=0.01, rule="L1"), 1.3),
    "fab-l1": (attacks.FAB(norm="l1", steps=30, restarts=2), 1.06),
}


def weights(case):
    """What a unit of each value adds to the wrong class's lead, float64 (n, values)."""
    apart = case.model.layers[-1].get_weights()[0].astype(np.float64)
    return (apart[:, 1] - apart[:, 0]) * np.where(case.labels == 0, 1, -1)[:, None]


def gaps(case):
    """How far the right class leads, float64 (n,)."""
    lead = case.model(case.images, training=False).numpy().astype(np.float64)
    return np.abs(lead[:, 0] - lead[:, 1])


@pytest.fixture(scope="module")
def case():
    return linear_case(24)


@pytest.fixture(scope="module")
def masked(case):
    """A mask for each image, and the distances to the border inside of it, by norm."""
    mask = np.random.default_rng(3).uniform(size=case.images.shape) < 0.6
    free = weights(case) * mask.reshape(len(mask), -1)
    distances = {
        norm: gaps(case) / np.linalg.norm(free, order, axis=1) for norm, order in DUAL.items()
    }
    # No distance is cut short by the box.
    largest = np.abs(free).argmax(axis=1)
    start = np.take_along_axis(case.images.reshape(24, -1), largest[:, None], axis=1)[:, 0]
    up = free[np.arange(24), largest] > 0
    assert np.all(distances["l1"] < np.where(up, 1 - start, start))
    assert distances["linf"].max() < 0.4
    return mask, distances


def each(*few):
    """All pairs of attack and norm, of which a few are in the default run."""
    pairs = [(name, norm) for name in BUDGET for norm in DUAL]
    marked = [
        pair if pair in few else pytest.param(*pair, marks=pytest.mark.slow) for pair in pairs
    ]
    return pytest.mark.parametrize(("name", "norm"), marked)


@each(("pgd", "linf"), ("fab", "l2"))
def test_a_radius_for_each_image_is_as_if_it_were_alone(name, norm, case):
    make, settings, factor = BUDGET[name]
    attack = make(case.distances[norm] * 0, norm=norm, **settings)
    shares = np.tile([0.9, 1.3, 0.0, 2.0], 6)
    radii = case.distances[norm] * shares
    result = attack.replace(epsilon=radii).run(case.model, case.images, case.labels, batch_size=16)
    change = lengths(result.adversarial - case.images, norm)
    assert np.all(change <= radii + 1e-6)
    if np.isfinite(factor):
        np.testing.assert_array_equal(result.success, shares >= 1.3)
    for row in (1, 23):
        alone = attack.replace(epsilon=float(radii[row])).run(
            case.model, case.images[[row]], case.labels[[row]], indices=[row]
        )
        assert alone.success[0] == result.success[row]
        np.testing.assert_allclose(alone.adversarial[0], result.adversarial[row], atol=1e-5)


def test_radii_may_come_as_lists_tuples_columns_or_numbers_of_numpy(case):
    radii = np.linspace(0.01, 0.2, 24)
    images, labels = case.images, case.labels

    def last(epsilon):
        return attacks.FGSM(epsilon).last_iterates(case.model, images, labels)

    want = last(radii)
    np.testing.assert_allclose(np.abs(want - images).reshape(24, -1).max(axis=1), radii, rtol=1e-4)
    for same in (list(radii), tuple(radii), radii.reshape(24, 1, 1, 1), radii.astype("float32")):
        np.testing.assert_allclose(last(same), want, atol=1e-7)
    for one in (np.float64(0.1), np.float32(0.1), np.array(0.1), [[[0.1]]]):
        np.testing.assert_allclose(last(one), last(0.1), atol=1e-7)


@pytest.mark.parametrize("name", slow_but(BUDGET, "apgd", "fab-all", "square"))
def test_radii_of_channels_and_values(name):
    """A linear model is fooled just where the radii, weighed by its weights, exceed its lead."""
    case = linear_case(12, shape=(6, 5, 3))
    make, settings, factor = BUDGET[name]
    channels = np.array([0.4, 1.0, 1.6]).reshape(1, 1, 3)
    values = np.random.default_rng(0).uniform(0, 2, size=(12, 6, 5, 3))
    values[:, 0] = 0.0
    for shape in (channels, values):
        full = np.broadcast_to(shape, case.images.shape).reshape(12, -1)
        crossing = gaps(case) / np.sum(np.abs(weights(case)) * full, axis=1)
        unit = float(np.median(crossing))
        assert unit * shape.max() < 0.4
        result = make(unit * shape, **settings).run(case.model, case.images, case.labels)
        change = np.abs(result.adversarial - case.images).reshape(12, -1)
        assert np.all(change <= unit * full + 1e-6)
        assert not np.any(result.success & (crossing > unit * (1 + 1e-4)))
        assert np.all(result.success | (crossing * factor > unit))


@each(("pgd", "l2"), ("apgd", "l1"), ("fab-all", "linf"), ("square", "linf"))
def test_a_mask_is_the_problem_of_its_values_alone(name, norm, case, masked):
    make, settings, factor = BUDGET[name]
    mask, distances = masked
    epsilon = float(np.median(distances[norm]))
    result = make(epsilon, norm=norm, **settings).run(
        case.model, case.images, case.labels, mask=mask
    )
    np.testing.assert_array_equal(result.adversarial[~mask], case.images[~mask])
    assert np.all(lengths(result.adversarial - case.images, norm) <= epsilon + 1e-6)
    assert not np.any(result.success & (distances[norm] > epsilon * (1 + 1e-4)))
    assert np.all(result.success | (distances[norm] * factor > epsilon))


@pytest.mark.parametrize("name", slow_but(MINIMAL, "deepfool-l2", "cw", "ead"))
def test_the_smallest_change_inside_of_a_mask(name, case, masked):
    attack, factor = MINIMAL[name]
    mask, distances = masked
    result = attack.run(case.model, case.images, case.labels, mask=mask)
    np.testing.assert_array_equal(result.adversarial[~mask], case.images[~mask])
    assert result.success.all()
    change = lengths(result.adversarial - case.images, attack.norm)
    assert np.all(change >= distances[attack.norm] * (1 - 1e-4))
    assert np.all(change <= distances[attack.norm] * factor + 2e-4)


def test_a_mask_that_allows_nothing_changes_nothing_and_one_for_all_is_none(case):
    attack = attacks.PGD(0.2, steps=5)
    images, labels = case.images, case.labels
    result = attack.run(case.model, images, labels, mask=np.zeros(images.shape[1:], int))
    assert not result.success.any()
    np.testing.assert_array_equal(result.adversarial, images)
    free = attack.run(case.model, images, labels, mask=np.ones((1, 6, 6, 1), bool))
    np.testing.assert_array_equal(free.adversarial, attack(case.model, images, labels))


def test_autoattack_and_guided_pass_radii_and_masks_on(case, masked):
    mask, distances = masked
    shares = np.tile([0.8, 1.5], 12)
    result = attacks.AutoAttack(distances["linf"] * shares).run(
        case.model, case.images, case.labels, mask=mask
    )
    np.testing.assert_array_equal(result.success, shares > 1)
    np.testing.assert_array_equal(result.adversarial[~mask], case.images[~mask])
    change = lengths(result.adversarial - case.images, "linf")
    assert np.all(change <= distances["linf"] * shares + 1e-6)
    guided = attacks.Guided(distances["linf"] * shares, surrogates=case.model).run(
        case.model, case.images, case.labels, mask=mask
    )
    np.testing.assert_array_equal(guided.success, shares > 1)
    np.testing.assert_array_equal(guided.white_box_success, shares > 1)
    np.testing.assert_array_equal(guided.adversarial[~mask], case.images[~mask])


def test_a_translation_does_not_smear_the_gradient_into_masked_values(case, masked):
    mask, _ = masked
    attack = attacks.MomentumPGD(0.3, translation=3, diversity=0.5)
    moved = attack.last_iterates(case.model, case.images, case.labels, mask=mask)
    np.testing.assert_array_equal(moved[~mask], case.images[~mask])
    assert np.any(moved != case.images)


@pytest.mark.parametrize(
    ("shape", "want"),
    [((4,), (4,)), ((4, 1, 1, 1), (4,)), ((1, 1, 1), (4,)), ((1, 1, 1, 1), (4,)),
     ((1, 1, 3), (4, 1, 1, 3)), ((2, 2, 1), (4, 2, 2, 1)), ((4, 1, 2, 1), (4, 1, 2, 1)),
     ((1, 2, 2, 3), (4, 2, 2, 3))],
)  # fmt: skip
def test_shapes_that_fit(shape, want):
    assert as_rows("epsilon", np.zeros(shape), (4, 2, 2, 3)).shape == want


@pytest.mark.parametrize("shape", [(3,), (1,), (4, 1), (2, 1, 1, 1), (4, 3, 1, 1), (1, 4, 1, 1, 1)])
def test_shapes_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"epsilon must be one for each of the 4 images"):
        as_rows("epsilon", np.zeros(shape), (4, 2, 2, 3))


def test_features_of_vectors_need_a_batch_axis():
    assert as_rows("mask", np.zeros((1, 3)), (4, 3)).shape == (4, 3)
    assert as_rows("mask", np.zeros(4), (4, 3)).shape == (4,)
    with pytest.raises(ValueError, match="mask must be one for each of the 4 images"):
        as_rows("mask", np.zeros(3), (4, 3))


def test_mistakes_are_told_before_the_work(case):
    images, labels = case.images, case.labels

    def run(attack, **more):
        return attack.run(case.model, images, labels, **more)

    with pytest.raises(ValueError, match=r"got 8\. Did you mean 8/255"):
        attacks.PGD([0.1, 8])
    with pytest.raises(ValueError, match="at least 0, got -1"):
        attacks.PGD([0.1, -1])
    with pytest.raises(ValueError, match="epsilon must be a number, or an array of numbers"):
        attacks.PGD([[0.1], [0.2, 0.3]])
    for none in (None, True, np.array([True, False])):
        with pytest.raises(ValueError, match=r"an array of numbers, got (None|True|arr)"):
            check_radii("epsilon", none, "l2")
    with pytest.raises(ValueError, match="at least 0, got nan"):
        check_radii("epsilon", [np.nan], "l2")
    with pytest.raises(ValueError, match=r"epsilon must be one for each of the 24 images"):
        run(attacks.FGSM([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"step_size must be one for each of the 24 images"):
        run(attacks.PGD(0.1, step_size=[0.1, 0.2]))
    with pytest.raises(ValueError, match="epsilon must be one for each image in l2"):
        run(attacks.PGD(np.ones((6, 6, 1)), norm="l2"))
    with pytest.raises(ValueError, match="epsilon must be one for each of the 24 images"):
        run(attacks.AutoAttack([0.1, 0.2]))
    with pytest.raises(ValueError, match="epsilon must be one number here, got an array of"):
        attacks.AdvGAN([0.1, 0.2])
    with pytest.raises(ValueError, match="Spatial takes no mask"):
        run(attacks.Spatial(), mask=np.ones(24))
    with pytest.raises(ValueError, match=r"mask must be True \(or 1\) where images may change"):
        check_mask(np.full((24, 6, 6, 1), 0.5), images.shape)
    with pytest.raises(ValueError, match="one number in a training step"):
        attacks.PGD([0.1, 0.2]).perturb(case.model, images, labels)


@pytest.mark.parametrize("name", slow_but(["restarts", "step size"], "restarts"))
def test_radii_keep_their_images_over_restarts_and_batches(name, case):
    """What is pending after a restart is other rows of the data than before it."""
    radii = case.distances["linf"] * np.tile([0.5, 1.2, 0.7], 8)
    settings = {"restarts": 3} if name == "restarts" else {"step_size": radii / 4}
    result = attacks.PGD(radii, steps=12, **settings).run(
        case.model, case.images, case.labels, batch_size=5
    )
    np.testing.assert_array_equal(result.success, np.tile([False, True, False], 8))
    assert np.all(lengths(result.adversarial - case.images, "linf") <= radii + 1e-6)
