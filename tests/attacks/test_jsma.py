import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import JSMA, Confidence, Distance, MultiLabel, TopK, Victim
from kgan.attacks.jsma import best_pair
from kgan.attacks.norms import keep_largest
from tests.conftest import slow_but


def saliency(up, others, room):
    """The paper's algorithm 3, by loops."""
    best, pair = 0.0, (-1, -1)
    for p in range(len(up)):
        for q in range(p + 1, len(up)):
            rise, fall = up[p] + up[q], others[p] + others[q]
            if room[p] and room[q] and rise > 0 and fall < 0 and -rise * fall > best:
                best, pair = -rise * fall, (p, q)
    return pair


@pytest.mark.parametrize("pairs", [2**22, 40])
def test_the_best_pair_is_that_of_all_pairs(pairs, monkeypatch):
    """In one block, and in many that do not divide the number of values."""
    monkeypatch.setattr("kgan.attacks.jsma._PAIRS", pairs)
    random = np.random.default_rng(0)
    up, others = random.normal(size=(2, 5, 17)).astype("float32")
    room = random.uniform(size=(5, 17)) < 0.8
    room[4] = False
    want = [saliency(*row) for row in zip(up, others, room, strict=True)]
    assert want[4] == (-1, -1)
    got = best_pair(tf.constant(up), tf.constant(others), tf.constant(room)).numpy()
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("change", [1.0, -0.5])
def test_jsma_is_the_published_loop(change):
    random = np.random.default_rng(1)
    weights = random.normal(size=(20, 3)).astype("float32")
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(3, use_bias=False)])
    model.set_weights([weights])
    images = random.uniform(0.3, 0.7, size=(12, 20)).astype("float32")
    labels = (images @ weights).argmax(axis=1)
    targets = (labels + 1) % 3
    got = JSMA(change=change).run(model, images, targets=targets)
    slopes = np.sign(change) * weights.astype(np.float64)
    for image, target, found, success in zip(
        images, targets, got.adversarial, got.success, strict=True
    ):
        moved = image.astype(np.float64)
        while (moved @ weights).argmax() != target:
            room = moved < 0.99 if change > 0 else moved > 0.01
            pair = saliency(slopes[:, target], slopes.sum(axis=1) - slopes[:, target], room)
            if pair == (-1, -1):
                break
            moved[list(pair)] = np.clip(moved[list(pair)] + change, 0, 1)
        fooled = (moved @ weights).argmax() == target
        assert fooled == success
        np.testing.assert_allclose(found, moved if fooled else image, atol=1e-6)
    assert got.success.sum() > 2


def _others(z, label):
    return [k for k in np.argsort(-z, kind="stable") if k != label]


def _wrong(z, truth):
    return np.where(truth > 0, -z, z)


# What is aimed at by the logits of the clean image; which logits are to rise and to fall, with
# which sign, by those of now; and whether an answer counts.
CRITERIA_LOOPS = {
    "top-k": (
        TopK(2),
        lambda z, truth: _others(z, truth)[:2],
        lambda z, truth, aim: (
            {min(aim, key=lambda k: z[k]): 1},
            {k: 1 for k in range(5) if k not in aim},
        ),
        lambda z, truth: np.sum(z > z[truth]) >= 2,
    ),
    "confidence": (
        Confidence(0.8),
        lambda z, truth: _others(z, truth)[:1],
        lambda z, truth, aim: ({aim[0]: 1}, {k: 1 for k in range(5) if k not in aim}),
        lambda z, truth: np.max(np.delete(np.exp(z) / np.exp(z).sum(), truth)) >= 0.8,
    ),
    "multi-label": (
        MultiLabel(2),
        lambda z, truth: np.argsort(-_wrong(z, truth), kind="stable")[:2],
        lambda z, truth, aim: _one(min(aim, key=lambda k: _wrong(z, truth)[k]), truth),
        lambda z, truth: np.sum(_wrong(z, truth) > 0) >= 2,
    ),
}


def _one(label, truth):
    """A label by itself: turned, with nothing else to fall."""
    sign = -1 if truth[label] else 1
    return {label: sign}, {label: -sign}


@pytest.mark.parametrize("name", slow_but(CRITERIA_LOOPS, "top-k"))
def test_jsma_aims_at_what_counts(name):
    criterion, aim_of, moves, counts = CRITERIA_LOOPS[name]
    random = np.random.default_rng(2)
    weights = random.normal(size=(20, 5)).astype("float32")
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(5)])
    bias = -0.5 * weights.sum(axis=0)
    model.set_weights([weights, bias])
    images = random.uniform(0.3, 0.7, size=(12, 20)).astype("float32")
    clean = images @ weights + bias
    truth = clean.argmax(axis=1) if criterion.by_class else (clean > 0).astype(int)
    got = JSMA(change=0.5).run(Victim(model, criterion=criterion), images, truth)
    slopes = weights.astype(np.float64)
    for image, one, found, success in zip(images, truth, got.adversarial, got.success, strict=True):
        moved = image.astype(np.float64)
        aim = aim_of(moved @ weights + bias, one)
        while not counts(z := moved @ weights + bias, one):
            up, others = (
                sum(sign * slopes[:, k] for k, sign in side.items()) for side in moves(z, one, aim)
            )
            pair = saliency(up, others, moved < 0.99)
            if pair == (-1, -1):
                break
            moved[list(pair)] = np.clip(moved[list(pair)] + 0.5, 0, 1)
        fooled = counts(moved @ weights + bias, one)
        assert fooled == success
        np.testing.assert_allclose(found, moved if fooled else image, atol=1e-6)
    assert got.success.sum() > 2


def test_jsma_raises_the_margin_where_there_is_nothing_to_aim_at():
    """Labels to be reached, and a number to leave: each step takes the steepest pair."""
    random = np.random.default_rng(3)
    weights = random.normal(size=(20, 3)).astype("float32")
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(3)])
    model.set_weights([weights, -0.5 * weights.sum(axis=0)])
    images = random.uniform(0.3, 0.7, size=(12, 20)).astype("float32")
    answers = model(images).numpy()
    victim = Victim(model, criterion=MultiLabel())
    result = JSMA(change=0.5).run(victim, images, targets=answers < 0)
    assert result.success.sum() > 2
    reached = model(result.adversarial).numpy() > 0
    np.testing.assert_array_equal(np.all(reached == (answers < 0), axis=1), result.success)
    number = keras.Sequential([keras.Input((20,)), keras.layers.Dense(1)])
    number.set_weights([weights[:, :1], np.zeros(1)])
    start = images @ weights[:, 0]
    victim = Victim(number, criterion=Distance(1.0))
    result = JSMA().run(victim, images, (start - 0.1).astype("float32"))
    assert result.success.all()
    assert np.all((result.adversarial != images).sum(axis=1) <= 4)
    assert np.all(result.adversarial @ weights[:, 0] - start >= 0.9 - 1e-5)


def test_keep_largest_is_exact_with_ties():
    change = tf.constant([[3.0, -3.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    got = keep_largest(change, tf.constant([1.9, 3.0])).numpy()
    np.testing.assert_array_equal(got, [[3.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
