"""Encoded rows: what comes back, what a network sees, and the modes of numbers."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from kgan.data.table import table
from kgan.networks import TableEncoder
from kgan.networks.number_modes import number_modes
from kgan.networks.row_activation import activate, draw, gumbel
from kgan.rows import Rows

FEW = hypothesis.settings(max_examples=25, deadline=None)


def tensors(rows):
    return {
        name: tf.constant(values.tolist() if values.dtype == object else values)
        for name, values in rows.columns.items()
    }


def there_and_back(data, *, seed=None, dtype=tf.float64):
    encoder = TableEncoder.fitted(data.kind, data.samples)
    encoded = encoder.encode(tensors(data.samples), seed=seed)
    assert encoded.shape == (len(data), encoder.layout.size)
    back = encoder.decode(tf.cast(encoded, dtype))
    assert list(back) == list(data.samples.columns)
    return encoded.numpy(), Rows({name: values.numpy() for name, values in back.items()})


def mixed(n=300):
    random = np.random.default_rng(0)
    return table(
        "mixed",
        {
            "price": np.round(np.where(random.random(n) < 0.6, 0.0, random.lognormal(3, 2, n)), 2),
            "rate": random.standard_cauchy(n),
            "count": np.where(random.random(n) < 0.9, 0, random.integers(0, 10**6, n)),
            "colour": random.choice(["rot", "grün", "", ' "blau", hell'], n).astype(object),
            "level": random.integers(1, 4, n),
            "unit": np.full(n, "kg", object),
            "zero": np.zeros(n),
        },
    )


@pytest.mark.parametrize("seed", [None, (1, 2)])
def test_every_kind_of_column_comes_back(seed):
    data = mixed()
    encoded, back = there_and_back(data, seed=None if seed is None else tf.constant(seed))
    for name, values in data.samples.columns.items():
        assert back[name].dtype == values.dtype
        if name == "rate":
            np.testing.assert_allclose(back[name], values, rtol=1e-6)
        else:
            np.testing.assert_array_equal(back[name], values)
    # Places lie in [-1, 1] and everything else is one-hot, though the Cauchy's tails are far.
    encoder = TableEncoder.fitted(data.kind, data.samples)
    parts = np.split(encoded, np.cumsum(encoder.layout.sizes)[:-1], axis=1)
    for part, one_hot in zip(parts, encoder.layout.one_hot, strict=True):
        if one_hot:
            np.testing.assert_array_equal(np.sort(part, axis=1)[:, -1], 1.0)
            np.testing.assert_array_equal(part.sum(axis=1), 1.0)
        else:
            assert np.abs(part).max() <= 1.0


@FEW
@hypothesis.given(
    # Their distances from a mode's center, up to 2**53, are what must be whole in float64.
    st.lists(st.integers(-(2**52), 2**52), min_size=2, max_size=40),
    st.integers(0, 1000),
)
@hypothesis.example([5, 2**52 - 4, -(2**52)], 0)
def test_whole_numbers_within_2_to_the_53_of_each_other_come_back_exactly(values, seed):
    data = table("x", {"a": np.array(values)}, {"a": "integer"})
    _, back = there_and_back(data, seed=tf.constant([seed, 0]))
    np.testing.assert_array_equal(back["a"], data.samples["a"])


@FEW
@hypothesis.given(
    st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=40), st.integers(0, 6)
)
def test_numbers_with_decimals_come_back_to_the_last_bit(values, digits):
    data = table("x", {"a": np.array(values) / 10.0**digits})
    assert data.kind.columns[0].decimals <= digits
    _, back = there_and_back(data)
    np.testing.assert_array_equal(back["a"], data.samples["a"])
    # As a network has them, in float32: to its precision in a mode's reach.
    _, coarse = there_and_back(data, dtype=tf.float32)
    spread = np.ptp(data.samples["a"].astype(float))
    np.testing.assert_allclose(coarse["a"], data.samples["a"], atol=spread * 1e-5 + 1e-12)


@FEW
@hypothesis.given(st.lists(st.text(max_size=8), min_size=2, max_size=30))
def test_texts_come_back_exactly(values):
    texts = np.empty(len(values), object)
    texts[:] = [value.replace("\x00", "") for value in values]
    data = table("x", {"a": texts}, {"a": "category"})
    _, back = there_and_back(data)
    assert back["a"].tolist() == texts.tolist()


def test_modes_are_drawn_from_the_posterior():
    random = np.random.default_rng(0)
    data = table("x", {"a": np.concatenate([random.normal(0, 1, 500), random.normal(2, 1, 500)])})
    encoder = TableEncoder.fitted(data.kind, data.samples)
    centers, deviations, weights, scales = (
        np.asarray(one)
        for one in (encoder.centers, encoder.deviations, encoder.mode_weights, encoder.scales)
    )
    value, n = np.float32(1.0), 20_000
    densities = weights * scipy.stats.norm.pdf(value, centers, deviations)
    densities *= np.abs(value - centers) <= scales
    expected = densities / densities.sum()
    assert (expected > 0.1).sum() > 1  # More than one mode can say where it lies.
    drawn = encoder.encode({"a": tf.fill([n], value)}, seed=tf.constant([3, 4])).numpy()
    shares = drawn[:, 1:].mean(axis=0)
    assert (np.abs(shares - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / n)).all()
    likeliest = encoder.encode({"a": tf.fill([1], value)}).numpy()
    assert likeliest[0, 1:].argmax() == expected.argmax()
    place = (float(value) - centers) / scales
    np.testing.assert_array_equal(drawn[:, 0], place[drawn[:, 1:].argmax(axis=1)])


def test_what_was_not_seen_is_clipped_or_refused():
    data = mixed()
    encoder = TableEncoder.fitted(data.kind, data.samples)
    rows = data.samples[:2]
    far = Rows({**rows.columns, "count": [10**9, -5]})
    back = encoder.decode(encoder.encode(tensors(far)))
    np.testing.assert_array_equal(back["count"], [data.samples["count"].max(), 0])
    strange = Rows({**rows.columns, "colour": ["rot", "lila"]})
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="column 'colour' must be one of its 4"
    ):
        encoder.encode(tensors(strange))
    # What a generator makes beyond the seen range, too.
    raw = np.full((1, encoder.layout.size), 50.0)
    decoded = encoder.decode(tf.constant(raw, tf.float32))
    for name in ("price", "rate", "count"):
        column = data.kind.column(name)
        assert column.low <= decoded[name].numpy()[0] <= column.high


def test_modes_of_a_frequent_value_are_narrow_and_whole_numbers_have_powers_of_two():
    random = np.random.default_rng(0)
    values = np.where(random.random(5000) < 0.9, 0.0, np.round(random.lognormal(8, 1, 5000)))
    modes = number_modes(values, step=1.0, whole=True)
    zero = int(np.argmax(modes.weights))
    assert modes.centers[zero] == 0
    assert modes.weights[zero] == pytest.approx(0.9, abs=0.02)
    np.testing.assert_array_equal(modes.centers, np.round(modes.centers))
    np.testing.assert_array_equal(np.log2(modes.scales), np.round(np.log2(modes.scales)))
    assert (np.abs(values[:, None] - modes.centers) <= modes.scales).any(axis=1).all()
    # A mixture that is known: two far normals of equal weight.
    far = np.concatenate([random.normal(-50, 1, 2000), random.normal(50, 3, 2000)])
    modes = number_modes(far, step=0.0)
    heavy = modes.weights > 0.1
    assert modes.weights[heavy & (modes.centers < 0)].sum() == pytest.approx(0.5, abs=0.01)
    again = number_modes(far, step=0.0)
    assert all(np.array_equal(one, other) for one, other in zip(modes, again, strict=True))


def test_an_encoder_is_its_config_and_its_weights():
    data = mixed()
    encoder = TableEncoder.fitted(data.kind, data.samples)
    again = TableEncoder.from_config(json.loads(json.dumps(encoder.get_config())))
    again.set_weights(encoder.get_weights())
    assert again.table == data.kind
    columns = tensors(data.samples)
    np.testing.assert_array_equal(again.encode(columns), encoder.encode(columns))
    # The same data give the same encoder.
    same = TableEncoder.fitted(data.kind, data.samples)
    for one, other in zip(encoder.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_activation_is_the_gumbel_softmax_by_its_formula():
    random = np.random.default_rng(0)
    raw, uniform = random.normal(size=(5, 6)), random.random((5, 6))
    uniform[0, 0], uniform[1, 5] = 0.0, 1.0
    clamped = np.clip(uniform, 1e-7, 1 - 1e-7)
    noise = -np.log(-np.log(clamped))
    expected = np.empty_like(raw)
    for span in (slice(0, 3), slice(4, 6)):
        powers = np.exp((raw + noise)[:, span] / 0.2)
        expected[:, span] = powers / powers.sum(axis=1, keepdims=True)
    expected[:, 3] = np.tanh(raw[:, 3])
    sizes, one_hot = (3, 1, 2), (True, False, True)
    found = activate(tf.constant(raw), tf.constant(uniform), sizes, one_hot, 0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.isfinite(gumbel(tf.constant([0.0, 1.0]))).all()
    # Drawing takes the greatest value of the same noisy logits, and leaves tanh as it is.
    drawn = draw(tf.constant(raw), tf.constant(uniform), sizes, one_hot).numpy()
    for span in (slice(0, 3), slice(4, 6)):
        np.testing.assert_array_equal(drawn[:, span].argmax(1), expected[:, span].argmax(1))
    np.testing.assert_allclose(drawn[:, 3], expected[:, 3])


def test_drawing_has_the_law_of_the_softmax():
    n = 40_000
    uniform = tf.constant(np.random.default_rng(0).random((n, 3), dtype=np.float32))
    raw = tf.math.log(tf.constant([[0.7, 0.2, 0.1]])) + tf.zeros([n, 1])
    shares = np.bincount(tf.argmax(draw(raw, uniform, (3,), (True,)), axis=1)) / n
    np.testing.assert_allclose(shares, [0.7, 0.2, 0.1], atol=0.01)
