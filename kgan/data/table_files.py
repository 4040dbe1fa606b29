"""Rows of a table from files and frames, and into them."""

import codecs
import csv
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kgan.dates
from kgan.data.cells import MISSING
from kgan.files import atomic_path
from kgan.kinds import Table
from kgan.rows import Boolean, Integer, Rows

# Marks of encodings at the beginning of a file; the longer ones first.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# How files of other kinds begin, what they are, and what to do.
_OTHERS = (
    (rb"\x1f\x8b", "compressed: unpack it by gunzip"),
    (rb"PK\x03\x04", "a zip archive, as Excel's workbooks are: unpack it, or save it as CSV"),
    (rb"\xd0\xcf\x11\xe0", "an old Excel workbook: save it as CSV"),
    (rb"PAR1", "a Parquet file: give it a name that ends in .parquet"),
    (rb"(\xef\xbb\xbf)?\s*(\[\s*)?\{", "JSON: write its records as CSV"),
)
_TABS = ("\\t", "tab")
# What Excel writes, and reads, before the names.
_SEPARATOR_LINE = re.compile("sep=(.)")
# A number as it is written with decimal commas, and maybe points between thousands.
_COMMAS = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?([eE][+-]?\d+)?")
# A cell may be as long as this, in characters; Python's own limit is 131,072.
_LONGEST_CELL = 10_000_000


def read_csv(
    path: Path, *, encoding: str = "utf-8", separator: str = ",", decimal: str = "."
) -> dict[str, np.ndarray]:
    """Every column as texts, as they are written.

    Args:
        path: The file; its first line that is not blank has the names, but for one such as "sep=;".
        encoding: Of its texts; a mark at its beginning goes before.
        separator: Between values, one character; "tab", or \\t, is a tabulator.
        decimal: "." or ",": with the latter columns of nothing but numbers with a decimal comma,
            such as "1.234,5", are written with a point.
    """
    separator = "\t" if separator in _TABS else separator
    if len(separator) != 1:
        raise ValueError(f"separator must be one character, or tab, got {separator!r}.")
    if decimal not in (".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r}.")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ValueError(f"encoding must be one that Python knows, got {encoding!r}.") from None
    with open(path, "rb") as raw:
        beginning = raw.read(64)
    for pattern, told in _OTHERS:
        if re.match(pattern, beginning):
            raise ValueError(f"{path} is no file of comma-separated values, but {told}.")
    marked = next((name for mark, name in _MARKS.items() if beginning.startswith(mark)), encoding)
    csv.field_size_limit(_LONGEST_CELL)
    rows: list[list[str]] = []
    try:
        with open(path, encoding=marked, newline="") as file:
            start = _SEPARATOR_LINE.fullmatch(file.readline().strip().strip('"'))
            if start is None:
                file.seek(0)
            else:
                separator = start.group(1)
            reader = csv.reader(file, delimiter=separator, strict=True)
            names = next((row for row in reader if row), [])
            _check_names(path, names)
            for row in reader:
                # A blank line, such as the last one, is no row.
                if not row:
                    continue
                if len(row) != len(names):
                    why = f"a value with a {separator!r} in it must be in quotes"
                    if not rows:
                        why += ", and the first line must be that of the names"
                    raise ValueError(
                        f"{path} has {len(row)} values in line {reader.line_num}, and "
                        f"{len(names)} names: {why}."
                    )
                if any("\0" in value for value in row):
                    raise ValueError(
                        f"{path} has a NUL character in line {reader.line_num}: it is damaged, or "
                        "of another encoding, such as --encoding utf-16."
                    )
                rows.append(row)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not {marked} ({error.reason} at byte {error.start}): say what it is, such "
            "as --encoding cp1252, or save it as UTF-8."
        ) from None
    except UnicodeError as error:
        raise ValueError(f"{path} is not {marked}: {error}") from None
    except csv.Error as error:
        raise ValueError(
            f"{path} is no file of comma-separated values, line {reader.line_num}: {error}"
        ) from None
    columns = {}
    for number, name in enumerate(names):
        columns[name] = np.empty(len(rows), object)
        columns[name][:] = [row[number] for row in rows]
        if decimal == ",":
            columns[name][:] = _with_points(columns[name].tolist())
    return columns


