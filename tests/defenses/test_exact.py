"""Against closed forms: of a linear classifier every inner maximum is a known corner."""

import keras
import numpy as np
import pytest

from kgan.attacks import FGSM, PGD
from kgan.defenses import AdversarialTraining, FastStep, mart_term, trades_term
from tests.defenses.conftest import sparse_loss

EPSILON, RATE = 0.15, 0.5


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def worst(images, labels, kernel, epsilon=EPSILON):
    """The corner of ball and box that lowers the label's lead over the other class most."""
    direction = np.sign(kernel[:, 1 - labels] - kernel[:, labels]).T
    return np.clip(images + epsilon * direction, 0, 1)


def updated(kernel, bias, images, labels, weight=1.0):
    """One step of gradient descent on the mean cross-entropy, by hand, in float64."""
    error = softmax(images @ kernel + bias) - np.eye(2)[labels]
    error *= np.broadcast_to(weight, len(labels))[:, None] / len(labels)
    return kernel - RATE * images.T @ error, bias - RATE * error.sum(axis=0)


def train(classifier, images, labels, *, epochs=1, sample_weight=None, loss=None, **settings):
    training = AdversarialTraining(classifier, **settings)
    training.compile(keras.optimizers.SGD(RATE), loss or sparse_loss())
    return training.fit(
        images, labels, sample_weight=sample_weight, batch_size=len(labels), epochs=epochs,
        shuffle=False, verbose=0,
    )  # fmt: skip


STEPS = [
    {"method": "pgd", "epsilon": EPSILON},
    {"method": "pgd", "attack": FGSM(EPSILON)},
    {"method": "fgsm", "epsilon": EPSILON, "shares": [1.0]},
    {"method": "fgsm", "attack": [FGSM(EPSILON), PGD(EPSILON, steps=5)], "shares": [0.5, 0.5]},
]


@pytest.mark.parametrize(
    ("settings", "weighted"),
    [(STEPS[1], False)]
    + [(settings, True) for settings in STEPS]
    + [pytest.param(STEPS[i], False, marks=pytest.mark.slow) for i in (0, 2, 3)],
)
def test_a_step_is_a_step_at_the_worst_corner(linear, batch, settings, weighted):
    images, labels = batch
    kernel, bias = (weight.astype("float64") for weight in linear.get_weights())
    weight = np.linspace(0, 2, 8) if weighted else np.ones(8)
    train(linear, images, labels, sample_weight=weight if weighted else None, **settings)
    wanted = updated(kernel, bias, worst(images, labels, kernel), labels, weight)
    for found, want in zip(linear.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(found, want, atol=2e-7)


def test_shares_leave_the_first_of_a_batch_clean(linear, batch):
    images, labels = batch
    kernel, bias = (weight.astype("float64") for weight in linear.get_weights())
    train(linear, images, labels, attack=[FGSM(0.1), FGSM(0.3)], shares=[0.25, 0.5])
    mixed = [
        images[:2],
        worst(images[2:4], labels[2:4], kernel, 0.1),
        worst(images[4:], labels[4:], kernel, 0.3),
    ]
    wanted = updated(kernel, bias, np.concatenate(mixed), labels)
    np.testing.assert_allclose(linear.get_weights()[0], wanted[0], atol=2e-7)


def test_fgsm_keeps_half_of_a_batch_clean_unasked(linear, batch):
    images, labels = batch
    kernel, bias = (weight.astype("float64") for weight in linear.get_weights())
    train(linear, images, labels, method="fgsm", epsilon=EPSILON)
    mixed = np.concatenate([images[:4], worst(images[4:], labels[4:], kernel)])
    wanted = updated(kernel, bias, mixed, labels)
    np.testing.assert_allclose(linear.get_weights()[0], wanted[0], atol=2e-7)


def test_the_perturbation_grows_to_its_full_length_and_stays_there(linear, batch):
    images, labels = batch
    kernel, bias = (weight.astype("float64") for weight in linear.get_weights())
    train(linear, images, labels, epochs=4, attack=FGSM(EPSILON), warmup=3)
    for share in (1 / 3, 2 / 3, 1, 1):
        seen = images + share * (worst(images, labels, kernel) - images)
        kernel, bias = updated(kernel, bias, seen, labels)
    np.testing.assert_allclose(linear.get_weights()[0], kernel, atol=1e-6)
    np.testing.assert_allclose(linear.get_weights()[1], bias, atol=1e-6)


@pytest.mark.parametrize("method", ["pgd", "fast", "fgsm"])
def test_awp_takes_the_step_of_moved_kernels_from_where_they_were(linear, batch, method):
    images, labels = batch
    kernel, bias = (weight.astype("float64") for weight in linear.get_weights())
    seen = worst(images, labels, kernel)
    train(linear, images, labels, method=method, attack=FGSM(EPSILON), shares=[1.0], awp=0.3)
    ascent = kernel - updated(kernel, bias, seen, labels)[0]
    moved = kernel + 0.3 * np.linalg.norm(kernel) * ascent / np.linalg.norm(ascent)
    stepped, wanted_bias = updated(moved, bias, seen, labels)
    np.testing.assert_allclose(linear.get_weights()[0], kernel + stepped - moved, atol=3e-7)
    np.testing.assert_allclose(linear.get_weights()[1], wanted_bias, atol=3e-7)
    plain = updated(kernel, bias, seen, labels)[0]
    assert np.abs(linear.get_weights()[0] - plain).max() > 1e-3


def test_free_makes_an_update_a_replay_and_carries_the_perturbation_over(linear, batch):
    images, labels = batch
    kernel, bias = (weight.astype("float64") for weight in linear.get_weights())
    perturbation = np.zeros((8, 6))
    training = AdversarialTraining(
        linear, method="free", epsilon=EPSILON, replays=3, batch_size=8, seed=1
    )
    training.compile(keras.optimizers.SGD(RATE), sparse_loss())
    training.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for _ in range(2 * 3):
        seen = np.clip(images + perturbation, 0, 1)
        ascent = np.sign(kernel[:, 1 - labels] - kernel[:, labels]).T
        kernel, bias = updated(kernel, bias, seen, labels)
        perturbation = np.clip(perturbation + EPSILON * ascent, -EPSILON, EPSILON)
    np.testing.assert_allclose(linear.get_weights()[0], kernel, atol=1e-6)
    assert int(training.optimizer.iterations.numpy()) == 6
    np.testing.assert_allclose(training._perturbation.numpy(), perturbation, atol=1e-6)


def test_free_takes_a_last_smaller_batch(linear, batch):
    images, labels = batch
    training = AdversarialTraining(linear, method="free", epsilon=EPSILON, replays=2, batch_size=5)
    training.compile(keras.optimizers.SGD(RATE), sparse_loss())
    training.fit(images, labels, batch_size=5, epochs=1, shuffle=False, verbose=0)
    assert (np.abs(training._perturbation.numpy()).max(axis=1) == np.float32(EPSILON)).all()


def test_the_start_of_fast_is_not_cut_by_the_box():
    # At a black pixel half of the starts lie below 0; a step of 1.25 epsilon upwards then ends
    # short of epsilon where the start was below -epsilon / 4, that is in 3 of 8 cases.
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dense(2, use_bias=False)])
    model.set_weights([np.tile(np.float32([0.0, 0.1]), (1000, 1))])
    images = np.zeros((20, 1000), "float32")
    moved = FastStep(0.3).last_iterates(model, images, np.zeros(20, "int32"))
    assert moved.min() >= 0.075 - 1e-6
    assert moved.max() <= 0.3 + 1e-6
    short = np.mean(moved < 0.3 - 1e-6)
    assert abs(short - 3 / 8) < 0.015
    cut = FGSM(0.3, step_size=0.375, random_start=True)
    moved = cut.last_iterates(model, images, np.zeros(20, "int32"))
    np.testing.assert_allclose(moved, 0.3, atol=1e-6)


