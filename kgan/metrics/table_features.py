"""Rows of a table as numbers, for the classifiers that judge them."""

from typing import Any

import numpy as np

from kgan.kinds import Table
from kgan.rows import Category, Date, Rows


def numbers_of(column: Any, values: np.ndarray) -> np.ndarray:
    """Values of a column of numbers or dates as float64 (n,), NaN for what is missing."""
    if isinstance(column, Date):
        steps = values.astype(np.int64) / column.step
        return np.where(np.isnat(values), np.nan, steps)
    return values.astype(np.float64)


def features_of(
    rows: Rows, table: Table, *, without: str | None = None, one_hot: bool
) -> np.ndarray:
    """All columns as numbers, float64 (n, features); missing numbers are NaN.

    Args:
        rows: The rows.
        table: Their kind.
        without: A column that is left out.
        one_hot: Whether categories become one-hot vectors; else they are their codes. With these,
            numbers that may be missing get a column that says so, and the column's lowest value.
    """
    parts: list[Any] = []
    for column in table.learnt:
        if column.name == without:
            continue
        values = rows[column.name]
        if not isinstance(column, Category):
            found = numbers_of(column, values)
            if one_hot and column.missing:
                parts.append(np.isnan(found)[:, None].astype(np.float64))
            low = float(column.low)
            parts.append((np.nan_to_num(found, nan=low) if one_hot else found)[:, None])
        elif one_hot:
            parts.append(np.eye(len(column.values))[column.codes(values)])
        else:
            parts.append(column.codes(values)[:, None].astype(np.float64))
    return np.concatenate(parts, axis=1)


def categorical_of(table: Table, *, without: str | None = None, most: int = 255) -> list[bool]:
    """Of each feature that is not one-hot whether it is a category of a tree's histogram."""
    return [
        isinstance(one, Category) and len(one.values) <= most
        for one in table.learnt
        if one.name != without
    ]
