"""Tables from files: what columns hold, what is refused, and the embedded one."""

import csv
import datetime
import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_breast_cancer

import kgan.data
import kgan.dates
from kgan.data import order
from kgan.data.cells import decimals
from kgan.data.columns import typed
from kgan.data.table import table
from kgan.data.table_files import write_csv, write_parquet
from kgan.rows import Boolean, Category, Date, Id, Integer, Number

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
        "number", "integer", "category", "category", "boolean"
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
        "member": "boolean",
        "row": "integer",
        "text": "category",
    }
    assert data.samples["visits"].dtype == object
    assert kgan.data.load_table(
        path, columns={"visits": "number", "weight": "drop"}, drop=("row", "text")
    ).kind.columns[0] == Number("visits", 0.0, 39.0, 0)
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
        (b"a,b\n1,2\n4,5,6\n", "has 3 values in line 3, and 2 names: a value with a ',' in it"),
        (b"a,b\n1,2\n4\n", "has 1 values in line 3"),
        (b'a,b\n1,"2\n4,5\n', "is no file of comma-separated values, line 3"),
        (b"a,b\n\xff,2\n", "is not utf-8 .*--encoding cp1252"),
        (b"\xff\xfea\x00,", "is not utf-16"),
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


def test_rare_categories_are_joined_and_free_text_is_refused():
    values = np.array([f"n{i % 1100}" for i in range(3000)], object)
    with pytest.raises(ValueError, match=r"1,100 different texts, .* 249 .* 24.9% .* free text"):
        typed("x", "name", values)
    # Declared, it is what the user says; each frequent one is kept as it is.
    column, kept, notes = typed("x", "name", values, "category", most=3)
    assert column.values == ("(other)", "n0", "n1")
    assert (kept == "n0").sum() == 3
    assert "of 1,100 categories the 2 most frequent are kept, 0.2% of the rows" in notes[0]
    data = table("x", {"unit": np.array(["kg"] * 5, object), "zero": np.zeros(5)})
    assert data.kind.columns == (Category("unit", ("kg",)), Number("zero", 0.0, 0.0, 0))
    assert data.kind.conditions == ()
    cut = table("x", {"n": np.array(list("aaabbbcd"), object)}, most_categories=3)
    assert cut.kind.columns[0].values == ("(other)", "a", "b")
    assert cut.samples["n"].tolist() == [*"aaabbb", "(other)", "(other)"]
    assert len(cut.notes) == 1


def test_what_is_missing_stays_missing_in_every_kind_of_column(tmp_path):
    columns = {
        "number": ["1.5", "", "NA", "2.25"] * 15,
        "integer": [str(i) if i % 3 else "?" for i in range(N)],
        "large": [str(2**40 + 7 * i) if i % 4 else "" for i in range(N)],
        "level": ["1", "2", "", "2"] * 15,
        "date": ["31.12.1999", "null", "29.02.2000", "01.01.1970"] * 15,
        "member": ["True", "", "False", "True"] * 15,
        "none": [""] * N,
        "kind": ["a", "", "b", "a"] * 15,
    }
    data = kgan.data.load_table(write(tmp_path / "a.csv", columns), "all")
    number, integer, large, level, date, member, none, _ = data.kind.columns
    assert number == Number("number", 1.5, 2.25, 2, missing=True)
    assert integer == Integer("integer", 1, 59, missing=True)
    assert large.type == "integer"
    assert data.samples["large"].dtype == np.float64
    assert int(data.samples["large"][1]) == 2**40 + 7
    assert level == Category("level", ("", "1", "2"))
    day = kgan.dates.DAY
    assert date == Date("date", 0, 11016, day, "%d.%m.%Y", missing=True)
    assert member == Boolean("member", ("", "False", "True"))
    assert none == Category("none", ("",))
    for column in data.kind.columns:
        gone = column.gone(data.samples[column.name])
        texts = [str(one).lower() in ("", "na", "?", "null") for one in columns[column.name]]
        np.testing.assert_array_equal(gone, texts)
    # Through a frame and Parquet, where nothing is there it is null, and types are the file's.
    write_parquet(data.samples, tmp_path / "a.parquet", table=data.kind)
    frame = pandas.read_parquet(tmp_path / "a.parquet")
    assert frame["date"].dtype.kind == "M"
    assert str(frame["member"].dtype) == "boolean" or frame["member"].dropna().iloc[0] is True
    assert frame["kind"].isna().sum() == 15
    again = kgan.data.load_table(tmp_path / "a.parquet", "all")
    assert [one.type for one in again.kind.columns] == [one.type for one in data.kind.columns]
    write_csv(data.samples, tmp_path / "b.csv", table=data.kind)
    same = kgan.data.load_table(tmp_path / "b.csv", "all")
    assert same.kind == data.kind
    assert same.fingerprint() == data.fingerprint()