def divergence(clean, other):
    return np.sum(clean * (np.log(clean) - np.log(other)), axis=1)


def reference(method, clean, other, labels, beta):
    """The whole loss of an example in float64, from probabilities."""
    rows = np.arange(len(labels))
    if method == "trades":
        return -np.log(clean[rows, labels]) + beta * divergence(clean, other)
    others = other.copy()
    others[rows, labels] = 0
    boosted = -np.log(other[rows, labels]) - np.log(1 - others.max(axis=1))
    return boosted + beta * divergence(clean, other) * (1 - clean[rows, labels])


@pytest.mark.parametrize(("method", "term"), [("trades", trades_term), ("mart", mart_term)])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_terms_against_float64(method, term, classes):
    draw = np.random.default_rng(classes)
    clean, other = draw.normal(scale=3, size=(2, 40, classes))
    labels = draw.integers(classes, size=40).astype("int32")
    found = term(clean.astype("float32"), other.astype("float32"), labels, 1.7).numpy()
    clean, other = softmax(clean), softmax(other)
    judged = clean if method == "trades" else other
    wanted = reference(method, clean, other, labels, 1.7)
    wanted += np.log(judged[np.arange(40), labels])
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


def test_the_term_of_mart_is_finite_where_the_classifier_is_sure_and_wrong():
    logits = np.float32([[-60.0, 60.0, 0.0]])
    assert mart_term(logits, logits, np.int32([0]), 5.0).numpy() == pytest.approx([60], rel=1e-4)


@pytest.mark.parametrize("method", ["trades", "mart"])
@pytest.mark.parametrize("head", [None, "softmax"])
def test_the_loss_of_a_step_is_the_papers(make_classifier, digits, method, head):
    images, labels = digits[0][:32], digits[1][:32]
    classifier = make_classifier(head)
    attack = FGSM(0.1)
    other = attack.last_iterates(classifier, images, labels)

    def shares(images):
        outputs = classifier.predict(images, verbose=0).astype("float64")
        return outputs if head else softmax(outputs)

    wanted = reference(method, shares(images), shares(other), labels, 2.5).mean()
    said = train(
        classifier, images, labels, method=method, attack=attack, beta=2.5,
        loss=sparse_loss(from_logits=head is None),
    )  # fmt: skip
    assert said.history["loss"][0] == pytest.approx(wanted, rel=1e-5)
