"""Criteria, beside linear models on which the smallest change that counts has a closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.attacks
from kgan.attacks import (
    APGD,
    CRITERIA,
    FAB,
    FMN,
    PGD,
    AdvGAN,
    AutoAttack,
    CarliniWagner,
    Confidence,
    Criterion,
    Custom,
    DeepFool,
    Distance,
    HopSkipJump,
    Misclassification,
    MultiLabel,
    Square,
    TopK,
    Victim,
    victim_of,
)
from kgan.robustness import evaluate
from kgan.robustness.testing import (
    LinearCase,
    check_budget_attack,
    check_minimal_attack,
    smallest_l1,
)
from tests.conftest import slow_but

SHAPE = (4, 4, 1)


def linear(weights, bias) -> keras.Model:
    """A model of W x + b."""
    model = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(weights.shape[1])]
    )
    model.set_weights([weights, bias])
    return model


def images_of(n: int = 20) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.4, 0.6, (n, *SHAPE)).astype("float32")


def answers(weights, bias, images) -> np.ndarray:
    return images.reshape(len(images), -1).astype("float64") @ weights + bias


def distances_to(images, weights, gap) -> dict[str, np.ndarray]:
    """From images around 0.5 to where `weights . x` has fallen by the gap; l1 meets the box."""
    return {
        "linf": np.abs(gap) / np.linalg.norm(weights, 1),
        "l2": np.abs(gap) / np.linalg.norm(weights),
        "l1": smallest_l1(images, weights, gap),
    }


@pytest.fixture(scope="module")
def multi_label():
    """Five labels; the nearest border is that of the least |z| / |w|.

    The weights of each label have one length, so that the least |z| is the nearest in l2.
    """
    weights = np.random.default_rng(0).normal(size=(16, 5)).astype("float32")
    weights *= 4.0 / np.linalg.norm(weights, axis=0)
    bias = -0.5 * weights.sum(axis=0)
    images = images_of()
    z = answers(weights, bias, images)
    each = [distances_to(images, *pair) for pair in zip(weights.T, z.T, strict=True)]
    distances = {norm: np.min([one[norm] for one in each], axis=0) for norm in each[0]}
    victim = Victim(linear(weights, bias), criterion=MultiLabel())
    return LinearCase(victim, images, (z > 0).astype("int32"), distances)


@pytest.fixture(scope="module")
def top_two():
    """Three rivals that rise along one direction: the second to pass decides."""
    direction = np.random.default_rng(0).normal(size=16).astype("float32")
    weights = np.stack([0 * direction, direction, direction, direction, 0 * direction], axis=1)
    middle = -0.5 * direction.sum()
    bias = np.array([0, middle - 1, middle - 1.2, middle - 3, -50], "float32")
    images = images_of()
    z = answers(weights, bias, images)
    gaps = np.sort(z[:, :1] - z[:, 1:4], axis=1)
    assert np.all(gaps > 0)
    distances = distances_to(images, direction, -gaps[:, 1])
    victim = Victim(linear(weights, bias), criterion=TopK(2))
    return LinearCase(victim, images, np.zeros(len(images), "int32"), distances)


@pytest.fixture(scope="module")
def confident():
    """Two classes whose log odds are linear: 90% is a shift of log(9)."""
    direction = np.random.default_rng(0).normal(size=16).astype("float32")
    weights = np.stack([0 * direction, 8 * direction], axis=1)
    bias = np.array([0, -4 * direction.sum() - 3], "float32")
    images = images_of()
    missing = np.log(9.0) - answers(weights, bias, images)[:, 1]
    distances = distances_to(images, 8 * direction, -missing)
    victim = Victim(linear(weights, bias), criterion=Confidence(0.9))
    return LinearCase(victim, images, np.zeros(len(images), "int32"), distances)


@pytest.fixture(scope="module")
def regression():
    """One number, 0.1 off the truth to begin with."""
    weights = np.random.default_rng(0).normal(size=(16, 1)).astype("float32")
    images = images_of()
    z = answers(weights, np.zeros(1), images)
    distances = distances_to(images, weights.ravel(), np.full(len(images), -0.4))
    victim = Victim(linear(weights, np.zeros(1, "float32")), criterion=Distance(0.5))
    return LinearCase(victim, images, (z - 0.1).astype("float32"), distances)


CASES = ("multi_label", "top_two", "confident", "regression")


@pytest.mark.parametrize("name", CASES)
def test_fooled_above_the_distance_and_never_below(name, request):
    case = request.getfixturevalue(name)
    check_budget_attack(lambda epsilon: PGD(epsilon, steps=20, loss="margin"), case)


@pytest.mark.parametrize("name", CASES)
def test_the_smallest_change_is_found(name, request):
    case = request.getfixturevalue(name)
    check_minimal_attack(FMN(norm="l2", steps=60), case, factor=1.02)


OTHERS = {
    "fmn": FMN(norm="linf", steps=60),
    "cw": CarliniWagner(steps=300, search_steps=7, initial_constant=0.1, learning_rate=0.005),
    # A step of DeepFool goes 1e-4 beyond the border, and 2%.
    "deepfool": DeepFool(),
    "deepfool linf": DeepFool(norm="linf"),
    "fab": FAB(norm="l2", steps=20),
    "fab linf": FAB(norm="linf", steps=20),
    "fab l1": FAB(norm="l1", steps=20),
    "hsj": HopSkipJump(queries=1500, first_samples=50),
}


@pytest.mark.parametrize(
    ("name", "attack"),
    [
        pytest.param(
            name,
            attack,
            marks=[] if attack in ("deepfool", "fab") and name == "top_two" else pytest.mark.slow,
        )
        for name in CASES
        for attack in OTHERS
        # HopSkipJump walks along the border that it meets first, and these have several.
        if attack != "hsj" or name in ("top_two", "confident")
    ],
)
def test_the_smallest_change_is_found_by_others(name, attack, request):
    case = request.getfixturevalue(name)
    check_minimal_attack(OTHERS[attack], case, factor=1.1, slack=4e-3)


def test_targets_are_to_be_reached(multi_label, top_two):
    turned = 1 - multi_label.labels
    result = PGD(0.5, steps=30, norm="linf", loss="margin").run(
        multi_label.model, multi_label.images, targets=turned
    )
    found = multi_label.model.predict(result.adversarial) > 0
    np.testing.assert_array_equal(result.success, np.all(found == turned, axis=1))
    # Class 3 is the last of the rivals: it comes among two before it comes first.
    targets = np.full(len(top_two.labels), 3)
    z = top_two.model.predict(top_two.images)
    assert np.all(np.argsort(-z, axis=1)[:, 1] != 3)
    result = PGD(0.5, steps=30, loss="margin").run(top_two.model, top_two.images, targets=targets)
    after = top_two.model.predict(result.adversarial)
    expected = np.sum(after > after[:, 3:4], axis=1) < 2
    np.testing.assert_array_equal(result.success, expected)


def test_a_loss_and_a_success_of_your_own_do_what_the_built_in_ones_do(multi_label):
    def loss(outputs, truth):
        return tf.reduce_max(tf.where(truth > 0, -outputs, outputs), axis=1)

    model, images, labels = multi_label.model.model, multi_label.images, multi_label.labels
    radius = float(np.median(multi_label.distances["linf"]))
    attack = PGD(radius, steps=10, loss="margin")
    expected = attack.run(multi_label.model, images, labels)
    own = Victim(model, criterion=Custom(loss, takes="values"))
    np.testing.assert_array_equal(attack.run(own, images, labels).success, expected.success)
    strict = Custom(loss, lambda outputs, truth: loss(outputs, truth) > 0.2)
    fewer = attack.run(Victim(model, criterion=strict), images, labels)
    after = answers(*model.get_weights(), fewer.adversarial)
    wrong = np.max(np.where(labels > 0, -after, after), axis=1)
    np.testing.assert_array_equal(fewer.success, wrong > 0.2)


def test_embeddings_are_driven_apart_and_together():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(6)])
    images = images_of(12)
    victim = Victim(model, criterion=Distance(0.2, metric="cosine"))
    # Away from the model's own answers; then to those of the next image.
    apart = PGD(0.3, steps=20).run(victim, images)
    near = PGD(0.3, steps=20).run(victim, images, targets=np.roll(apart.labels, 1, axis=0))

    def cosine(one, other):
        return (
            np.sum(one * other, axis=1)
            / np.linalg.norm(one, axis=1)
            / np.linalg.norm(other, axis=1)
        )

    own = model(images).numpy()
    np.testing.assert_allclose(apart.labels, own, atol=1e-5)
    found = 1 - cosine(model(apart.adversarial).numpy(), own)
    np.testing.assert_array_equal(apart.success, found >= 0.2)
    found = 1 - cosine(model(near.adversarial).numpy(), np.roll(own, 1, axis=0))
    np.testing.assert_array_equal(near.success, found <= 0.2)
    assert apart.success.any()
    assert near.success.any()


def test_reports_count_by_the_criterion(multi_label, top_two):
    radius = float(np.median(multi_label.distances["linf"]))
    report = evaluate(
        multi_label.model,
        multi_label.images,
        multi_label.labels,
        attacks=[PGD(radius, steps=10, loss="margin")],
    )
    assert report.clean.robust_accuracy == 1.0
    robust = float(np.mean(multi_label.distances["linf"] > radius))
    assert report.rows[0].robust_accuracy == pytest.approx(robust, abs=0.06)
    assert report.class_names == report.class_counts == report.rows[0].per_class == []
    assert any("MultiLabel(count=1)" in text for text in report.assumptions)
    radius = float(np.median(top_two.distances["linf"]))
    report = evaluate(
        top_two.model, top_two.images, top_two.labels,
        attacks=[PGD(radius, steps=10, loss="margin")], find_masking=False,
    )  # fmt: skip
    robust = float(np.mean(top_two.distances["linf"] > radius))
    assert report.rows[0].robust_accuracy == pytest.approx(robust, abs=0.06)
    with pytest.raises(ValueError, match="class_names must be left out"):
        evaluate(
            multi_label.model, multi_label.images, multi_label.labels, attacks=[PGD(0.1)],
            class_names=["a"],
        )  # fmt: skip


# Sets of classes or labels are aimed at one after the other. In l1 these few values are where the
# number of values of a step is one or two.
@pytest.mark.parametrize("name", slow_but(CASES[:3], "top_two"))
@pytest.mark.parametrize("norm", slow_but(["linf", "l2", "l1"], "linf"))
def test_aims_find_what_can_be_fooled(name, norm, request):
    case = request.getfixturevalue(name)
    settings = {"norm": norm, "steps": 50, "loss": "targeted_dlr"}
    check_budget_attack(lambda epsilon: APGD(epsilon, **settings), case)


@pytest.mark.parametrize(
    "criterion",
    [Misclassification(), TopK(2), TopK(3), Confidence(0.4), MultiLabel(), MultiLabel(3)],
    ids=repr,
)
def test_the_likeliest_aim_is_the_margin_and_no_other_is_above(criterion):
    random = np.random.default_rng(0)
    outputs = tf.constant(random.normal(size=(50, 7)).astype("float32"))
    size = (50,) if criterion.by_class else (50, 7)
    truth = tf.constant(random.integers(0, 7 if criterion.by_class else 2, size).astype("int32"))
    margin = criterion.margin(outputs, truth).numpy()
    aims = [criterion.aim(outputs, truth, number) for number in range(criterion.choices(7))]
    leads = np.stack([criterion.lead(outputs, truth, aim).numpy() for aim in aims])
    np.testing.assert_array_equal(leads[0], margin)
    assert np.all(np.diff(leads, axis=0) <= 0)
    together = getattr(criterion, "k", getattr(criterion, "count", 1))
    sets = np.sort(np.stack([aim.numpy() for aim in aims]), axis=2)
    assert sets.shape[2] == together
    for row in range(50):
        assert len(np.unique(sets[:, row], axis=0)) == len(aims)
        if criterion.by_class:
            assert truth[row] not in sets[:, row]
            # All other classes are in one of them.
            assert len(np.unique(sets[:, row])) == 6


@pytest.mark.parametrize("k", [1, 2])
def test_the_ratio_of_several_classes_is_that_of_one_with_as_many_more(k):
    criterion = Misclassification() if k == 1 else TopK(k)
    z = np.random.default_rng(0).normal(size=(9, 6)).astype("float32")
    top = -np.sort(-z, axis=1)
    wanted = top[:, 0] - (top[:, k + 1] + top[:, k + 2]) / 2
    np.testing.assert_allclose(criterion.spread(tf.constant(z)), wanted, rtol=1e-6)
    assert criterion.spread_needs == k + 3
    few = Victim(linear(np.eye(16, k + 2), np.zeros(k + 2)), criterion=criterion)
    with pytest.raises(ValueError, match=f"needs at least {k + 3} classes"):
        APGD(0.1, loss="targeted_dlr").run(few, images_of(1))


def test_what_has_no_classes_is_refused_with_what_to_use(multi_label, top_two, regression):
    for case in (multi_label, top_two):
        with pytest.raises(ValueError, match="loss of PGD must be one of cross_entropy, margin"):
            PGD(0.1, loss="dlr").run(case.model, case.images, case.labels)
        attack = AutoAttack(0.1)
        assert list(attack._members(case.model)) == ["apgd-ce", "apgd-t", "fab-t", "square"]
        assert not attack.left_out(case.model, SHAPE)
    victim = victim_of(regression.model, regression.images)
    assert "apgd-margin" in AutoAttack(0.1)._members(victim)
    with pytest.raises(ValueError, match=r"Distance.* has none. Use loss='cross_entropy'"):
        APGD(0.1, loss="targeted_dlr").run(victim, regression.images, regression.labels)
    for case in (multi_label, regression):
        with pytest.raises(ValueError, match=r"one class for each image, .* UniversalPerturbation"):
            AdvGAN(0.1).fit(case.model, case.images, case.labels)


def test_what_does_not_fit_is_refused(multi_label, top_two):
    model, images = multi_label.model.model, multi_label.images
    with pytest.raises(ValueError, match=r"labels must be rows of 0 and 1 of the shape \(20, 5\)"):
        PGD(0.1).run(multi_label.model, images, np.zeros(20, int))
    with pytest.raises(ValueError, match="k must be below the 5 classes"):
        PGD(0.1).run(Victim(model, criterion=TopK(5)), images)
    with pytest.raises(ValueError, match="count must be at most the 5 labels"):
        PGD(0.1).run(Victim(model, criterion=MultiLabel(6)), images)
    softmax = keras.Sequential([model, keras.layers.Softmax()])
    with pytest.raises(ValueError, match="a softmax, whose classes exclude each other"):
        PGD(0.1).run(Victim(softmax, criterion=MultiLabel()), images)
    with pytest.raises(ValueError, match=r"labels must be numbers of the shape \(20, 5\)"):
        PGD(0.1).run(Victim(model, criterion=Distance(1.0)), images, np.zeros(20))
    with pytest.raises(TypeError, match="criterion must be one of"):
        Victim(model, criterion="top-k")
    with pytest.raises(ValueError, match="head must be left out"):
        Victim(model, criterion=Distance(1.0), head="logits")
    with pytest.raises(ValueError, match="needs scores"):
        Victim(lambda images: np.zeros(len(images), int), classes=3, criterion=TopK(2))
    own = Victim(model, criterion=Custom(lambda outputs, truth: outputs[:, 0]))
    with pytest.raises(ValueError, match="targets must be left out for Custom"):
        PGD(0.1).run(own, images, targets=np.zeros((20, 5)))
    for wrong in (lambda: TopK(0), lambda: Confidence(1.0), lambda: Distance(0.0)):
        with pytest.raises(ValueError, match="must be"):
            wrong()


def _example(name: str) -> Criterion:
    given = {"distance": {"radius": 0.5}, "custom": {"loss": tf.reduce_sum}}
    return CRITERIA[name](**given.get(name, {}))


def test_every_criterion_has_a_row_and_comes_back():
    public = {
        member
        for member in vars(kgan.attacks).values()
        if isinstance(member, type) and issubclass(member, Criterion) and member is not Criterion
    }
    assert public == set(CRITERIA.values())
    for name in CRITERIA:
        criterion = _example(name)
        if name != "custom":
            config = keras.saving.serialize_keras_object(criterion)
            assert keras.saving.deserialize_keras_object(config) == criterion
        assert repr(criterion).startswith(type(criterion).__name__)


@pytest.mark.parametrize("name", [name for name in CRITERIA if name != "custom"])
@pytest.mark.parametrize("targeted", [False, True])
def test_the_margin_has_the_sign_of_success(name, targeted):
    """On random answers, and against success as numpy counts it."""
    random = np.random.default_rng(0)
    outputs = random.normal(size=(200, 6)).astype("float32")
    criterion = {"top-k": TopK(2), "confidence": Confidence(0.4), "distance": Distance(3.0)}.get(
        name, _example(name)
    )
    truth = random.integers(0, 6, 200).astype("int32")
    if name == "multi-label":
        truth = (random.uniform(size=(200, 6)) < 0.5).astype("int32")
    if name == "distance":
        truth = random.normal(size=(200, 6)).astype("float32")
    fooled = criterion.fooled(tf.constant(outputs), tf.constant(truth), targeted).numpy()
    margin = criterion.margin(tf.constant(outputs), tf.constant(truth), targeted).numpy()
    np.testing.assert_array_equal(fooled, margin > 0)
    if name == "multi-label":
        wrong = np.sum((outputs > 0) != (truth > 0), axis=1)
        expected = wrong == 0 if targeted else wrong >= 1
    elif name == "distance":
        apart = np.linalg.norm(outputs - truth, axis=1)
        expected = apart <= 3 if targeted else apart >= 3
    else:
        order = np.argsort(-outputs, axis=1)
        rank = np.argmax(order == truth[:, None], axis=1)
        shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        own = shares[np.arange(200), truth]
        shares[np.arange(200), truth] = 0
        expected = {
            "misclassification": rank == 0 if targeted else rank > 0,
            "top-k": rank < 2 if targeted else rank >= 2,
            "confidence": own >= 0.4 if targeted else shares.max(axis=1) >= 0.4,
        }[name]
    np.testing.assert_array_equal(fooled, expected)


def test_the_default_is_misclassification(multi_label):
    victim = Victim(multi_label.model.model)
    assert victim.criterion == Misclassification()
    assert victim.criterion != TopK(1)
    assert Square(0.1).needs == "scores"
