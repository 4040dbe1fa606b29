"""Tables in CSV and Parquet files."""

import csv
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kgan.names
from kgan.data.columns import Declared, typed
from kgan.data.dataset import Dataset
from kgan.kinds import Table
from kgan.rows import Rows

SUFFIXES = (".csv", ".parquet")


def load_table(
    path: str | Path,
    split: str = "train",
    *,
    categorical: Sequence[str] = (),
    integer: Sequence[str] = (),
    number: Sequence[str] = (),
    drop: Sequence[str] = (),
    held_out: float = 0.2,
) -> Dataset:
    """A table from a CSV or Parquet file (extra `tables`).

    Columns are numbers, whole numbers or categories; `kgan.data.columns.typed` says how that is
    told where it is not declared. Texts are kept as they are, blanks included. A constant column is
    learnt as what it is.

    Args:
        path: A file of comma-separated values in UTF-8, its first line the names; or a .parquet
            file.
        split: "train", "test" or "all". Which rows are held out for "test" is always the same.
        categorical: Columns that are categories.
        integer: Columns of whole numbers.
        number: Columns of numbers.
        drop: Columns to leave out.
        held_out: Share of the rows that "test" has and "train" has not, in [0, 1).

    Returns:
        A `Dataset` of `kgan.rows.Rows`, whose kind is a `kgan.kinds.Table`.

    Raises:
        FileNotFoundError, ValueError, ImportError: Say what is wrong and what to do.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    columns = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    declared = _declared(columns, category=categorical, integer=integer, number=number)
    for name in drop:
        kgan.names.check("column to drop", name, columns)
        if name in declared:
            raise ValueError(f"column {name!r} must not be both dropped and {declared[name]}.")
    kept = {name: values for name, values in columns.items() if name not in drop}
    return table(str(path), kept, declared).take(_rows_of(split, str(path), kept, held_out))


def table(
    name: str, columns: Mapping[str, np.ndarray], declared: Mapping[str, Declared] | None = None
) -> Dataset:
    """A data set of the columns, each of the type that its values or the user tell.

    Args:
        name: What the data are called.
        columns: float64, int64 or object arrays of str, all of one length.
        declared: "number", "integer" or "category", for the columns that the user declares.
    """
    if not columns:
        raise ValueError(f"{name} has no column that is kept.")
    if (n := len(next(iter(columns.values())))) < 2:
        raise ValueError(f"{name} holds {n} row(s); a data set needs at least 2.")
    found = {
        one: typed(name, one, values, (declared or {}).get(one)) for one, values in columns.items()
    }
    rows = Rows({one: values for one, (_, values) in found.items()})
    return Dataset(name, rows, kind=Table(tuple(column for column, _ in found.values())))


def _declared(columns: Mapping[str, Any], **names: Sequence[str]) -> dict[str, Declared]:
    found: dict[str, Declared] = {}
    for declared, chosen in names.items():
        for name in chosen:
            kgan.names.check(f"{declared} column", name, columns)
            if name in found:
                raise ValueError(
                    f"column {name!r} must be declared once, got {found[name]} and {declared}."
                )
            found[name] = declared  # type: ignore[assignment]
    return found


def _rows_of(split: str, name: str, columns: Mapping[str, np.ndarray], held_out: float):
    """The row numbers of a split, in the file's order."""
    n = len(next(iter(columns.values())))
    kgan.names.check("split of a table", split, ("train", "test", "all"))
    if not 0 <= held_out < 1:
        raise ValueError(f"held_out must be in [0, 1), got {held_out}.")
    count = round(n * held_out)
    if split == "test" and count < 2:
        raise ValueError(
            f"{name} has {n:,} rows, of which held_out={held_out:g} leaves {count} for a test: "
            "give a larger --held-out, or more rows."
        )
    order = np.random.default_rng(0).permutation(n)
    return np.sort({"train": order[count:], "test": order[:count], "all": order}[split])


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    """Every column as texts, as they are written."""
    pandas = _pandas()
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file), [])
        _check_names(path, names)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                path,
                dtype=str,
                keep_default_na=False,
                na_filter=False,
                index_col=False,
                encoding="utf-8-sig",
            )
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error.reason}): save it in that encoding."
        ) from None
    except pandas.errors.ParserWarning:
        raise ValueError(f"{path} has more values in a row than the {len(names)} names.") from None
    except (csv.Error, pandas.errors.ParserError) as error:
        raise ValueError(f"{path} is no file of comma-separated values: {error}") from None
    return {name: frame.iloc[:, number].to_numpy(dtype=object) for number, name in enumerate(names)}


def _read_parquet(path: Path) -> dict[str, np.ndarray]:
    pandas = _pandas()
    import pyarrow
    import pyarrow.parquet

    try:
        _check_names(path, pyarrow.parquet.read_schema(path).names)
        frame = pandas.read_parquet(path).reset_index(drop=True)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"{path} is no readable Parquet file: {error}") from None
    return {str(name): _plain(path, str(name), frame[name]) for name in frame.columns}


def _plain(path: Path, name: str, series: Any) -> np.ndarray:
    """A column as float64, float32, int64, or an object array of str and `None`."""
    kind = series.dtype.kind if isinstance(series.dtype, np.dtype) else "O"
    if kind == "M":
        raise ValueError(
            f"column {name!r} of {path} holds dates: write them as numbers, such as days since a "
            f"day, or leave them out: --drop {name!r}."
        )
    if kind in "iu":
        return series.to_numpy()
    if kind == "f":
        return series.to_numpy()
    values = np.empty(len(series), object)
    values[:] = [
        None if gone else str(one) for one, gone in zip(series, series.isna(), strict=True)
    ]
    return values


def _check_names(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise ValueError(f"{path} is empty.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{path} has several columns of the name {twice[0]!r}: give each a name of its own."
        )
    if "" in names:
        raise ValueError(
            f"{path} has a column without a name, the {list(names).index('') + 1}. of "
            f"{len(names)}: name it, or save the table without its index."
        )
    if len(names) == 1 and (separator := next((one for one in ";\t|" if one in names[0]), None)):
        raise ValueError(
            f"{path} has one column, {names[0][:60]!r}: its values seem to be separated by "
            f"{separator!r}. Save it with commas."
        )


def _pandas() -> Any:
    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "reading CSV and Parquet files needs pandas and pyarrow: pip install 'kgan[tables]'."
        ) from error
    return pandas