def test_dates_are_told_by_their_texts_and_ambiguous_ones_declared(tmp_path):
    texts = np.array(["03/04/2020", "01/02/2021"] * 10, object)
    with pytest.raises(ValueError, match=r"may be %d/%m/%Y or %m/%d/%Y, such as '03/04/2020'"):
        typed("x", "day", texts)
    column, dates, _ = typed("x", "day", texts, "date:%d/%m/%Y")
    assert dates[0] == np.datetime64("2020-04-03")
    assert column.describe() == "03/04/2020 to 01/02/2021, %d/%m/%Y"
    column, dates, _ = typed("x", "day", np.array(["2020-01-02T03:04:05Z"] * 3, object))
    assert (column.format, column.step) == ("%Y-%m-%dT%H:%M:%SZ", 10**6)
    # Of a frame, whatever its unit or zone.
    frame = pandas.DataFrame(
        {
            "day": pandas.to_datetime(["2020-01-01", None, "2021-06-01"]),
            "time": pandas.to_datetime(["2020-01-01 12:00"] * 3).tz_localize("Etc/GMT-2"),
            "flag": pandas.array([True, None, False], dtype="boolean"),
            "count": pandas.array([1, None, 2**53 - 1], dtype="Int64"),
        }
    )
    data = table("frame", frame)
    assert [one.type for one in data.kind.columns] == ["date", "date", "boolean", "integer"]
    assert data.samples["time"][0] == np.datetime64("2020-01-01T10:00")
    assert data.notes == (
        "time: its times are taken in UTC, and made ones are without a time zone",
    )
    assert kgan.data.table_files.to_frame(data.samples, data.kind)["count"][2] == 2**53 - 1


def test_a_file_beside_the_table_declares_its_columns(tmp_path):
    path = write(tmp_path / "a.csv", columns_of(row=range(N)))
    beside = tmp_path / "a.columns.json"
    beside.write_text('{"row": "id", "visits": "category", "city": "drop"}')
    data = kgan.data.load_table(path, columns={"visits": "number"})
    assert [one.type for one in data.kind.columns] == [
        "number", "number", "category", "boolean", "id"
    ]  # fmt: skip
    assert [one.name for one in data.kind.learnt] == ["weight", "visits", "children", "member"]
    for content, said in {
        "[1]": "must be an object of kinds by column",
        "{": "is no JSON",
        '{"rwo": "id"}': "column in .* must be one of .* Did you mean 'row'",
        '{"row": "idd"}': "kind of column 'row' in .* must be one of .* Did you mean 'id'",
    }.items():
        beside.write_text(content)
        with pytest.raises(ValueError, match=said):
            kgan.data.load_table(path)


def texts_of(*values):
    return np.array(values, object)


