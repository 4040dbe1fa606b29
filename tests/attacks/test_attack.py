"""The template: validation, `perturb`, random numbers, published formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FGSM, PGD, AutoAttack, MomentumPGD, RandomNoise, victim_of
from kgan.attacks.apgd import checkpoints
from kgan.attacks.attack_run import pad
from tests.attacks.conftest import build


def gradient_of(model, images, labels):
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(images))
    return tape.gradient(loss, images).numpy()


def test_fgsm_is_its_formula(model, some):
    images, labels = some
    want = np.clip(images + 0.2 * np.sign(gradient_of(model, images, labels)), 0, 1)
    got = FGSM(0.2).last_iterates(model, images, labels)
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_targeted_fgsm_descends(model, some):
    images, labels = some
    targets = (labels + 1) % 10
    want = np.clip(images - 0.2 * np.sign(gradient_of(model, images, targets)), 0, 1)
    got = FGSM(0.2).last_iterates(model, images, targets=targets)
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_pgd_is_a_plain_loop(model, some):
    images, labels = some
    want = images
    for _ in range(7):
        want = want + 0.04 * np.sign(gradient_of(model, want, labels))
        want = np.clip(np.clip(want, images - 0.1, images + 0.1), 0, 1)
    attack = PGD(0.1, steps=7, step_size=0.04, random_start=False)
    got = attack.last_iterates(model, images, labels)
    assert np.mean(np.abs(got - want) < 1e-5) > 0.999


def test_momentum_is_a_plain_loop(model, some):
    images, labels = some
    want, momentum = images, 0.0
    for _ in range(5):
        gradient = gradient_of(model, want, labels)
        momentum = 0.9 * momentum + gradient / np.abs(gradient).sum(axis=(1, 2, 3), keepdims=True)
        want = np.clip(want + 0.02 * np.sign(momentum), 0, 1)
    got = MomentumPGD(0.1, steps=5, decay=0.9).last_iterates(model, images, labels)
    assert np.mean(np.abs(got - want) < 1e-5) > 0.999


def test_early_stop_fools_the_same_examples(model, some):
    images, labels = some
    stops = PGD(0.08, steps=15).run(model, images, labels)
    goes_on = PGD(0.08, steps=15, early_stop=False).run(model, images, labels)
    np.testing.assert_array_equal(stops.success, goes_on.success)


def test_perturb_inside_a_training_step(model, some):
    images, labels = map(tf.constant, some)
    attack = PGD(0.1, steps=5)

    @tf.function
    def step(seed):
        with tf.GradientTape() as tape:
            adversarial = attack.perturb(
                lambda x: model(x, training=False), images, labels, seed=seed
            )
            loss = tf.reduce_mean(model(adversarial))
        return adversarial, tape.gradient(loss, model.trainable_variables)

    first, gradients = step(tf.constant([1, 2]))
    assert np.abs(first - images).max() <= 0.1 + 1e-6
    assert all(gradient is not None for gradient in gradients)
    np.testing.assert_array_equal(first, step(tf.constant([1, 2]))[0])
    assert np.any(first != step(tf.constant([1, 3]))[0])
    # The last iterate, as if called with the same keys.
    eager = attack.perturb(lambda x: model(x, training=False), images, labels, seed=0)
    np.testing.assert_allclose(eager, attack.last_iterates(model, *some), atol=1e-5)


def test_early_exit_and_padding_rows_cost_no_example(model, some):
    images, labels = some
    for n in (1, 2, 3, 5, 9):
        result = PGD(0.2).run(model, images[:n], labels[:n], batch_size=4)
        predicted = model(result.adversarial).numpy().argmax(axis=1)
        np.testing.assert_array_equal(predicted != labels[:n], result.success)


def test_pad():
    np.testing.assert_array_equal(pad(np.array([7, 8, 9]), 8), [7, 8, 9])
    np.testing.assert_array_equal(pad(np.arange(9), 16), [*range(9), 8, 8, 8])
    np.testing.assert_array_equal(pad(np.array([7]), 8), [7])
    np.testing.assert_array_equal(pad(np.arange(5), 6), [0, 1, 2, 3, 4])


def test_checkpoints_of_the_paper():
    ends = np.flatnonzero(checkpoints(100)) + 1
    # Section 3.1: windows of 22, 19, 16, ... steps, never below 6.
    np.testing.assert_array_equal(ends[:7], [22, 41, 57, 70, 80, 87, 93])
    assert np.all(np.diff(ends) >= 6)


def test_the_model_may_be_retrained_between_runs(some):
    images, labels = some
    model = build()
    before = FGSM(0.1).last_iterates(model, images, labels)
    model.set_weights([np.random.default_rng(0).permutation(w) for w in model.get_weights()])
    after = FGSM(0.1).last_iterates(model, images, labels)
    want = np.clip(images + 0.1 * np.sign(gradient_of(model, images, labels)), 0, 1)
    np.testing.assert_allclose(after, want, atol=1e-6)
    assert np.any(before != after)


def test_mixed_precision_and_labels_left_out(some):
    images, _ = some
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("softmax")
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    result = PGD(0.2, steps=5).run(model, images)
    np.testing.assert_array_equal(
        result.labels, victim_of(model, images).predict(images).argmax(axis=1)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epsilon": 8}, r"epsilon must be in \[0, 1\] .* got 8\. Did you mean 8/255\?"),
        ({"epsilon": 0.3, "step_size": 2}, "Did you mean 2/255"),
        ({"epsilon": -0.1}, "at least 0, got -0.1"),
        ({"norm": "l3"}, "norm must be one of 'linf', 'l2', 'l1', got 'l3'"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": "3"}, "steps must be a whole number of at least 1, got '3'"),
        ({"seed": None}, r"seed must be a whole number in .*, got None"),
        ({"loss": "mse"}, "loss must be one of"),
        ({"restarts": 3, "random_start": False}, "restarts=3 needs random_start=True"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_wrong_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        PGD(**arguments)


def test_wrong_inputs(model, some):
    images, labels = some
    attack = RandomNoise(0.1)
    with pytest.raises(ValueError, match=r"in \[0, 1\], got values from 0 to 255"):
        attack(model, images * 255, labels)
    with pytest.raises(ValueError, match="float32 in \\[0, 1\\], got uint8"):
        attack(model, (images * 255).astype("uint8"), labels)
    with pytest.raises(ValueError, match="not both"):
        attack(model, images, labels, targets=labels)
    with pytest.raises(ValueError, match=r"indices must have the shape \(37,\)"):
        attack(model, images, labels, indices=[1, 2])
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1"):
        attack(model, images, labels, batch_size=0)
    with pytest.raises(ValueError, match=r"labels must be in \[0, 9\], got 10"):
        attack(model, images, labels + (labels == 9))
    with pytest.raises(NotImplementedError, match="evaluation"):
        AutoAttack().perturb(None, None, None)
    assert attack(model, images[:0], labels[:0]).shape == (0, 8, 8, 1)
