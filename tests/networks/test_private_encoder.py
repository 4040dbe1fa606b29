"""The private encoder: what one record moves, what its noise is, and that it encodes what is."""

import numpy as np
import pytest

from kgan.kinds import Table
from kgan.networks.private_encoder import private_encoder
from kgan.rows import Category, Date, Integer, Number, Rows
from tests.networks.quiet import Quiet

DAY = 86_400_000_000
KIND = Table(
    (
        Number("price", 0.0, 250.0),
        Integer("gain", 0, 99_999),
        Integer("few", 1, 4, True),
        Date("day", 10, 400, DAY, "%Y-%m-%d", True),
        Category("colour", ("blue", "green", "red")),
        Category("one", ("x",)),
    )
)


def rows(n=500):
    random = np.random.default_rng(3)
    dates = (random.integers(10, 401, n) * DAY).astype("datetime64[us]")
    dates[::10] = "NaT"
    few = random.integers(1, 5, n).astype(float)
    few[::4] = np.nan
    return Rows(
        {
            "price": random.exponential(20, n).clip(0, 250).astype(np.float32),
            "gain": np.where(random.random(n) < 0.9, 0, random.integers(0, 100_000, n)),
            "few": few,
            "day": dates,
            "colour": random.choice(["blue", "red"], n, p=[0.8, 0.2]).astype(object),
            "one": np.full(n, "x", object),
        }
    )


def test_the_noise_covers_a_record_in_all_columns_together():
    quiet = Quiet()
    private_encoder(KIND, rows(), noise=3.0, random=quiet)
    # One record adds 1 to one count of each of six columns: a step of the root of six.
    np.testing.assert_allclose(quiet.deviations, 3.0 * np.sqrt(6))


def test_without_noise_shares_are_those_of_the_rows():
    given = rows()
    encoder = private_encoder(KIND, given, noise=1.0, random=Quiet())
    price, gain, few, day, colour, one = encoder.shares()
    blue = (given["colour"] == "blue").mean()
    np.testing.assert_allclose(colour, [blue, 0, 1 - blue])
    np.testing.assert_allclose(one, [1])
    counts = [(given["few"] == value).mean() for value in (1, 2, 3, 4)]
    np.testing.assert_allclose(few, [*counts, 0.25])
    assert day[-1] == pytest.approx(0.1)
    for shares in (price, gain, few, day):
        assert shares.sum() == pytest.approx(1.0)
    # A tenth each, as near as the intervals allow; most gains lie in the first of these.
    assert price.max() < 0.2
    # 0 is counted for itself.
    assert gain[0] == pytest.approx((given["gain"] == 0).mean())


def test_rows_come_back_to_the_width_of_a_step():
    given = rows()
    encoder = private_encoder(KIND, given, noise=1.0, random=np.random.default_rng(0))
    short = encoder.encoded_rows(given)
    back = KIND.of_answer(encoder.spelled(encoder.decode(encoder.expand(short))))
    for column in KIND.columns:
        if isinstance(column, Number):
            np.testing.assert_allclose(back["price"], given["price"], atol=1e-4)
        else:
            np.testing.assert_array_equal(back[column.name], given[column.name])


def test_its_layout_is_that_of_the_declaration_alone():
    dull = rows()[[0] * 7]
    modes = [private_encoder(KIND, one, noise=9.0).modes for one in (rows(), dull)]
    assert modes[0] == modes[1] == (12, 12, 4, 12)


def test_noise_moves_the_shares():
    encoders = [private_encoder(KIND, rows(), noise=2.0) for _ in range(2)]
    first, second = (np.asarray(one.frequencies) for one in encoders)
    assert (first != second).any()
    with pytest.raises(ValueError, match="noise must be above 0, got 0"):
        private_encoder(KIND, rows(), noise=0)
