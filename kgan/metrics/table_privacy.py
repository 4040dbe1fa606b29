"""Whether generated rows of a table are copies of the rows that were learnt from."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from kgan.kinds import Table
from kgan.metrics.table_features import numbers_of
from kgan.rows import Category, Rows

_MOST_ROWS = 2_000
_CHUNK = 128


class TablePrivacy(NamedTuple):
    """Signs that training rows were copied; none of them is a proof of privacy.

    Attributes:
        closer_to_train: Share of generated rows that lie nearer to a training row than to a
            held-out one, ties counted as a half: 0.5 without copying, 1 for copies. As many of both
            are drawn, so with r training rows for each held-out one copies of all give about
            (1 + 1 / r) / 2.
        membership_auc: Area under the ROC curve of who tells training rows from held-out ones by
            their distance to the nearest generated row: 0.5 where nobody can.
        copies: Share of generated rows that are training rows, beyond the share of held-out rows
            that are.
    """

    closer_to_train: float
    membership_auc: float
    copies: float


def table_privacy(
    real: Rows, fake: Rows, *, table: Table, held_out: Rows, seed: int = 0
) -> TablePrivacy:
    """Distances to the nearest record, of training rows and of as many held-out ones; and copies.

    The distance of two rows is the mean over columns of |difference| / range, at most 1, of
    numbers, and of 0 or 1 of categories; a missing value is 1 from any other.

    Args:
        real: Training rows. Copies are looked for in all of them.
        fake: Generated rows; for distances at most 2,000 of each kind are drawn.
        table: The kind of all.
        held_out: Real rows that were not learnt from.
        seed: Seed of the draws.

    Returns:
        `TablePrivacy`: the share that is closer to training rows, the membership attack's AUC, and
        the share of copies; the lower the better, and 0.5, 0.5 and 0 are the best possible.
    """
    random = np.random.default_rng(seed)
    n = min(len(real), len(held_out), _MOST_ROWS)
    if n < 2:
        raise ValueError(f"privacy needs 2 held-out rows, got {len(held_out)}.")
    train, other = (one[random.choice(len(one), n, replace=False)] for one in (real, held_out))
    chosen = random.choice(len(fake), min(len(fake), _MOST_ROWS), replace=False)
    spread = [_spread(column, real) for column in table.learnt]
    ours, theirs, made = (_as_numbers(one, table) for one in (train, other, fake[chosen]))
    hot = np.array([isinstance(column, Category) for column in table.learnt])
    to_train, from_train = _nearest(made, ours, hot, spread)
    to_other, from_other = _nearest(made, theirs, hot, spread)
    closer = float((to_train < to_other).mean() + 0.5 * (to_train == to_other).mean())
    area = roc_auc_score(np.repeat([1, 0], n), -np.concatenate([from_train, from_other]))
    # In all training rows: a copy of one that was not drawn is one too.
    all_rows = {row.tobytes() for row in _as_numbers(real, table)}
    copied, by_chance = (
        np.mean([row.tobytes() in all_rows for row in _as_numbers(one, table)])
        for one in (fake, held_out)
    )
    copies = float(copied - by_chance)
    return TablePrivacy(closer, float(area), max(copies, 0.0))


def _spread(column, rows: Rows) -> float:
    if isinstance(column, Category):
        return 1.0
    values = numbers_of(column, rows[column.name])
    there = values[~np.isnan(values)]
    return float(np.ptp(there)) if len(there) else 0.0


def _as_numbers(rows: Rows, table: Table) -> np.ndarray:
    """Codes of categories and numbers, float64 (n, columns); equal rows have equal bytes."""
    found = np.stack(
        [
            column.codes(rows[column.name]).astype(np.float64)
            if isinstance(column, Category)
            else numbers_of(column, rows[column.name])
            for column in table.learnt
        ],
        axis=1,
    )
    # One zero and one NaN.
    return np.where(np.isnan(found), np.nan, found + 0.0)


def _nearest(
    one: np.ndarray, other: np.ndarray, hot: np.ndarray, spread: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest row of the other set, for each row of the first and the second."""
    scale = np.where(np.array(spread) > 0, spread, 1.0)
    nearest, back = np.empty(len(one)), np.full(len(other), np.inf)
    for start in range(0, len(one), _CHUNK):
        part = one[start : start + _CHUNK]
        total = np.zeros((len(part), len(other)))
        for number in range(one.shape[1]):
            apart = part[:, None, number] - other[None, :, number]
            if hot[number]:
                total += apart != 0
                continue
            gone = np.isnan(part[:, None, number]) != np.isnan(other[None, :, number])
            far = np.minimum(np.abs(apart) / scale[number], 1.0)
            total += np.where(gone, 1.0, np.nan_to_num(far, nan=0.0))
        nearest[start : start + _CHUNK] = total.min(axis=1)
        back = np.minimum(back, total.min(axis=0))
    return nearest / one.shape[1], back / one.shape[1]
