"""Columns declared in full: what is told of them, what becomes of their values, what is refused."""

import json

import numpy as np
import pytest

import kgan.data
from kgan.data.declared import column_of, declared_values
from kgan.rows import Boolean, Category, Date, Id, Integer, Number


@pytest.mark.parametrize(
    ("declared", "column"),
    [
        ({"type": "number", "low": 0, "high": 2.5}, Number("x", 0, 2.5)),
        (
            {"type": "number", "low": 0, "high": 9, "decimals": 2, "missing": True},
            Number("x", 0, 9, 2, True),
        ),
        ({"type": "integer", "low": -3, "high": 120}, Integer("x", -3, 120)),
        ({"type": "category", "values": ["a", "b", ""]}, Category("x", ("a", "b", ""))),
        ({"type": "category", "values": [1, 2]}, Category("x", (1, 2))),
        ({"type": "boolean", "values": ["no", "yes"]}, Boolean("x", ("no", "yes"))),
        ({"type": "id", "prefix": "c-"}, Id("x", "c-")),
        # 1970-01-11 is day 10.
        (
            {"type": "date", "format": "%Y-%m-%d", "low": "1970-01-11", "high": "1970-02-01"},
            Date("x", 10, 31, 86_400_000_000, "%Y-%m-%d"),
        ),
        (
            {"type": "date", "format": "%d.%m.%Y %H:%M", "low": "01.01.1970 00:01",
             "high": "01.01.1970 01:00", "missing": True},
            Date("x", 60, 3600, 1_000_000, "%d.%m.%Y %H:%M", True),
        ),
    ],
)  # fmt: skip
def test_a_declaration_is_a_column(declared, column):
    assert column_of("t", "x", declared) == column


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"low": 0}, r'column \'x\' of t must be declared with its "type"'),
        ({"type": "integr"}, "Did you mean 'integer'"),
        ({"type": "integer", "low": 0}, "must be declared as in .*high"),
        ({"type": "integer", "low": 5, "high": 4}, "low must be at most high"),
        ({"type": "number", "low": 0, "high": 1, "unit": "m"}, "unit"),
        ({"type": "category", "values": []}, "must not be empty"),
        ({"type": "category"}, "must be declared as in .*values"),
        ({"type": "boolean", "values": ["a", "b", "c"]}, "must be two texts"),
        ({"type": "date", "format": "%d", "low": "1", "high": "2"}, "%Y among them"),
        ({"type": "date", "format": "%Y", "low": "x", "high": "2000"}, "must be declared as in"),
        ({"type": "date", "format": "%Y", "low": "2001", "high": "2000"}, "not be after high"),
    ],
)
def test_what_is_no_declaration_is_told(declared, told):
    with pytest.raises(ValueError, match=told):
        column_of("t", "x", declared)


def test_values_beyond_what_is_declared():
    def of(column, values):
        return declared_values("t", column, np.array(values), len(values)).values

    assert of(Integer("x", 0, 10), [-5, 3, 99]).tolist() == [0, 3, 10]
    found = of(Number("x", 0, 1, None, True), [-5.0, np.nan, 0.5, 7.0])
    np.testing.assert_array_equal(found, np.float32([0, np.nan, 0.5, 1]))
    open_category = Category("x", ("a", "(other)"))
    texts = np.array(["a", "b", "(other)"], object)
    assert of(open_category, texts).tolist() == ["a", "(other)", "(other)"]
    days = Date("x", 10, 31, 86_400_000_000, "%Y-%m-%d")
    dates = np.array(["1969-05-05", "1970-01-15", "2020-01-01"], "datetime64[us]")
    expected = np.array(["1970-01-11", "1970-01-15", "1970-02-01"], "datetime64[us]")
    np.testing.assert_array_equal(of(days, dates), expected)
    with pytest.raises(ValueError, match="none of its 2 categories, such as 'c'"):
        of(Category("x", ("a", "b")), np.array(["a", "c"], object))
    with pytest.raises(ValueError, match="1 missing values of 2, and must have none"):
        of(Number("x", 0, 1), [0.0, np.nan])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("age,name,kind\n" + "".join(f"{20 + i},n{i},{'ab'[i % 2]}\n" for i in range(9)))
    return path


def declare(path, **columns):
    path.with_suffix(".columns.json").write_text(json.dumps(columns))


def test_a_file_is_read_as_declared_and_not_as_it_is(file):
    declare(
        file,
        age={"type": "integer", "low": 0, "high": 100},
        name="drop",
        kind={"type": "category", "values": ["a", "b", "c"]},
    )
    data = kgan.data.load_table(file, held_out=0.0, in_full=True)
    assert data.kind.columns == (Integer("age", 0, 100), Category("kind", ("a", "b", "c")))
    assert data.samples["age"].tolist() == list(range(20, 29))


def test_a_table_must_be_declared_in_full_where_that_is_asked_for(file):
    declare(file, age={"type": "integer", "low": 0, "high": 100}, kind="category")
    with pytest.raises(ValueError, match=r"few\.columns\.json lacks 'name', 'kind'.*such as|lacks"):
        kgan.data.load_table(file, held_out=0.0, in_full=True)
    assert len(kgan.data.load_table(file, held_out=0.0, columns={"name": "drop"})) == 9
