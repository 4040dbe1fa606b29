"""Draws of encoded rows: by their law, never what cannot be, and one-hot."""

import numpy as np
import pytest
import tensorflow as tf

from kgan.networks import row_activation

SIZES, ONE_HOT = (1, 4, 1, 3), (False, True, False, True)
N = 20_000


@pytest.mark.parametrize("draw", [row_activation.draw, row_activation.draw_parts])
def test_categories_are_drawn_by_their_softmax(draw):
    random = np.random.default_rng(0)
    logits = np.float32([0.3, 2.0, 0.5, -1.0, 1.0, -0.7, 0.0, 1.5, 3.0])
    width = len(SIZES) if draw is row_activation.draw_parts else 9
    uniform = random.random((N, width), np.float32)
    rows = draw(tf.tile(logits[None], [N, 1]), tf.constant(uniform), SIZES, ONE_HOT).numpy()
    np.testing.assert_allclose(rows[:, [0, 5]], np.tanh(logits[[0, 5]])[None].repeat(N, 0))
    for span in (slice(1, 5), slice(6, 9)):
        drawn = np.bincount(rows[:, span].argmax(axis=1), minlength=span.stop - span.start)
        shares = np.exp(logits[span]) / np.exp(logits[span]).sum()
        np.testing.assert_allclose(drawn / N, shares, atol=4 * 0.5 / np.sqrt(N))


def test_a_draw_of_each_part_is_the_inverse_distribution_function():
    logits = np.log(np.float32([[0.1, 0.2, 0.3, 0.4]])).repeat(6, 0)
    uniform = np.float32([[0.05], [0.15], [0.29], [0.31], [0.59], [0.999]])
    rows = row_activation.draw_parts(logits, uniform, (4,), (True,)).numpy()
    np.testing.assert_array_equal(rows, np.eye(4)[[0, 1, 1, 2, 2, 3]])


@pytest.mark.parametrize("end", [0.0, 1e-9, 0.5, 1.0 - 2.0**-24, 1.0])
def test_what_cannot_be_is_never_drawn(end):
    """Logits of what is asked for, or forbidden, are a billion above or below all others."""
    random = np.random.default_rng(1)
    logits = random.normal(size=(500, 7)).astype(np.float32) * 3
    logits[:, [0, 3, 5, 6]] -= 2e9
    rows = row_activation.draw_parts(logits, np.full((500, 1), end, np.float32), (7,), (True,))
    assert set(rows.numpy().argmax(axis=1)) <= {1, 2, 4}
    asked = random.normal(size=(500, 7)).astype(np.float32)
    asked[:, 2] += 1e9
    rows = row_activation.draw_parts(asked, np.full((500, 1), end, np.float32), (7,), (True,))
    assert set(rows.numpy().argmax(axis=1)) == {2}
