"""Every attack against a classifier whose smallest adversarial change is known."""

import numpy as np
import pytest
from scipy.optimize import linprog

from kgan import attacks
from kgan.robustness import testing
from tests.conftest import slow_but


@pytest.fixture(scope="module", params=slow_but([False, True], False), ids=["logits", "softmax"])
def case(request):
    return testing.linear_case(softmax=request.param)


def test_the_distances_are_right(case):
    """Moving by the distance along the steepest direction just crosses the border."""
    weights = case.model.layers[-1].get_weights()[0].astype(np.float64)
    apart = (weights[:, 1] - weights[:, 0]) * np.where(case.labels == 0, 1, -1)[:, None]
    largest = np.abs(apart) == np.abs(apart).max(axis=1, keepdims=True)
    steepest = {
        "linf": np.sign(apart),
        "l2": apart / np.linalg.norm(apart, axis=1, keepdims=True),
        "l1": np.sign(apart) * largest,
    }
    flat = case.images.reshape(len(case.images), -1)
    for norm, direction in steepest.items():
        for factor, fooled in ((0.999, False), (1.001, True)):
            moved = flat + factor * case.distances[norm][:, None] * direction
            assert moved.min() > 0
            assert moved.max() < 1
            moved = moved.reshape(case.images.shape).astype("float32")
            predicted = case.model(moved).numpy().argmax(axis=1)
            assert np.all((predicted != case.labels) == fooled)


def test_the_smallest_l1_is_that_of_linear_programming():
    random = np.random.default_rng(0)
    weights = random.normal(size=6)
    images = random.uniform(size=(9, 2, 3))
    gap = random.normal(size=9)
    found = testing.smallest_l1(images, weights, gap)
    for image, missing, size in zip(images.reshape(9, 6), gap, found, strict=True):
        # Up and down by what the box leaves.
        best = linprog(
            np.ones(12),
            A_eq=[np.concatenate([weights, -weights])],
            b_eq=[-missing],
            bounds=[(0, most) for most in (*(1 - image), *image)],
        )
        assert size == (np.inf if best.fun is None else pytest.approx(best.fun))
    assert 0 < np.isinf(found).sum() < 5


BUDGET = [
    (attacks.RandomNoise, {"tries": 20}, ("linf", "l2", "l1"), np.inf),
    (attacks.FGSM, {}, ("linf", "l2", "l1"), 1.001),
    (attacks.PGD, {"steps": 40}, ("linf", "l2"), 1.01),
    (attacks.PGD, {"steps": 40}, ("l1",), 1.05),
    (attacks.PGD, {"loss": "margin"}, ("linf", "l2"), 1.01),
    (attacks.PGD, {"loss": "dlr"}, ("linf", "l2"), 1.01),
    (attacks.MomentumPGD, {"steps": 20}, ("linf", "l2", "l1"), 1.1),
    (attacks.APGD, {"steps": 50}, ("linf", "l2", "l1"), 1.02),
    (attacks.APGD, {"steps": 50, "loss": "dlr"}, ("linf", "l2", "l1"), 1.02),
    (attacks.APGD, {"steps": 50, "loss": "targeted_dlr"}, ("linf", "l2", "l1"), 1.02),
    (attacks.FAB, {"steps": 30}, ("linf", "l2", "l1"), 1.06),
    (attacks.FAB, {"steps": 30, "targets": 0}, ("linf", "l2", "l1"), 1.06),
    (attacks.Square, {"steps": 600}, ("linf",), 1.3),
    (attacks.Square, {"steps": 1500}, ("l2",), 1.6),
    (attacks.Square, {"steps": 1000}, ("l1",), 3.0),
]


@pytest.mark.parametrize(
    ("attack", "settings", "norm", "factor"),
    [
        pytest.param(
            attack,
            settings,
            norm,
            factor,
            id=f"{attack.__name__}-{norm}-{i}",
            # Each loss, or way to choose classes, in one norm; each norm by the first.
            marks=pytest.mark.slow if norm != "linf" and {"loss", "targets"} & {*settings} else (),
        )
        for i, (attack, settings, norms, factor) in enumerate(BUDGET)
        for norm in norms
    ],
)
def test_budget_attacks_fool_what_can_be_fooled(attack, settings, norm, factor, case):
    testing.check_budget_attack(
        lambda epsilon: attack(epsilon, norm=norm, **settings), case, factor=factor
    )


def test_autoattack_fools_what_can_be_fooled():
    testing.check_budget_attack(attacks.AutoAttack, testing.linear_case(12), factor=1.02)


