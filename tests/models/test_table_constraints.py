"""Constraints between columns hold in every row, whatever a network makes."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.constraints
import kgan.data
import kgan.kinds
import kgan.models
from kgan.constraints import AtMost, Together, Within
from kgan.data.table import table
from tests.models.people import BATCH, build

CONSTRAINTS = ("start<=end", "end<=last", "price<=most", "age>=18", "city&country&code")


def trips(n=160):
    """Dates in a row, prices below a most, and cities of countries; some of each are missing."""
    random = np.random.default_rng(0)
    start = np.datetime64("2020-01-01") + random.integers(0, 300, n)
    end = start + random.integers(0, 20, n)
    last = end + random.integers(0, 2, n)
    end = np.where(random.random(n) < 0.1, np.datetime64("NaT"), end)
    price = np.round(random.lognormal(3, 1, n), 2)
    most = np.round(price * (1 + random.random(n)) + 0.05, 1)
    city = random.integers(0, 5, n)
    return table(
        "trips",
        {
            "last": last,
            "end": end,
            "start": start,
            "most": most,
            "price": np.where(random.random(n) < 0.2, np.nan, price),
            "age": random.integers(18, 90, n),
            "country": np.array(["DE", "DE", "FR", "FR", "IT"], object)[city],
            "city": np.array(["Ulm", "Köln", "Paris", "Lyon", "Rom"], object)[city],
            "code": np.array([1, 1, 2, 3, 3])[city],
        },
        {"code": "category", "age": "integer"},
        constraints=CONSTRAINTS,
    )


@pytest.fixture(scope="module")
def wild():
    """An untrained generator with large weights: rows are as odd as they can be."""
    data = trips()
    gan = build(data, packing=1)
    random = np.random.default_rng(1)
    for one in gan.ema_generator.get_layer("rows").weights:
        one.assign(random.normal(0, 3, one.shape).astype(np.float32))
    return data, gan


def broken(rows):
    """How many rows break a constraint, by its text."""
    pairs = {(c, k, int(z)) for c, k, z in [("Ulm", "DE", 1), ("Köln", "DE", 1), ("Paris", "FR", 2),
                                            ("Lyon", "FR", 3), ("Rom", "IT", 3)]}  # fmt: skip
    found = zip(
        rows["city"].tolist(), rows["country"].tolist(), map(int, rows["code"]), strict=True
    )
    return {
        "start<=end": int((rows["start"] > rows["end"]).sum()),
        "end<=last": int((rows["end"] > rows["last"]).sum()),
        "price<=most": int((rows["price"] > rows["most"]).sum()),
        "age>=18": int((rows["age"] < 18).sum()),
        "together": sum(one not in pairs for one in found),
    }


def test_rows_come_back_and_what_is_learnt_is_the_distance(wild):
    data, gan = wild
    encoder = gan.encoder
    encoded = encoder.encoded_rows(data.samples)
    back = encoder.spelled(encoder.decode(encoder.expand(encoded)))
    back = data.kind.of_answer({name: values.numpy() for name, values in back.items()})
    for name in ("start", "end", "last", "age", "city", "code"):
        np.testing.assert_array_equal(back[name], data.samples[name])
    np.testing.assert_allclose(back["price"], data.samples["price"], atol=0.02)
    np.testing.assert_allclose(back["most"], data.samples["most"], atol=0.11)
    one = next(one for one in data.kind.constraints if one.columns == ("start", "end"))
    apart = (data.samples["end"] - data.samples["start"]) / np.timedelta64(1, "D")
    longest = np.nanmax(apart)
    assert one.most == longest
    assert sum(broken(back).values()) == 0


def test_every_row_keeps_every_constraint(wild):
    data, gan = wild
    rows = gan.generate(600, seed=1)
    assert broken(rows) == dict.fromkeys(broken(rows), 0)
    data.kind.check("generated", rows)
    assert np.isnat(rows["end"]).any()
    # Asked for what comes later in a combination, what comes before it follows.
    rows = gan.generate(200, where={"city": "Rom"})
    assert set(rows["country"]) == {"IT"}
    assert set(gan.generate(200, where={"code": 3})["country"]) <= {"FR", "IT"}
    assert broken(rows) == dict.fromkeys(broken(rows), 0)
    with pytest.raises(ValueError, match="'city&country&code' forbids: it is in no row"):
        gan.generate(2, where={"city": "Rom", "country": "FR"})


def test_constraints_are_saved_trained_and_exported(wild, tmp_path):
    data, gan = wild
    kind = kgan.kinds.from_config(json.loads(json.dumps(data.kind.get_config())))
    assert kind == data.kind
    gan.save(tmp_path / "trips.keras")
    again = kgan.models.load(tmp_path / "trips.keras")
    rows, same = gan.generate(20, seed=3), again.generate(20, seed=3)
    for name, values in rows.columns.items():
        np.testing.assert_array_equal(same[name], values)
    feed = kgan.data.feed_rows(data, BATCH, encoded=gan.encoder.encoded_rows(data.samples))
    again.run_eagerly = True
    again.fit(feed, steps_per_epoch=1, shuffle=False, verbose=0)
    answer = tf.function(gan.endpoints().endpoints["generate"].function)(
        {"seeds": kgan.latents.example_seeds(3, 20)}
    )
    assert data.kind.of_answer(
        {name: values.numpy() for name, values in answer.items()}
    )["city"].tolist() == rows["city"].tolist()  # fmt: skip
    assert isinstance(gan, keras.Model)
    # A request that no client has looked at is refused too, whole.
    seeds = kgan.latents.example_seeds(3, 2)
    where = tf.function(gan.endpoints().endpoints["generate_where"].function)
    names = [one.name for one in data.kind.conditions]
    asked = np.full((2, len(names)), "*", object)
    asked[1, names.index("city")] = "Rom"
    answer = where({"seeds": seeds, "where": tf.constant(asked.tolist())})
    assert answer["country"].numpy()[1] == b"IT"
    asked[1, names.index("country")] = "FR"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"city&country&code.* forbids"):
        where({"seeds": seeds, "where": tf.constant(asked.tolist())})
    with pytest.raises(ValueError, match="forbids: it is in no row of the data"):
        kgan.models.words_of(data.kind, {"city": "Rom", "country": "FR"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("price<=start", "must be of two numbers, or of two dates"),
        ("most<=price", r"is broken by \d+ of its 160 rows, the first of them row"),
        ("age>=30", "is broken by"),
        ("age<=30", "is broken by"),
        ("start>=18", "must be of a number, and 'start' is a date"),
        ("city<=country", "must be of numbers or dates, and 'city' is a category"),
        ("age&city", "must be of categories, and 'age' is a integer"),
        ("aeg>=18", "a constraint must be COLUMN<=COLUMN, .* got 'aeg>=18'"),
        ("age>=old", "a constraint must be"),
        ("age", "a constraint must be"),
        ("city&city", "a constraint must be"),
    ],
)
def test_a_constraint_that_cannot_be_is_named(text, said):
    data = trips()
    columns = {one.name: one for one in data.kind.columns}

    def given():
        constraint = kgan.constraints.parsed(text, list(columns))
        kgan.constraints.fitted(constraint, columns, data.samples, "trips")

    with pytest.raises(ValueError, match=said):
        given()


def test_constraints_must_not_get_in_each_others_way():
    check = kgan.constraints.check_together
    with pytest.raises(ValueError, match="column 'b' must be above one other column at most"):
        check((AtMost("a", "b"), AtMost("c", "b")))
    with pytest.raises(ValueError, match="must not go in a circle"):
        check((AtMost("a", "b"), AtMost("b", "a")))
    with pytest.raises(ValueError, match="column 'b' must be in one combination at most"):
        check((Together(("a", "b")), Together(("b", "c"))))
    assert Within("a", low=1.0).describe() == "a>=1"
