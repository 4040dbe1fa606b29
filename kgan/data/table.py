"""Tables in CSV and Parquet files, and of pandas' frames."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

import kgan.constraints
import kgan.names
from kgan.data.columns import DECLARED, MOST_CATEGORIES, Typed, typed, values_of
from kgan.data.dataset import Dataset
from kgan.data.declared import column_of, declared_values, undeclared
from kgan.data.table_files import (
    columns_of_frame,
    declared_by_frame,
    notes_of_frame,
    read_csv,
    read_parquet,
)
from kgan.kinds import Table
from kgan.rows import Column, Rows

SUFFIXES = (".csv", ".parquet")
_SIDECAR = ".columns.json"


def load_table(
    path: str | Path,
    split: str = "train",
    *,
    columns: Mapping[str, str] | None = None,
    categorical: Sequence[str] = (),
    integer: Sequence[str] = (),
    number: Sequence[str] = (),
    drop: Sequence[str] = (),
    held_out: float = 0.2,
    most_categories: int = MOST_CATEGORIES,
    constraints: Sequence[str] = (),
    encoding: str = "utf-8",
    separator: str = ",",
    decimal: str = ".",
    in_full: bool = False,
) -> Dataset:
    """A table from a CSV or Parquet file (for the latter: extra `tables`).

    What a column holds is declared by `columns`; else by NAME.columns.json beside NAME.csv, an
    object of kinds by the columns' names; else told by its values, as `kgan.data.columns.typed`
    says. In that file a column can also be declared in full, by an object such as {"type":
    "integer", "low": 0, "high": 120}, see `kgan.data.declared`: nothing of it is told by its values
    then. Texts are kept as they are, blanks included. A constant column is learnt as what it is.

    Args:
        path: A file of comma-separated values, its first line the names; or a .parquet file.
        split: "train", "test" or "all". Which rows are held out for "test" is always the same.
        columns: Kinds by column, keys of `kgan.data.columns.DECLARED`; dates with their format,
            such as "date:%d/%m/%Y".
        categorical: Columns that are categories.
        integer: Columns of whole numbers.
        number: Columns of numbers.
        drop: Columns to leave out.
        held_out: Share of the rows that "test" has and "train" has not, in [0, 1).
        most_categories: Categories that a column may have; of more the rare ones are joined.
        constraints: What holds between columns: "start<=end", "age>=18", "city&country" (in the
            combinations that were seen alone).
        encoding: Of the texts of a CSV file, as Python names it; a mark at its beginning goes
            before.
        separator: Between the values of a CSV file, one character, or "tab".
        decimal: "," where the numbers of a CSV file have decimal commas.
        in_full: Whether each column has to be declared in full, as for private training.

    Returns:
        A `Dataset` of `kgan.rows.Rows`, whose kind is a `kgan.kinds.Table`.

    Raises:
        FileNotFoundError, ValueError, ImportError: Say what is wrong and what to do.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    own: dict[str, str] = {}
    if path.suffix.lower() == ".parquet":
        frame = read_parquet(path)
        found, own = columns_of_frame(str(path), frame), declared_by_frame(frame)
    else:
        found = read_csv(path, encoding=encoding, separator=separator, decimal=decimal)
    declared = _declared(
        found, columns or {}, category=categorical, integer=integer, number=number, drop=drop
    )
    declared = {**own, **_sidecar(path, found), **declared}
    if in_full:
        short = [one for one in found if declared.get(one) != "drop" and not is_full(declared, one)]
        if short:
            raise ValueError(undeclared(str(path.with_suffix(_SIDECAR)), short))
    whole = table(
        str(path), found, declared, most_categories=most_categories, constraints=constraints
    )
    return whole.take(_rows_of(split, str(path), len(whole), held_out))


def table(
    name: str,
    columns: Any,
    declared: Mapping[str, str | Column] | None = None,
    *,
    most_categories: int = MOST_CATEGORIES,
    constraints: Sequence[str] = (),
) -> Dataset:
    """A data set of the columns, each of the type that its values or the user tell.

    Args:
        name: What the data are called.
        columns: A pandas frame, of which categoricals are categories; or arrays or lists by name,
            all of one length: numbers, booleans, dates, or str, `None` where one is missing.
        declared: Kinds by column, keys of `kgan.data.columns.DECLARED`, or the columns themselves.
        most_categories: Categories that a column may have; of more the rare ones are joined.
        constraints: What holds between columns, as for `load_table`.
    """
    if most_categories < 2:
        raise ValueError(f"most_categories must be at least 2, got {most_categories}.")
    notes: tuple[str, ...] = ()
    if not isinstance(columns, Mapping):
        frame, columns = columns, columns_of_frame(name, columns)
        notes, declared = notes_of_frame(frame), {**declared_by_frame(frame), **(declared or {})}
    told = dict(declared or {})
    for one in told:
        kgan.names.check("declared column", one, columns)
    kept = {
        str(one): _array(f"column {one!r} of {name}", values)
        for one, values in columns.items()
        if told.get(one) != "drop"
    }
    if not kept:
        raise ValueError(f"{name} has no column that is kept.")
    if (n := len(next(iter(kept.values())))) < 2:
        raise ValueError(f"{name} holds {n} row(s); a data set needs at least 2.")
    found = {
        one: _typed(name, one, values, told.get(one), most_categories)
        for one, values in kept.items()
    }
    kind = Table(tuple(one.column for one in found.values()))
    if not kind.learnt:
        raise ValueError(f"{name} has no column to learn from: all are ids.")
    rows = Rows({one: typed_.values for one, typed_ in found.items()})
    if constraints:
        by_name = {one.name: one for one in kind.columns}
        kind = Table(
            kind.columns,
            tuple(
                kgan.constraints.fitted(
                    kgan.constraints.parsed(text, list(by_name)), by_name, rows, name
                )
                for text in constraints
            ),
        )
    notes += tuple(note for one in found.values() for note in one.notes)
    return Dataset(name, rows, kind=kind, notes=notes)


