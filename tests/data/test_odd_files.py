"""Tables as tired users bring them: read as they are meant, or refused with a remedy."""

import datetime
import gzip
import json

import numpy as np
import pytest

import kgan.data
from kgan.data.columns import typed
from kgan.rows import Category, Date, Integer, Number

N = 60
HEAD, ROWS = "age,income", [(20 + i % 40, 1000.25 + 7 * i) for i in range(N)]


def lines(row, separator=","):
    return "\n".join(separator.join(map(str, one)) for one in map(row, range(N)))


def plain(separator=","):
    return HEAD.replace(",", separator) + "\n" + lines(lambda i: ROWS[i], separator) + "\n"


def load(tmp_path, content, *, name="a.csv", beside=None, **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if beside is not None:
        (tmp_path / "a.columns.json").write_bytes(beside)
    return kgan.data.load_table(path, "all", **options)


COMMAS = "age;income\n" + lines(lambda i: (20 + i % 40, f"{1000 + 7 * i},25"), ";")
POINTS = "age;income\n" + lines(lambda i: (20 + i % 40, f"1.{7 * i:03},25"), ";")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (plain(), {}),
        ("\n\n" + plain(), {}),
        ("sep=;\n" + plain(";"), {}),
        ("\ufeffsep=;\r\n" + plain(";").replace("\n", "\r\n"), {}),
        (plain("\t").encode("utf-16"), {"separator": "tab"}),
        (plain("\t"), {"separator": "\\t"}),
        (COMMAS, {"separator": ";", "decimal": ","}),
        (POINTS, {"separator": ";", "decimal": ","}),
        (plain(), {"beside": b'\xef\xbb\xbf{"age": "integer"}'}),
    ],
)
def test_the_same_table_in_many_dresses(content, options, tmp_path):
    found = load(tmp_path, content, **options)
    expected = load(tmp_path, plain(), name="b.csv")
    assert found.kind == expected.kind
    for name in ("age", "income"):
        np.testing.assert_array_equal(found.samples[name], expected.samples[name])


