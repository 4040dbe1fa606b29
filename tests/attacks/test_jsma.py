import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import JSMA
from kgan.attacks.jsma import best_pair
from kgan.attacks.norms import keep_largest


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


def test_keep_largest_is_exact_with_ties():
    change = tf.constant([[3.0, -3.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    got = keep_largest(change, tf.constant([1.9, 3.0])).numpy()
    np.testing.assert_array_equal(got, [[3.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