def _array(told: str, values: Any) -> np.ndarray:
    """A column as `kgan.data.columns.typed` takes it."""
    array = values if isinstance(values, np.ndarray) else np.array(values, object)
    if array.ndim != 1:
        raise ValueError(f"{told} must have one dimension, got the shape {array.shape}.")
    if array is not values and not {str, NoneType} & set(map(type, array.tolist())):
        array = np.array(values)
    if array.dtype.kind == "S" or (array.dtype == object and bytes in set(map(type, array))):
        raise ValueError(f"{told} holds bytes: decode them to texts, or leave it out.")
    return array.astype(object) if array.dtype.kind == "U" else array


def _typed(what: str, name: str, values: Any, declared: Any, most: int) -> Typed:
    if declared is None or isinstance(declared, str):
        return typed(what, name, values, declared, most=most)
    return declared_values(what, declared, values, len(values))


def load_rows(path: str | Path, table: Table, **reading: str) -> Dataset:
    """Rows of a known kind from a CSV or Parquet file, such as generated ones.

    Args:
        path: The file; its columns may stand in another order, and ids may be left out.
        table: Their kind.
        **reading: `encoding`, `separator` and `decimal` of a CSV file, as for `load_table`.

    Raises:
        ValueError: For a column that is missing or unknown, or a value that it cannot hold.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() == ".parquet":
        found = columns_of_frame(str(path), read_parquet(path))
    else:
        found = read_csv(path, **reading)
    names = [one.name for one in table.columns]
    for name in found:
        kgan.names.check(f"column of {path}", name, names)
    lost = [one.name for one in table.learnt if one.name not in found]
    if lost:
        raise ValueError(f"{path} must have the column {lost[0]!r}; it has {', '.join(found)}.")
    n = len(next(iter(found.values())))
    rows = Rows(
        {one.name: values_of(one, str(path), found.get(one.name), n) for one in table.columns}
    )
    return Dataset(str(path), rows, kind=table)


def _declared(
    columns: Mapping[str, Any], kinds: Mapping[str, str], **names: Sequence[str]
) -> dict[str, str]:
    """The kind of each column that is declared; each of them once."""
    pairs = [(name, kind) for name, kind in kinds.items()]
    pairs += [(name, kind) for kind, chosen in names.items() for name in chosen]
    found: dict[str, str] = {}
    for name, kind in pairs:
        what = "column to drop" if kind == "drop" else f"{kind.partition(':')[0]} column"
        kgan.names.check(what, name, columns)
        if found.get(name, kind) != kind:
            raise ValueError(
                f"column {name!r} must be declared once, got {found[name]} and {kind}."
            )
        found[name] = kind
    return found


def is_full(declared: Mapping[str, Any], name: str) -> bool:
    """Whether a column is declared in full."""
    return not isinstance(declared.get(name), (str, NoneType))


def _sidecar(path: Path, columns: Mapping[str, Any]) -> dict[str, Any]:
    """What the file of columns beside the table declares, if there is one."""
    beside = path.with_suffix(_SIDECAR)
    if not beside.is_file():
        return {}
    try:
        content = json.loads(
            beside.read_text(encoding="utf-8-sig"),
            object_pairs_hook=lambda pairs: _once(beside, pairs),
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{beside} is no JSON: {error}") from None
    if not isinstance(content, dict) or not all(
        isinstance(one, (str, dict)) for one in content.values()
    ):
        raise ValueError(
            f'{beside} must be an object of kinds by column, such as {{"age": "integer"}}.'
        )
    for name, kind in content.items():
        kgan.names.check(f"column in {beside}", name, columns)
        if isinstance(kind, dict):
            content[name] = column_of(str(beside), name, kind)
            continue
        kgan.names.check(f"kind of column {name!r} in {beside}", kind.partition(":")[0], DECLARED)
    return content


def _once(beside: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no name stands twice."""
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{beside} must declare each name once, got {twice!r} twice.")
    return dict(pairs)


def _rows_of(split: str, name: str, n: int, held_out: float) -> np.ndarray:
    """The row numbers of a split, in the file's order."""
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
