"""Rows in files are the rows that were written, for whoever reads them."""

import csv
import sys

import numpy as np
import pytest

import kgan.data
from kgan.data.table import table
from kgan.data.table_files import write_csv, write_parquet
from kgan.rows import Rows

ROWS = Rows(
    {
        "weight, kg": [70.1, 1e-7, 123456.789, -0.0],
        "id": [2**53, -1, 0, 7],
        'say "hi"': ['a,b "c"', "東京\nTokyo", "", " blank"],
    }
)


def test_csv_is_what_pythons_reader_reads(tmp_path):
    write_csv(ROWS, tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        names, *lines = csv.reader(file)
    assert names == list(ROWS.columns)
    columns = list(zip(*lines, strict=True))
    assert columns[0][0] == "70.1"  # Not float64's 70.0999984741211.
    np.testing.assert_array_equal(np.array(columns[0], np.float32), ROWS["weight, kg"])
    assert [int(one) for one in columns[1]] == ROWS["id"].tolist()
    assert list(columns[2]) == ROWS['say "hi"'].tolist()


@pytest.mark.parametrize(("write", "suffix"), [(write_csv, "csv"), (write_parquet, "parquet")])
def test_what_is_written_is_loaded_again(write, suffix, tmp_path):
    pytest.importorskip("pandas")
    data = kgan.data.load("breast-cancer")
    write(data.samples, tmp_path / f"rows.{suffix}")
    again = kgan.data.load(str(tmp_path / f"rows.{suffix}"), "all")
    for name, values in data.samples.columns.items():
        np.testing.assert_array_equal(again.samples[name], values)
    # The train split has a smaller range than the whole table; all else is the same.
    assert [one.type for one in again.kind.columns] == [one.type for one in data.kind.columns]


def test_without_pandas_the_embedded_table_is_there_and_files_say_what_is_missing(
    monkeypatch, tmp_path
):
    for name in ("pandas", "pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    rows = kgan.data.load("breast-cancer").samples
    write_csv(rows, tmp_path / "rows.csv")
    assert len(kgan.data.load(str(tmp_path / "rows.csv"), "all")) == len(rows)
    with pytest.raises(ImportError, match=r"pip install 'kgan\[tables\]'"):
        write_parquet(rows, tmp_path / "rows.parquet")


def test_a_table_of_the_user_keeps_its_values(tmp_path):
    data = table("x", {"a": np.array([0.1, 0.25])})
    write_csv(data.samples, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "a\n0.1\n0.25\n"
