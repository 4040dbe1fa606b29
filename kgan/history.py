"""A run's table, `metrics.csv`: one row an epoch."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kgan.files import atomic_path

Logs = dict[str, Any] | None
"""What Keras hands to a callback: the epoch's or batch's values by name."""

FIRST_COLUMNS = ("epoch", "step", "seconds", "samples_per_second")
"""What a row says of an epoch before any value of the training."""


def read_history(path: str | Path) -> list[dict[str, float]]:
    """The rows of a table; empty where there is none.

    A last line that is not whole, as a crash of the machine leaves it, is passed over: who writes
    the table next mends it.

    Raises:
        ValueError: For another line that is none of a table.
    """
    path = Path(path)
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        text = file.read()
    lines = text.splitlines()
    found: list[dict[str, float]] = []
    if len(lines) > 1 and not {"epoch", "step"} <= set(_cells(lines[0])):
        raise ValueError(f"{path}, line 1: it must name the columns epoch and step. Correct it.")
    for number, line in enumerate(lines[1:], 2):
        try:
            found.append(_row(_cells(lines[0]), _cells(line)))
        except (ValueError, csv.Error) as error:
            if number == len(lines):
                break
            raise ValueError(
                f"{path}, line {number}: {error}. Correct the line or remove it."
            ) from None
    # A number may have lost its last digits.
    if found and len(found) == len(lines) - 1 and not text.endswith("\n"):
        found.pop()
    return found


def _cells(line: str) -> list[str]:
    return next(csv.reader([line]), [])


def _row(names: Sequence[str], line: Sequence[str]) -> dict[str, float]:
    if len(line) != len(names):
        raise ValueError(f"it has {len(line)} values for {len(names)} columns")
    row = {name: float(value) for name, value in zip(names, line, strict=True) if value}
    if not {"epoch", "step"} <= set(row):
        raise ValueError("it has no epoch and step")
    return row


def write_history(path: str | Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes the whole table, or nothing; columns are in the order in which rows name them."""
    names = list(dict.fromkeys([*FIRST_COLUMNS, *(name for row in rows for name in row)]))
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