SITUATIONS = {
    # What is wrong, or odd; what is declared; and either the error, or the type it becomes.
    "a constant number": (np.full(N, 3.0), None, Number),
    "a constant text": (texts_of(*["kg"] * N), None, Category),
    "all missing": (texts_of(*[None] * N), None, Category),
    "all NaN": (np.full(N, np.nan), None, Category),
    "all missing, declared number": (texts_of(*[""] * N), "number", "holds no number at all"),
    "all missing, declared date": (texts_of(*[""] * N), "date", "holds none at all"),
    "all missing, declared boolean": (texts_of(*[""] * N), "boolean", "it holds nothing"),
    "ids of texts": (texts_of(*[f"u{i}" for i in range(N)]), None, "another text in each"),
    "ids of numbers": (np.arange(N), None, "counts the rows, 0 to 59"),
    "ids, declared": (texts_of(*[f"u{i}" for i in range(N)]), "id", Id),
    "numbers as ids": (np.arange(N), "id", Id),
    "free text": (texts_of(*[f"{i // 2} words" for i in range(3000)]), None, "it is free text"),
    "30,000 categories": (
        texts_of(*[f"n{i}" if i < 30_000 else "a" for i in range(70_000)]), None, Category
    ),
    "numbers and texts": (
        texts_of(*[str(i) for i in range(N)], "abc"), None, "holds numbers and other texts.*'abc'"
    ),
    "a number with a unit": (
        texts_of(*[f"{i}.5" for i in range(N)], "7 kg"), None, "such as '7 kg' in 1 of its rows"
    ),
    "thousands with commas": (texts_of("1,000", "2,000") , "number", "'1,000' is no number"),
    "a decimal comma": (texts_of("1,5", "2,5"), "number", "'1,5' is no number"),
    "percentages": (texts_of("5%", "7%"), "number", "'5%' is no number"),
    "hexadecimal": (texts_of("0x1f", "0x2f"), "integer", "'0x1f' is no number"),
    "underscores": (texts_of("1_0", "2_0"), "integer", "'1_0' is no number"),
    "infinite": (np.array([np.inf, 1.5] * N), None, "60 values that are infinite"),
    "too large for float32": (np.array([1e60, 1.5]), None, "1 values that are infinite"),
    "beyond 2**53": (np.array([2.0**60, np.nan]), "integer", "go beyond 2"),
    "a fraction as integer": (np.array([1.5, 2.0]), "integer", "1.5 is no whole number"),
    "infinite as integer": (np.array([np.inf, 2.0]), "integer", "values that are infinite"),
    "minus zero": (np.array([-0.0, 0.0, 1.5]), None, Number),
    "no date": (texts_of("soon", "later"), "date", "'soon' is written in none of the known ways"),
    "the 30th of February": (
        texts_of("2020-01-01", "2020-02-30"), "date:%Y-%m-%d", "'2020-02-30' is none"
    ),
    "dates and texts": (
        texts_of(*["2020-01-01"] * 9, "soon"), None, "holds dates as %Y-%m-%d and .* 'soon'"
    ),
    "dates of two formats": (
        texts_of(*["2020-01-01"] * 9, "01.02.2020"), None, "and other texts, such as '01.02.2020'"
    ),
    "an unknown directive": (texts_of("1 Jan"), "date:%d %b", "a format of dates must be made of"),
    "a date without a year": (texts_of("01.02."), "date:%d.%m.", "%Y among them"),
    "the year 1": (texts_of("0001-01-01", "9999-12-31"), None, Date),
    "another boolean": (texts_of("up", "down"), "boolean", "it holds 'down', 'up'"),
    "three booleans": (texts_of("yes", "no", "maybe"), "boolean", "it holds 'maybe', 'no', 'yes'"),
    "booleans in two spellings": (texts_of("yes", "no", "YES"), "boolean", "'YES', 'no', 'yes'"),
    "only yes": (texts_of("yes", "yes"), "boolean", Boolean),
    "numpy's booleans": (np.array([True, False]), None, Boolean),
    "an unknown kind": (np.arange(3), "numbr", "must be one of .* Did you mean 'number'"),
    "emoji and blanks": (texts_of(" 🙂", "🙂 ", "🙂"), None, Category),
    "the word none": (texts_of(*["none", "some"] * N), None, Category),
    "whole numbers and missing ones": (texts_of(*map(str, range(N)), ""), "integer", Integer),
    "a text in a column of None": (texts_of(None, "a", None), None, Category),
}  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_odd_column_is_an_error_that_names_it_or_a_stated_kind(situation):
    values, declared, expected = SITUATIONS[situation]
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected) as caught:
            typed("a.csv", "odd", values, declared)
        assert "column 'odd' of a.csv" in str(caught.value) or "format of dates" in str(
            caught.value
        )
        return
    found = typed("a.csv", "odd", values, declared)
    assert type(found.column) is expected
    assert len(found.values) == len(values)
    # A data set of it is one, and other rows than these are as many.
    data = table("a.csv", {"odd": values, "more": np.arange(len(values)) * 1.5}, {
        "odd": declared} if declared else None)  # fmt: skip
    assert data.kind.columns[0] == found.column


def test_encodings_and_separators_are_known_by_their_mark_or_declared(tmp_path):
    text = 'city;size\n"Köln; ""Dom""";1,5\nZürich;2,5\n'
    for number, (encoding, options) in enumerate(
        [("utf-8", {}), ("utf-8-sig", {}), ("utf-16", {}), ("cp1252", {"encoding": "cp1252"})]
    ):
        path = tmp_path / f"{number}.csv"
        path.write_text(text, encoding=encoding)
        data = kgan.data.load_table(path, "all", held_out=0, separator=";", **options)
        assert data.samples["city"].tolist() == ['Köln; "Dom"', "Zürich"]
    for options, said in {
        ("encoding", "utf-9"): "encoding must be one that Python knows, got 'utf-9'",
        ("separator", ";;"): "separator must be one character",
    }.items():
        with pytest.raises(ValueError, match=said):
            kgan.data.load_table(path, **dict([options]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0], 0),
        ([0.1, 0.25], 2),
        ([17.99, 1e-5], 5),
        ([1 / 3], None),
        ([1e14, 0.5], 1),
        ([1e16, 0.5], None),
        ([0.1 + 0.2, 70.12 + 50.0, 1.1 * 3], 2),
        ([123456.78 * 3], 2),
        ([2000 + 1000 * math.pi, 3000 + 1000 / 7], None),
        ([], 0),
    ],
)
def test_decimals_are_as_many_as_the_values_have(values, expected):
    assert decimals(np.array(values)) == expected
    if expected is not None and values and max(values) < 100:
        assert decimals(np.array(values, np.float32)) == expected


