"""Rows in memory, and the kind of a table."""

import json

import numpy as np
import pytest

import kgan.kinds
from kgan.data import Dataset
from kgan.kinds import Table
from kgan.rows import Category, Integer, Number, Rows

TABLE = Table(
    (
        Number("height", 0.0, 2.5, 2),
        Integer("age", 0, 120),
        Category("sex", ("female", "male")),
        Category("grade", (1, 2, 3)),
    )
)


def people():
    return Rows(
        {
            "height": [1.7, 1.55, 1.8],
            "age": [30, 41, 5],
            "sex": ["male", "female", "male"],
            "grade": [1, 3, 3],
        }
    )


def test_rows_are_typed_and_taken_by_number_slice_and_mask():
    rows = people()
    kinds = {name: values.dtype for name, values in rows.columns.items()}
    assert kinds == {"height": np.float32, "age": np.int64, "sex": object, "grade": np.int64}
    assert (len(rows), rows.shape) == (3, (3, 4))
    assert rows[[2, 0]]["age"].tolist() == [5, 30]
    assert rows[1:]["sex"].tolist() == ["female", "male"]
    assert rows[rows["sex"] == "male"]["grade"].tolist() == [1, 3]
    assert rows[1]["age"].tolist() == [41]
    assert next(iter(rows)) == {"height": np.float32(1.7), "age": 30, "sex": "male", "grade": 1}
    joined = Rows.joined([rows[:1], rows[1:]])
    assert all((joined[name] == rows[name]).all() for name in rows.columns)
    # What TensorFlow gives for texts.
    assert Rows({"x": np.array([b"\xc3\xa4"], object)})["x"].tolist() == ["ä"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "columns must not be empty"),
        ({"a": [1], "b": [1, 2]}, r"equal lengths, got \{'a': 1, 'b': 2\}"),
        ({"a": [["x"]]}, "column 'a' must have one dimension"),
        ({"a": np.array(["x", 1.0], object)}, "must not be mixed"),
        ({"a": [True]}, "got bool"),
        ({"a": np.array([2**63], np.uint64)}, "got uint64"),
    ],
)
def test_what_are_no_rows_is_refused(columns, said):
    with pytest.raises(ValueError, match=said):
        Rows(columns)


def test_a_column_that_is_not_there_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"column must be one of .* Did you mean 'height'"):
        people()["hieght"]


def test_a_table_survives_json_and_tells_what_does_not_fit():
    config = json.loads(json.dumps(TABLE.get_config()))
    assert config["columns"][2] == {"type": "category", "name": "sex", "values": ["female", "male"]}
    assert kgan.kinds.from_config(config) == TABLE
    assert TABLE.shape == (4,)
    TABLE.check("people", people())
    changes = {
        "column 'height' of people has 1 missing values of 3": ("height", [1.0, np.nan, 1.0]),
        "column 'height' of people has 2 values that are infinite": (
            "height",
            [np.inf, 1, -np.inf],
        ),
        "column 'age' of people has values from 0 to .*; whole numbers must be within 2": (
            "age",
            [2**53 + 1, 0, 0],
        ),
        "column 'sex' of people has values .* such as 'femal'. Did you mean 'female'": (
            "sex",
            ["femal", "male", "male"],
        ),
        "column 'grade' of people has values .* such as 7": ("grade", [1, 7, 1]),
        "column 'age' of people must be int64 for a integer, got float32": ("age", [1.0, 2.0, 3.0]),
    }
    for said, (name, values) in changes.items():
        with pytest.raises(ValueError, match=said):
            TABLE.check("people", Rows({**people().columns, name: values}))
    with pytest.raises(ValueError, match="must have the columns height, age, sex, grade, got age"):
        TABLE.check("people", Rows({"age": [1]}))
    with pytest.raises(ValueError, match=r"must be kgan\.rows.Rows for a table, got ndarray"):
        TABLE.check("people", np.zeros((3, 4), np.float32))


@pytest.mark.parametrize("values", [(), ("a", "a"), ("a", 1)])
def test_categories_must_differ_and_be_of_one_type(values):
    with pytest.raises(ValueError, match="values of the category 'x' must"):
        Category("x", values)


def test_names_of_columns_must_differ():
    with pytest.raises(ValueError, match="names that differ"):
        Table((Integer("a", 0, 1), Integer("a", 0, 1)))


def test_a_fingerprint_is_of_the_texts_not_of_where_they_lie():
    def fingerprint(rows):
        return Dataset("people", rows, kind=TABLE).fingerprint()

    same = Rows({name: list(values) for name, values in people().columns.items()})
    same.columns["sex"][:] = ["".join(["ma", "le"]), "female", "male"]
    assert fingerprint(same) == fingerprint(people())
    seen = {fingerprint(people())["sha256"]}
    for name, values in {
        "sex": ["male", "male", "female"],
        "height": [1.7, 1.55, 1.81],
        "age": [30, 41, 6],
    }.items():
        seen.add(fingerprint(Rows({**people().columns, name: values}))["sha256"])
    assert len(seen) == 4
    # The same letters, cut elsewhere.
    one, other = (Rows({"x": values}).arrays for values in (["ab", "c"], ["a", "bc"]))
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_dataset_of_rows_is_taken_from():
    data = Dataset("people", people(), kind=TABLE)
    part = data.take(np.array([2, 1]))
    assert part.kind == TABLE
    assert part.samples["age"].tolist() == [5, 41]
    assert part.as_float() is part.samples