def test_decimal_commas_leave_texts_alone(tmp_path):
    found = load(tmp_path, "a;b\n1,5;x, y\n2,5;1,0\n", separator=";", decimal=",")
    assert found.samples["b"].tolist() == ["x, y", "1,0"]
    np.testing.assert_array_equal(found.samples["a"], np.float32([1.5, 2.5]))


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (gzip.compress(plain().encode()), {}, "but compressed: unpack it by gunzip"),
        (b"PK\x03\x04...", {}, "a zip archive, as Excel's workbooks are: .* save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", {}, "an old Excel workbook"),
        (b"PAR1....", {}, "a Parquet file: give it a name that ends in .parquet"),
        (json.dumps([{"a": 1}] * 3, indent=1), {}, "but JSON: write its records as CSV"),
        ("# made in May\n" + plain(), {}, "in line 2, and 1 names: .* the first line must be that"),
        ("   \n1\n2\n", {}, "a column without a name, the 1. of 1"),
        ("a, a\n1,2\n", {}, "several columns of the name 'a', but for blanks around it"),
        (plain().replace("20", "2\0"), {}, "a NUL character in line 2"),
        (plain(), {"separator": "::"}, "separator must be one character, or tab, got '::'"),
        (plain(), {"decimal": "."[:0]}, "decimal must be '.' or ',', got ''"),
        (plain(), {"beside": b'{"age": "integer", "low"'}, "a.columns.json is no JSON"),
        (plain(), {"beside": b'{"age": "integer", "age": "id"}'}, "once, got 'age' twice"),
        (plain(), {"beside": b""}, "a.columns.json is no JSON"),
        (plain(), {"beside": b'["age"]'}, "must be an object of kinds by column"),
    ],
)
def test_files_that_are_something_else(content, options, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        load(tmp_path, content, **options)


def texts(spell):
    return np.array([spell(i) for i in range(N)], object)


@pytest.mark.parametrize(
    ("spell", "said"),
    [
        (lambda i: f"{i},5", "written as '0,5': write them plain.* --decimal ','"),
        (lambda i: f"{1000 + i:,}.50", "written as '1,000.50'"),
        (lambda i: f"€ {i}.50", "written as '€ 0.50': write them plain, such as 1234.5, or decl"),
        (lambda i: f"{i}%", "written as '0%'"),
        (lambda i: f"{i / 4} kg", "written as '0.0 kg'"),
        (lambda i: f"USD {i}", "written as 'USD 0'"),
        (lambda i: f"{1 + i % 28:02}/01/20", "seems to hold dates, but those such as '01/01/20'"),
        (lambda i: f"{1 + i % 28}-Jan-2020", "such as '1-Jan-2020' are written in no known way"),
        (lambda i: f"2020-01-{1 + i % 28:02}T10:00:00+0{i % 2}:00", "in one time zone"),
    ],
)
def test_dressed_numbers_and_unknown_dates_are_no_categories(spell, said):
    with pytest.raises(ValueError, match=f"column 'x' of a.csv .*{said}"):
        typed("a.csv", "x", texts(spell))


@pytest.mark.parametrize(
    ("spell", "column"),
    [
        # Few of them are names; so are seats, parts of a range, and codes.
        (lambda i: f"{i % 5}%", Category),
        (lambda i: f"{i // 4}{'AB'[i % 2]}", Category),
        (lambda i: f"{i // 2}-{i // 2 + 1}", Category),
        (lambda i: f"0{i // 2}", Category),
        (lambda i: f"{i // 2}" if i % 7 else "NA", Integer),
        (lambda i: f"2020-01-{1 + i % 28:02}T10:00:00.5+02:00", Date),
        (lambda i: "-0.5" if i % 2 else f"0.{i}", Number),
    ],
)
def test_what_is_not_dressed(spell, column):
    found = typed("a.csv", "x", texts(spell))
    assert type(found.column) is column
    if column is Category:
        assert found.values.tolist() == texts(spell).tolist()
    if column is Date:
        assert found.column.format.endswith("+02:00")


def test_parquet_of_odd_types(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pandas = pytest.importorskip("pandas")

    def of(values, *options):
        table = arrow.table({"a": np.arange(N) % 7 / 2, "x": arrow.array(values, *options)})
        parquet.write_table(table, tmp_path / "a.parquet")
        return kgan.data.load_table(tmp_path / "a.parquet", "all")

    for values, said in (
        ([b"ab"] * N, "holds bytes in each cell"),
        ([[1, 2]] * N, "holds a ndarray in each cell"),
        ([{"y": 1}] * N, "holds a dict in each cell"),
        ([datetime.timedelta(hours=1)] * N, "timedelta64.*, which is no kind of column"),
        (3 * np.arange(N, dtype=np.uint64) + 2**63, f" to {2**63 + 3 * N - 3}; whole numbers must"),
        (-3 * np.arange(N) - 2**60, f"has values from {-(2**60) - 3 * N + 3} to "),
    ):
        with pytest.raises(ValueError, match=f"column 'x' of .*{said}"):
            of(values)
    decimals = of(
        [arrow.scalar(i, arrow.int32()).cast(arrow.decimal128(12, 2)).as_py() for i in range(N)]
    )
    assert decimals.kind.column("x") == Number("x", 0.0, 59.0, 0)
    # A frame's index that has a name was a column.
    frame = pandas.DataFrame({"a": np.arange(N) % 7 / 2}, index=["f", "m"] * (N // 2))
    frame.rename_axis("sex").to_parquet(tmp_path / "b.parquet")
    frame.to_parquet(tmp_path / "c.parquet")
    found = [kgan.data.load_table(tmp_path / name, "all") for name in ("b.parquet", "c.parquet")]
    assert [one.name for one in found[0].kind.columns] == ["sex", "a"]
    assert [one.name for one in found[1].kind.columns] == ["a"]


def test_whole_numbers_beyond_64_bits_are_no_numbers(tmp_path):
    rows = "".join(f"{10**19 + 10**13 * i},{i % 7 / 2}\n" for i in range(N))
    (tmp_path / "a.csv").write_text(f"account,a\n{rows}")
    with pytest.raises(ValueError, match=f"'account' of .* from {10**19} to .* names rather"):
        kgan.data.load_table(tmp_path / "a.csv", "all")
