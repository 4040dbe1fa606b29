import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FGSM, PGD, AutoAttack, RandomNoise, Square, Universal, victim_of
from kgan.robustness.evaluation import evaluate
from kgan.robustness.masking import MEANINGS, Outcome, compare, probe
from tests.attacks.conftest import build

ATTACKS = [RandomNoise(tries=5), FGSM(), PGD(steps=20), Square(steps=200)]
EPSILONS = [0.1, 0.3]


class Rounding(keras.layers.Layer):
    """Hides the gradient altogether."""

    def call(self, images):
        return keras.ops.round(images * 6) / 6


class Ripples(keras.layers.Layer):
    """Turns the gradient around everywhere but near the grey levels that digits have."""

    def call(self, images):
        return images + keras.ops.sin(2 * np.pi * 16 * images) / 40


def behind(layer, model):
    return keras.Sequential([keras.Input((8, 8, 1)), layer, model])


@pytest.fixture(scope="module")
def robust_model(digits):
    """Trained on PGD's images: honestly robust, and far from linear."""
    images, labels = (tf.constant(array[:1200]) for array in digits)
    keras.utils.set_random_seed(1)
    model = build()
    optimizer = keras.optimizers.Adam(0.01)
    attack = PGD(0.15, steps=5)

    @tf.function
    def step(rows, seed):
        batch, classes = tf.gather(images, rows), tf.gather(labels, rows)
        adversarial = attack.perturb(model, batch, classes, seed=seed)
        with tf.GradientTape() as tape:
            logits = model(adversarial, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
            loss = tf.reduce_mean(losses)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    generator = np.random.default_rng(0)
    for i in range(150):
        step(tf.constant(generator.integers(0, 1200, 64)), tf.constant(i))
    return model


def names(model, digits, attacks=ATTACKS, epsilons=EPSILONS):
    images, labels = (array[1300:1500] for array in digits)
    report = evaluate(model, images, labels, attacks=attacks, epsilons=epsilons)
    return {flag.name for flag in report.flags}


def test_a_normal_and_a_robust_model_raise_no_flag(model, robust_model, digits):
    assert names(model, digits) == set()
    assert names(robust_model, digits) == set()


@pytest.mark.parametrize(
    "norm",
    [
        "linf",
        pytest.param("l2", marks=pytest.mark.slow),
        pytest.param("l1", marks=pytest.mark.slow),
    ],
)
def test_no_flag_at_any_epsilon(robust_model, digits, norm):
    """Also where the model is as good as linear, and where everything is fooled."""
    images, labels = (array[1300:1400] for array in digits)
    victim = victim_of(robust_model, images)
    right = victim.predict(images).argmax(axis=1) == labels
    for share in (0.02, 0.3, 1.0):
        epsilon = share * {"linf": 0.5, "l2": 3.0, "l1": 15.0}[norm]
        assert probe(victim, images[right], labels[right], norm=norm, epsilon=epsilon) == []


@pytest.mark.filterwarnings("ignore:No gradient of the model")
def test_hidden_gradients_raise_all_flags_but_one(model, digits):
    found = names(behind(Rounding(), model), digits)
    # Nothing was certified here.
    assert found == set(MEANINGS) - {
        "single-step beats iterative",
        "attack contradicts certificate",
    }


def test_a_rugged_loss_lets_a_single_step_win(model, digits):
    assert "single-step beats iterative" in names(behind(Ripples(), model), digits)


def outcome(attack, fooled, n=100, epsilon=0.1):
    rows = np.zeros(n, bool)
    rows[list(fooled)] = True
    return Outcome(attack, epsilon, rows)


def flags(*outcomes, norm="linf"):
    return [flag.name for flag in compare(outcomes, norm)[0]]


def test_black_box_is_compared_with_all_gradient_attacks_image_by_image():
    square, pgd, other = Square(0.1), PGD(0.1), PGD(0.1, restarts=2)
    beats = ["black-box beats white-box"]
    assert flags(outcome(square, range(10)), outcome(pgd, [])) == beats
    assert flags(outcome(square, range(10)), outcome(pgd, []), outcome(other, range(10))) == []
    # A few more by chance are no sign.
    assert flags(outcome(square, range(4)), outcome(pgd, [])) == []
    assert flags(outcome(square, range(30)), outcome(pgd, range(15, 40))) == []
    # Neither is winning against an attack that is at home in another norm, or in a single step.
    assert flags(outcome(square, range(10)), outcome(PGD(1.0, norm="l2"), [])) == []
    assert flags(outcome(square, range(10)), outcome(FGSM(0.1), [])) == []


def test_a_single_step_is_compared_with_many():
    single = ["single-step beats iterative"]
    assert flags(outcome(FGSM(0.1), range(10)), outcome(PGD(0.1), [])) == single
    assert flags(outcome(FGSM(0.1), range(10)), outcome(PGD(0.1), range(10))) == []


def test_noise_counts_as_good_unless_the_attack_fools_everything():
    noise, pgd = RandomNoise(0.1), PGD(0.1)
    assert flags(outcome(noise, range(40)), outcome(pgd, range(40))) == [
        "random noise as good as the attack"
    ]
    assert flags(outcome(noise, range(20)), outcome(pgd, range(40))) == []
    assert flags(outcome(noise, range(3)), outcome(pgd, range(3))) == []
    assert flags(outcome(noise, range(99)), outcome(pgd, range(100))) == []


def test_what_cannot_be_compared_is_said():
    found, unchecked = compare([outcome(PGD(0.1), [])], "linf")
    assert found == []
    assert len(unchecked) == 3
    assert "square" in unchecked[0]


def test_a_subclass_is_of_its_bases_category():
    class Mine(Square):
        pass

    attacks = (RandomNoise(), FGSM(), PGD(), Mine(), AutoAttack())
    categories = [attack.category for attack in attacks]
    assert categories == ["noise", "single-step", "white-box", "black-box", None]


def test_what_was_learnt_before_is_no_attack_on_gradients():
    many, few = np.ones(40, bool), np.arange(40) < 10
    outcomes = [Outcome(Square(0.1), 0.1, many), Outcome(Universal(0.1), 0.1, few)]
    flags, unchecked = compare(outcomes, "linf")
    assert not flags
    assert any("black-box beats white-box: needs" in text for text in unchecked)
    flags, _ = compare([*outcomes, Outcome(PGD(0.1), 0.1, few)], "linf")
    assert [flag.name for flag in flags] == ["black-box beats white-box"]
