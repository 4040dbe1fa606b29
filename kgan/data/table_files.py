"""Rows of a table into files."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from kgan.files import atomic_path
from kgan.rows import Rows


def write_csv(rows: Rows, path: str | Path) -> None:
    """Writes comma-separated values in UTF-8, the names of the columns first.

    Numbers have the fewest digits that give the same float32 again.
    """
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows(zip(*map(_texts, rows.columns.values()), strict=True))


def write_parquet(rows: Rows, path: str | Path) -> None:
    """Writes a Parquet file with the types of the columns (extra `tables`)."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "writing Parquet files needs pyarrow: pip install 'kgan[tables]'."
        ) from error
    table = pyarrow.table(dict(rows.columns))
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)


def _texts(values: np.ndarray) -> list[Any]:
    """Values as csv writes them best: float32 would be widened to float64's digits."""
    return [str(one) for one in values] if values.dtype.kind == "f" else values.tolist()