@pytest.mark.parametrize(
    ("attack", "factor"),
    [
        (attacks.DeepFool(norm="l2"), 1.03),
        (attacks.DeepFool(norm="linf"), 1.03),
        (attacks.CarliniWagner(steps=200, learning_rate=0.005, initial_constant=0.01), 1.03),
        (attacks.ElasticNet(steps=200, beta=0.01, initial_constant=0.01, rule="L1"), 1.3),
        (attacks.FAB(norm="linf", steps=30), 1.06),
        (attacks.FAB(norm="l2", steps=30), 1.06),
        (attacks.FAB(norm="l1", steps=30), 1.06),
        (attacks.FMN(norm="linf"), 1.001),
        (attacks.FMN(norm="l2"), 1.001),
        (attacks.FMN(norm="l1"), 1.01),
        (attacks.DDN(radius=0.2), 1.06),
        (attacks.HopSkipJump(norm="l2", queries=2000), 1.06),
        (attacks.HopSkipJump(norm="linf", queries=2000), 1.15),
        (attacks.Boundary(queries=3000), 1.02),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.norm}" if hasattr(value, "norm") else "",
)
def test_minimal_attacks_come_near_the_smallest_change(attack, factor, case):
    testing.check_minimal_attack(attack, case, factor=factor)


@pytest.fixture(scope="module")
def sparse_case():
    """Several values must change, so that which ones matters."""
    case = testing.linear_case(24, tilt=0.3)
    assert set(case.distances["l0"]) == {5.0, 6.0}
    return case


def test_the_fewest_values_are_right(sparse_case):
    """Moving so many values to the edge of the box fools, and one fewer does not."""
    case = sparse_case
    weights = case.model.layers[-1].get_weights()[0].astype(np.float64)
    for image, label, fewest in zip(
        case.images[:6].reshape(6, -1), case.labels, case.distances["l0"], strict=False
    ):
        toward = weights[:, 1 - label] - weights[:, label]
        gains = toward * (np.where(toward > 0, 1.0, 0.0) - image)
        order = np.argsort(-gains)
        for count, fooled in ((int(fewest) - 1, False), (int(fewest), True)):
            moved = image.copy()
            moved[order[:count]] = toward[order[:count]] > 0
            predicted = case.model(moved.reshape(1, 6, 6, 1)).numpy().argmax()
            assert (predicted != label) == fooled


@pytest.mark.parametrize(
    "attack", [attacks.FMN(norm="l0"), attacks.SigmaZero(steps=200)], ids=["FMN", "SigmaZero"]
)
def test_sparse_attacks_change_hardly_more_than_the_fewest_values(attack, sparse_case):
    testing.check_minimal_attack(attack, sparse_case, factor=1.0, slack=1.0)
    result = attack.run(sparse_case.model, sparse_case.images, sparse_case.labels)
    change = testing.lengths(result.adversarial - sparse_case.images, "l0")
    assert np.mean(change == sparse_case.distances["l0"]) > 0.7


@pytest.mark.parametrize("count", [5, 6])
def test_sparse_rs_fools_what_can_be_fooled(count, sparse_case):
    case = sparse_case
    result = attacks.SparseRS(count, steps=2000).run(case.model, case.images, case.labels)
    np.testing.assert_array_equal(result.success, case.distances["l0"] <= count)
    assert testing.lengths(result.adversarial - case.images, "l0").max() <= count


def test_one_pixel_fools_what_one_pixel_can_fool():
    case = testing.linear_case(24, tilt=0.05)
    able = case.distances["l0"] <= 1
    assert 3 < able.sum() < 21
    attack = attacks.OnePixel(population=50, steps=20)
    result = attack.run(case.model, case.images, case.labels)
    np.testing.assert_array_equal(result.success, able)


def test_the_checks_can_fail():
    case = testing.linear_case(8)
    with pytest.raises(AssertionError, match="not fooled above"):
        testing.check_budget_attack(lambda e: attacks.RandomNoise(e), case)

    class Cheat(attacks.FGSM):
        def run(self, model, images, labels=None, **_):
            return attacks.FGSM(2 * self.epsilon).run(model, images, labels)

    with pytest.raises(AssertionError, match="fooled below"):
        testing.check_budget_attack(Cheat, case)
    with pytest.raises(AssertionError, match="changed by more than"):
        testing.check_minimal_attack(attacks.DeepFool(overshoot=0.5), case)