def _with_points(texts: list[str]) -> list[str]:
    """Texts of numbers with decimal commas, written with points; others as they are."""
    there = [text for text in texts if text.strip().lower() not in MISSING]
    if not all(_COMMAS.fullmatch(text.strip()) for text in there):
        return texts
    return [text.replace(".", "").replace(",", ".") for text in texts]


def read_parquet(path: Path) -> Any:
    """A pandas frame of every column with the file's type (extra `tables`)."""
    pandas, arrow = _pandas(), _pyarrow()
    try:
        schema = arrow.parquet.read_schema(path)
        _check_names(path, schema.names)
        frame = pandas.read_parquet(path)
        # An index with a name was a column of the table.
        named = [one for one in frame.index.names if one is not None]
        frame = frame.reset_index(level=named) if named else frame
        for one in (schema.pandas_metadata or {}).get("columns", []):
            name = one["field_name"]
            # Of categories that are numbers pandas reads back the numbers.
            if one["pandas_type"] == "categorical" and name in frame.columns:
                whole = arrow.types.is_integer(schema.field(name).type)
                values = frame[name].astype("Int64") if whole else frame[name]
                frame[name] = values.astype("category")
        return frame
    except arrow.ArrowInvalid as error:
        raise ValueError(f"{path} is no readable Parquet file: {error}") from None


def columns_of_frame(name: str, frame: Any) -> dict[str, np.ndarray]:
    """The columns of a pandas frame as arrays; its index is left out.

    Args:
        name: What the data are called; an error names it.
        frame: The frame.
    """
    if not hasattr(frame, "columns") or not hasattr(frame, "reset_index"):
        raise ValueError(
            f"{name} must be a pandas frame, or arrays by name, got {type(frame).__name__}."
        )
    frame = frame.reset_index(drop=True)
    _check_names(name, [str(one) for one in frame.columns])
    return {
        str(one): _plain(f"column {str(one)!r} of {name}", frame.iloc[:, number])
        for number, one in enumerate(frame.columns)
    }


def declared_by_frame(frame: Any) -> dict[str, str]:
    """What the types of a pandas frame declare: its categoricals are categories."""
    dtypes = frame.dtypes.items()
    return {str(name): "category" for name, dtype in dtypes if hasattr(dtype, "categories")}


def notes_of_frame(frame: Any) -> tuple[str, ...]:
    """What `columns_of_frame` leaves out of a frame that a user should know, a line each."""
    return tuple(
        f"{name}: its times are taken in UTC, and made ones are without a time zone"
        for name, dtype in frame.dtypes.items()
        if getattr(dtype, "tz", None) is not None
    )


def to_frame(rows: Rows, table: Table | None = None) -> Any:
    """A pandas frame of rows (extra `tables`), of nullable types where values are missing.

    Args:
        rows: The rows.
        table: Their kind, which knows booleans and whole numbers with missing ones.
    """
    pandas = _pandas()
    columns = {} if table is None else {one.name: one for one in table.columns}
    found = {}
    for name, values in rows.columns.items():
        column = columns.get(name)
        if isinstance(column, Boolean):
            known: dict[Any, Any] = {text: text == column.yes for text in column.values}
            known[""] = None
            found[name] = pandas.array([known[one] for one in values], dtype="boolean")
        elif isinstance(column, Integer) and values.dtype.kind == "f":
            found[name] = pandas.array(values, dtype="Int64")
        elif values.dtype == object:
            # An empty text is a missing one, as it is in the rows.
            found[name] = [one if one != "" else None for one in values.tolist()]
        else:
            found[name] = values
    return pandas.DataFrame(found)


def write_csv(rows: Rows, path: str | Path, *, table: Table | None = None) -> None:
    """Writes comma-separated values in UTF-8, the names of the columns first.

    Numbers have the fewest digits that give the same float32 again; what is missing is empty.

    Args:
        rows: The rows.
        path: The file.
        table: Their kind, which knows how dates are written; else as ISO 8601 has them.
    """
    formats = {} if table is None else {one.name: one for one in table.columns}
    texts = [
        _texts(values, getattr(formats.get(name), "format", None))
        for name, values in rows.columns.items()
    ]
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows(zip(*texts, strict=True))


