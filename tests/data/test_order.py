"""Orders of rows: pure functions of (seed, step), each with the law that it promises."""

import numpy as np
import pytest
import tensorflow as tf

from kgan.data import order


def rows_of(function, steps):
    return [function(tf.constant(step, tf.int64)).numpy() for step in range(steps)]


def test_shuffled_takes_each_row_once_a_pass_and_is_that_of_before():
    n, batch = 50, 8
    rows = rows_of(order.shuffled(n, batch, seed=3), 18)
    for number in range(3):
        taken = np.concatenate(rows[6 * number : 6 * number + 6])
        assert len(set(taken)) == 48
    assert not np.array_equal(rows[0], rows[6])
    # The order that the first version drew, by TensorFlow's own function.
    for step in range(18):
        places = step % 6 * batch + tf.range(batch, dtype=tf.int64)
        expected = tf.random.experimental.index_shuffle(
            places, seed=tf.constant([3, step // 6]), max_index=tf.constant(n - 1, tf.int64)
        )
        np.testing.assert_array_equal(rows[step], expected)


def test_without_a_gap_a_pass_ends_inside_a_batch():
    rows = np.concatenate(rows_of(order.shuffled(10, 4, seed=1, drop_last=False), 10))
    for number in range(4):
        assert sorted(rows[10 * number : 10 * number + 10]) == list(range(10))
    # Also for a batch larger than the data.
    large = order.shuffled(3, 7, drop_last=False)(tf.constant(0, tf.int64)).numpy()
    assert sorted(large[:3]) == sorted(large[3:6]) == [0, 1, 2]
    with pytest.raises(ValueError, match="batch_size must be at most the 3 rows, got 7"):
        order.shuffled(3, 7)


def test_balanced_gives_each_class_its_turn():
    labels = np.array([0] * 20 + [1] * 5 + [3] * 25)
    rows = np.concatenate(rows_of(order.balanced(labels, 6, seed=1), 50))
    np.testing.assert_array_equal(np.bincount(labels[rows]), [100, 100, 0, 100])
    # Within a class every row comes equally often: 100 / 20, 100 / 5, 100 / 25.
    np.testing.assert_array_equal(np.bincount(rows), [5] * 20 + [20] * 5 + [4] * 25)
    assert not np.array_equal(rows[labels[rows] == 1][:5], rows[labels[rows] == 1][5:10])


def test_in_balanced_batches_neighbours_are_of_one_class_as_often_as_any_two():
    labels = np.arange(400) % 4
    steps = labels[np.stack(rows_of(order.balanced(labels, 40, seed=1), 500))]
    np.testing.assert_array_equal((steps == 2).sum(axis=1), 10)
    # Of 39 others in the batch 9 are of the same class.
    same = (steps[:, ::2] == steps[:, 1::2]).mean()
    assert abs(same - 9 / 39) < 4 * np.sqrt(9 / 39 * 30 / 39 / 10_000)
    # Every second row, as a half-step of two takes them.
    assert (steps[:, ::2] == 0).mean() == pytest.approx(0.25, abs=0.02)


def test_weighted_draws_each_row_by_its_class():
    labels = np.repeat([0, 1, 2], [700, 290, 10])
    rows = order.weighted(labels, np.array([1.0, 0.0, 70.0]), 500, seed=1)
    drawn = np.concatenate([rows(tf.constant(step, tf.int64)).numpy() for step in range(40)])
    counts = np.bincount(labels[drawn], minlength=3)
    # 700 * 1 and 10 * 70: as often; a class without weight never comes.
    assert counts[1] == 0
    assert abs(counts[0] - 10_000) < 4 * np.sqrt(20_000 / 4)
    rare = np.bincount(drawn[labels[drawn] == 2] - 990, minlength=10)
    assert abs(rare - 1000).max() < 5 * np.sqrt(1000)
    assert drawn.dtype == np.int64


def test_poisson_draws_each_row_with_its_rate():
    n, rate, steps = 400, 0.05, 400
    counts, sizes = np.zeros(n), []
    draw = order.poisson(n, rate, 60, key=tf.constant([1, 2]))
    for step in range(steps):
        rows, mask = (value.numpy() for value in draw(tf.constant(step, tf.int64)))
        assert len(set(rows[mask])) == mask.sum()
        assert not rows[~mask].any()
        counts[rows[mask]] += 1
        sizes.append(mask.sum())
    # Binomial(n, rate): mean 20, variance 19; each row Binomial(steps, rate).
    assert abs(np.mean(sizes) - n * rate) < 4 * np.sqrt(n * rate * (1 - rate) / steps)
    assert 0.75 < np.var(sizes) / (n * rate * (1 - rate)) < 1.25
    assert 0.75 < np.var(counts) / (steps * rate * (1 - rate)) < 1.25
    with pytest.raises(ValueError, match=r"rate must be in \(0, 1\], got 0"):
        order.poisson(10, 0, 5, key=tf.constant([1, 2]))
    with pytest.raises(ValueError, match=r"capacity must be in \[1, 10\]"):
        order.poisson(10, 0.5, 11, key=tf.constant([1, 2]))


def test_rows_of_two_sets_do_not_stay_together():
    first, second = order.apart(30, 30, 10, seed=4)
    pairs = [
        set(zip(first(step).numpy(), second(step).numpy(), strict=True))
        for step in (tf.constant(s, tf.int64) for s in range(6))
    ]
    assert len(set.union(*pairs)) > 50  # Of 60; paired they would be 30.
    small, large = order.apart(7, 20, 5)
    assert set(np.concatenate(rows_of(small, 7))) == set(range(7))
    assert sorted(np.concatenate(rows_of(large, 4))) == list(range(20))


@pytest.mark.parametrize(
    "make",
    [
        lambda: order.shuffled(20, 4, seed=5),
        lambda: order.balanced(np.arange(20) % 3, 4, seed=5),
        lambda: order.weighted(np.arange(20) % 3, np.ones(3), 4, seed=5),
        lambda: order.apart(20, 9, 4, seed=5)[1],
    ],
)
def test_a_graph_that_begins_later_gives_the_same(make):
    function = make()
    stream = tf.data.Dataset.range(17, 20).map(make())
    for step, rows in zip(range(17, 20), stream.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(rows, function(tf.constant(step, tf.int64)))