@pytest.mark.parametrize(
    "values", [[b"a", b"b"], np.array([b"a", b"b"]), np.array(["a", b"b"], object)]
)
def test_bytes_are_no_texts(values):
    with pytest.raises(ValueError, match="column 'x' of t holds bytes: decode them"):
        table("t", {"x": values})


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


def test_columns_may_be_lists_and_arrays_of_texts():
    columns = {
        "x": [0.5, 1.5, 2.25, 3.0],
        "word": ["a", None, "b", "a"],
        "code": np.array(["u", "v", "u", "u"]),
        "gap": [1.5, None, 2.5, 3.5],
        "day": [datetime.date(2020, 1, 1 + day) for day in range(4)],
        "yes": [True, False, True, True],
    }
    found = table("mine", columns)
    kinds = [type(one).__name__ for one in found.kind.columns]
    assert kinds == ["Number", "Category", "Category", "Number", "Date", "Boolean"]
    assert found.kind.column("word").values == ("", "a", "b")
    assert found.kind.column("code").values == ("u", "v")
    assert np.isnan(found.samples["gap"]).tolist() == [False, True, False, False]
    assert found.samples["yes"].tolist() == ["True", "False", "True", "True"]
    with pytest.raises(ValueError, match=r"column 'x' of mine must have one .* shape \(4, 2\)"):
        table("mine", {"x": [[1, 2]] * 4})


@pytest.mark.parametrize("bound", ["nan", "inf", "1e400"])
def test_a_constraint_has_a_bound(bound):
    with pytest.raises(ValueError, match=f"a constraint must be .* got 'x>={bound}'"):
        table("mine", {"x": [0.5, 1.5]}, constraints=[f"x>={bound}"])


@pytest.mark.parametrize(
    ("largest", "told"), [(9e7, "steps of 8 "), (200000.0, "steps of 0.015625 "), (9000.0, None)]
)
def test_cents_that_float32_does_not_hold_are_told(largest, told):
    """Between 2**26 and 2**27 float32 has every eighth whole number."""
    values = np.arange(100) * 1.25 + 0.01
    values[0] = largest
    notes = [
        note
        for note in table("money", {"money": values, "other": np.arange(100) * 0.5}).notes
        if "float32" in note
    ]
    assert len(notes) == (told is not None)
    assert told is None or told in notes[0]


def test_a_categorical_of_pandas_is_a_category(tmp_path):
    pandas = pytest.importorskip("pandas")
    n = 300
    frame = pandas.DataFrame(
        {
            "grade": pandas.Categorical(np.arange(n) % 30),
            "some": pandas.Categorical([None if i % 7 == 0 else i % 20 for i in range(n)]),
            "share": pandas.Categorical(np.arange(n) % 3 / 2, ordered=True),
            "day": pandas.Categorical([f"2020-01-{1 + i % 9:02}" for i in range(n)]),
            "age": np.arange(n) % 30,
        }
    )
    frame.to_parquet(tmp_path / "categories.parquet")
    read = kgan.data.load_table(tmp_path / "categories.parquet", held_out=0.0)
    for data in (table("frame", frame), read):
        kinds = {one.name: one.type for one in data.kind.columns}
        assert kinds == dict.fromkeys(("grade", "some", "share", "day"), "category") | {
            "age": "integer"
        }
        assert data.kind.column("grade").values == tuple(range(30))
        assert "" in data.kind.column("some").values
        assert data.kind.column("share").values == ("0.0", "0.5", "1.0")
        np.testing.assert_array_equal(data.samples["grade"], np.arange(n) % 30)
    rows = kgan.data.load_rows(tmp_path / "categories.parquet", read.kind).samples
    np.testing.assert_array_equal(rows["grade"], np.arange(n) % 30)
    # What the user says goes before.
    assert table("frame", frame, {"grade": "integer"}).kind.column("grade").type == "integer"
