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
    """The rows of a table; empty where there is none."""
    path = Path(path)
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def write_history(path: str | Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes the whole table, or nothing; columns are in the order in which rows name them."""
    names = list(dict.fromkeys([*FIRST_COLUMNS, *(name for row in rows for name in row)]))
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
