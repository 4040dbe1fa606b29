"""Tables from files: what columns hold, what is refused, and the embedded one."""

import csv

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_breast_cancer

import kgan.data
from kgan.data import order
from kgan.data.columns import decimals, typed
from kgan.data.table import table
from kgan.rows import Category, Integer, Number

pandas = pytest.importorskip("pandas")
N = 60


def write(path, columns):
    """A CSV file of those columns, as Python's csv module writes them."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def columns_of(**extra):
    random = np.random.default_rng(0)
    return {
        "weight": [f"{one:.2f}" for one in random.normal(70, 10, N)],
        "visits": list(random.integers(0, 40, N)),
        "children": list(random.integers(0, 3, N)),
        "city": list(random.choice(['Köln, "Dom"', " Ulm", "東京\nTokyo", ""], N)),
        "member": list(random.choice([True, False], N)),
        **extra,
    }


def test_kinds_are_told_by_the_values_and_texts_kept_as_they_are(tmp_path):
    columns = columns_of()
    data = kgan.data.load_table(write(tmp_path / "a.csv", columns), "all")
    assert [one.type for one in data.kind.columns] == [
        "number", "integer", "category", "category", "category"
    ]  # fmt: skip
    weight, visits, children, city, member = data.kind.columns
    assert (weight.decimals, children.values) == (2, (0, 1, 2))
    assert city.values == tuple(sorted({'Köln, "Dom"', " Ulm", "東京\nTokyo", ""}))
    assert member.values == ("False", "True")
    assert (visits.low, visits.high) == (min(columns["visits"]), max(columns["visits"]))
    assert data.samples["city"].tolist() == columns["city"]
    expected = np.array(columns["weight"], np.float64).astype(np.float32)
    np.testing.assert_array_equal(data.samples["weight"], expected)
    # The same through pandas and Parquet, where types are the file's.
    frame = pandas.DataFrame(columns).astype({"weight": float})
    frame.to_parquet(tmp_path / "a.parquet")
    again = kgan.data.load(str(tmp_path / "a.parquet"), "all")
    assert again.kind == data.kind
    assert again.fingerprint() == data.fingerprint()


def test_splits_are_disjoint_and_always_the_same(tmp_path):
    path = write(tmp_path / "a.csv", columns_of(place=[f"{i}.5" for i in range(N)]))
    parts = [kgan.data.load(str(path), split).samples["place"] for split in ("train", "test")]
    assert [len(part) for part in parts] == [48, 12]
    assert sorted(np.concatenate(parts)) == [i + 0.5 for i in range(N)]
    np.testing.assert_array_equal(kgan.data.load_table(path).samples["place"], parts[0])
    assert len(kgan.data.load_table(path, held_out=0)) == N
    with pytest.raises(ValueError, match="has 60 rows, of which held_out=0 leaves 0 for a test"):
        kgan.data.load_table(path, "test", held_out=0)
    with pytest.raises(ValueError, match="split of a table must be one of train, test, all"):
        kgan.data.load_table(path, "validation")


def test_declared_columns_are_what_the_user_says(tmp_path):
    path = write(tmp_path / "a.csv", columns_of(row=range(N), text=[f"n{i}" for i in range(N)]))
    data = kgan.data.load_table(
        path,
        "all",
        categorical=("visits", "text"),
        integer=("children", "row"),
        number=("member",)[:0],
        drop=("weight",),
    )
    types = {one.name: one.type for one in data.kind.columns}
    assert types == {
        "visits": "category",
        "children": "integer",
        "city": "category",
        "member": "category",
        "row": "integer",
        "text": "category",
    }
    assert data.samples["visits"].dtype == object
    for options, said in {
        ("categorical", "vists"): "category column must be one of .* Did you mean 'visits'",
        ("integer", "weight"): "column 'weight' .* is declared integer, but .* is no whole number",
        ("number", "city"): "column 'city' .* is declared number, but .* is no number",
        ("drop", "ctiy"): "column to drop must be one of .* Did you mean 'city'",
    }.items():
        with pytest.raises(ValueError, match=said):
            kgan.data.load_table(path, **{options[0]: (options[1],)})
    with pytest.raises(
        ValueError, match="'visits' must be declared once, got category and integer"
    ):
        kgan.data.load_table(path, categorical=("visits",), integer=("visits",))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("id", [f"u{i}" for i in range(N)], "another text in each of its 60 rows.*--drop 'id'"),
        ("number", range(1000, 1000 + N), "counts the rows, 1000 to 1059"),
        ("gap", [""] * 7 + [f"{i}.5" for i in range(N - 7)], "'gap' .* has 7 missing values of 60"),
        ("gap", ["NA", *range(N - 1)], "'gap' .* has 1 missing values of 60"),
        ("huge", [2**60 + 3 * i for i in range(N)], "'huge' .* whole numbers must be within 2"),
        ("large", ["1e60", *["1.5"] * (N - 1)], "'large' .* has 1 values that are infinite in"),
        ("near", [f"1e9{i:02}.25".replace("e9", "000000") for i in range(N)], "so near each other"),
    ],
)  # fmt: skip
def test_a_column_of_no_use_is_named_with_a_remedy(name, values, said, tmp_path):
    path = write(tmp_path / "a.csv", columns_of(**{name: list(values)}))
    with pytest.raises(ValueError, match=f"column {said}" if said[0] == "'" else said):
        kgan.data.load_table(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"a,b\n", "holds 0 row"),
        (b"a,b\n1,2\n", "holds 1 row"),
        (b"a,a\n1,2\n", "several columns of the name 'a'"),
        (
            b",a\n0,2\n1,3\n",
            "a column without a name, the 1. of 2.*save the table without its index",
        ),
        (b"a;b\n1;2\n", "one column, 'a;b': its values seem to be separated by ';'"),
        (b"a,b\n1,2,3\n4,5,6,7\n", "is no file of comma-separated values"),
        (b"a,b\n1,2,3\n4,5,6\n", "has more values in a row than the 2 names"),
        (b"a,b\n\xff,2\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_table_says_so(content, said, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        kgan.data.load_table(tmp_path / "a.csv")


def test_files_that_are_not_there_or_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere\.csv"):
        kgan.data.load(str(tmp_path / "nowhere.csv"))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match="is no readable Parquet file"):
        kgan.data.load_table(tmp_path / "a.parquet")
    pandas.DataFrame({"day": pandas.to_datetime(["2020-01-01"] * 3)}).to_parquet(
        tmp_path / "b.parquet"
    )
    with pytest.raises(ValueError, match=r"column 'day' .* holds dates"):
        kgan.data.load_table(tmp_path / "b.parquet")


def test_too_many_categories_are_refused_and_a_constant_is_kept():
    values = np.array([f"n{i % 1100}" for i in range(3000)], object)
    with pytest.raises(ValueError, match="1,100 different texts, and a category may have at most"):
        typed("x", "name", values)
    data = table("x", {"unit": np.array(["kg"] * 5, object), "zero": np.zeros(5)})
    assert data.kind.columns == (Category("unit", ("kg",)), Number("zero", 0.0, 0.0, 0))
    assert data.kind.conditions == ()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0], 0),
        ([0.1, 0.25], 2),
        ([17.99, 1e-5], 5),
        ([1 / 3], None),
        ([1e14, 0.5], 1),
        ([1e16, 0.5], None),
        ([], 0),
    ],
)
def test_decimals_are_as_many_as_the_values_have(values, expected):
    assert decimals(np.array(values)) == expected
    if expected is not None and values and max(values) < 100:
        assert decimals(np.array(values, np.float32)) == expected


def test_whole_numbers_with_few_values_are_categories():
    assert typed("x", "a", np.array([0, 1, 2] * 100))[0] == Category("a", (0, 1, 2))
    assert typed("x", "a", np.array([0, 1, 2] * 10 + [9, 8, 7]))[0] == Integer("a", 0, 9)
    # Numbers with a point are numbers, however few.
    assert typed("x", "a", np.array(["0.0", "1.0"] * 100, object))[0] == Number("a", 0.0, 1.0, 0)
    # Python would read this as a number.
    assert typed("x", "a", np.array(["1_0", "2_0"] * 100, object))[0].type == "category"


def test_the_embedded_table_is_scikit_learns():
    train, test, whole = (kgan.data.load("breast-cancer", one) for one in ("train", "test", "all"))
    assert (len(train), len(test), len(whole)) == (427, 142, 569)
    original = load_breast_cancer()
    np.testing.assert_array_equal(
        whole.samples["mean area"], original.data[:, 3].astype(np.float32)
    )
    names = original.target_names[original.target].tolist()
    assert whole.samples["diagnosis"].tolist() == names
    assert whole.kind.columns[-1] == Category("diagnosis", ("benign", "malignant"))
    assert train.kind == test.kind == whole.kind


def test_rows_are_drawn_for_categories_by_the_logarithm_of_their_frequency():
    colours = np.array([0] * 900 + [1] * 90 + [2] * 10)
    sizes = np.array([0, 1] * 500)
    # A category that no row has is never drawn.
    drawn = order.by_category([colours, sizes], [4, 2], 500, seed=3)
    rows, categories = (
        np.concatenate(parts)
        for parts in zip(
            *[[one.numpy() for one in drawn(tf.constant(step, tf.int64))] for step in range(40)],
            strict=True,
        )
    )
    weights = np.log([901, 91, 11])
    expected = np.concatenate([weights / weights.sum() / 2, [0.0], [0.25, 0.25]])
    shares = np.bincount(categories, minlength=6) / len(categories)
    deviation = np.sqrt(expected * (1 - expected) / len(categories))
    assert (np.abs(shares - expected) <= 4.5 * deviation).all()
    # Each row has what it was drawn for, and among those each is as likely.
    of_colours = categories < 4
    np.testing.assert_array_equal(colours[rows[of_colours]], categories[of_colours])
    np.testing.assert_array_equal(sizes[rows[~of_colours]], categories[~of_colours] - 4)
    rare = np.bincount(rows[categories == 2], minlength=1000)[990:]
    assert rare.min() > 0.7 * rare.mean()


def test_a_stream_of_rows_can_be_entered_at_any_step():
    data = kgan.data.load("breast-cancer")
    whole = list(kgan.data.feed_rows(data, 20, seed=5).take(4))
    later = list(kgan.data.feed_rows(data, 20, seed=5, start=2).take(2))
    for (columns, categories), (again, same) in zip(whole[2:], later, strict=True):
        np.testing.assert_array_equal(categories, same)
        for name, values in columns.items():
            np.testing.assert_array_equal(values, again[name])
    columns, categories = whole[0]
    assert list(columns) == list(data.samples.columns)
    assert [columns[name].dtype for name in ("mean area", "diagnosis")] == [tf.float32, tf.string]
    names = np.array([b"benign", b"malignant"], object)
    np.testing.assert_array_equal(columns["diagnosis"], names[categories.numpy()])


def test_without_categories_each_pass_takes_every_row_once():
    data = table("x", {"a": np.arange(12) + 0.5})
    found = [columns["a"].numpy() for columns in kgan.data.feed_rows(data, 4, seed=1).take(3)]
    assert sorted(np.concatenate(found)) == sorted(np.arange(12) + 0.5)