def write_parquet(rows: Rows, path: str | Path, *, table: Table | None = None) -> None:
    """Writes a Parquet file with the types of the columns (extra `tables`); see `write_csv`.

    Of rows whose kind is known empty texts, and what else is missing, are null.
    """
    arrow = _pyarrow("writing")
    if table is None:
        content = arrow.table(dict(rows.columns))
    else:
        content = arrow.Table.from_pandas(to_frame(rows, table), preserve_index=False)
    with atomic_path(path) as temporary:
        arrow.parquet.write_table(content, temporary)


def _texts(values: np.ndarray, format: str | None) -> list[Any]:
    """Values as csv writes them best: float32 would be widened to float64's digits."""
    if values.dtype.kind == "M":
        return kgan.dates.spell(
            values, format or kgan.dates.usual_format(kgan.dates.step_of(values))
        )
    if values.dtype == np.float64:
        return ["" if one != one else f"{one:.17g}" for one in values.tolist()]
    if values.dtype.kind == "f":
        return ["" if text == "nan" else text for text in map(str, values)]
    return values.tolist()


def _plain(told: str, series: Any) -> np.ndarray:
    """A column as numbers, booleans, datetime64[us], or an object array of str and `None`."""
    kind = series.dtype.kind if isinstance(series.dtype, np.dtype) else "O"
    if getattr(series.dtype, "tz", None) is not None:
        series, kind = series.dt.tz_convert("UTC").dt.tz_localize(None), "M"
    if kind == "M":
        return series.to_numpy().astype(kgan.dates.DTYPE)
    if hasattr(series.dtype, "categories") and not series.isna().any():
        # Whole numbers that are categories stay numbers.
        own = series.dtype.categories.dtype
        kind = "i" if getattr(own, "kind", "O") in "iu" else kind
    if kind in "iufb":
        return series.to_numpy()
    if kind in "mc":
        raise ValueError(
            f"{told} holds {series.dtype}, which is no kind of column: write it as numbers."
        )
    present = series.dropna()
    if len(present) and isinstance(present.iloc[0], (bytes, bytearray)):
        raise ValueError(f"{told} holds bytes in each cell: decode them to texts, or leave it out.")
    if len(present) and type(present.iloc[0]).__name__ in ("date", "datetime", "Timestamp"):
        try:
            return np.array(series.to_list(), kgan.dates.DTYPE)
        except (TypeError, ValueError):
            pass
    if len(present) and isinstance(present.iloc[0], (list, dict, tuple, set, np.ndarray)):
        raise ValueError(
            f"{told} holds a {type(present.iloc[0]).__name__} in each cell: give each of its "
            "values a column of its own, or leave it out."
        )
    values = np.empty(len(series), object)
    values[:] = [
        None if gone else one if isinstance(one, str) else str(one)
        for one, gone in zip(series, series.isna(), strict=True)
    ]
    return values


def _check_names(path: str | Path, names: Sequence[str]) -> None:
    if not names:
        raise ValueError(f"{path} is empty.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{path} has several columns of the name {twice[0]!r}: give each a name of its own."
        )
    bare = [name.strip() for name in names]
    if "" in bare:
        raise ValueError(
            f"{path} has a column without a name, the {bare.index('') + 1}. of "
            f"{len(names)}: name it, or save the table without its index."
        )
    alike = next((name for name in names if bare.count(name.strip()) > 1), None)
    if alike is not None:
        raise ValueError(
            f"{path} has several columns of the name {alike.strip()!r}, but for blanks around it: "
            "give each a name of its own."
        )
    if len(names) == 1 and (separator := next((one for one in ";\t|" if one in names[0]), None)):
        raise ValueError(
            f"{path} has one column, {names[0][:60]!r}: its values seem to be separated by "
            f"{separator!r}. Say so, --separator {separator!r}, or save it with commas."
        )


def _pandas() -> Any:
    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "reading Parquet files, and frames, need pandas and pyarrow: pip install "
            "'kgan[tables]'."
        ) from error
    return pandas


def _pyarrow(doing: str = "reading") -> Any:
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            f"{doing} Parquet files needs pyarrow: pip install 'kgan[tables]'."
        ) from error
