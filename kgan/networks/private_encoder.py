"""An encoder of rows that knows of the data no more than noisy counts of single columns."""

import numpy as np

from kgan.kinds import Table
from kgan.networks.number_modes import Modes
from kgan.networks.private_counts import Counted, private_counts
from kgan.networks.table_encoder import TableEncoder
from kgan.rows import Category, Rows

# Modes that are made of a number's intervals.
_MODES = 10


def private_encoder(
    table: Table,
    rows: Rows,
    *,
    noise: float,
    random: np.random.Generator | None = None,
) -> TableEncoder:
    """An encoder of these rows that is differentially private.

    Args:
        table: The kind of the rows, declared without looking at them.
        rows: The rows, at most within what is declared.
        noise: Of the counts; see `kgan.networks.private_counts`.
        random: Where the noise comes from; by default the operating system.
    """
    return encoder_of_counts(table, private_counts(table, rows, noise=noise, random=random))


def encoder_of_counts(table: Table, counted: dict[str, Counted]) -> TableEncoder:
    """An encoder that knows the shares of cells alone.

    The modes of a number are its single values, and neighbouring intervals, at most ten, each with
    about as many rows.

    Args:
        table: The kind of the rows.
        counted: From `kgan.networks.private_counts`.
    """
    modes, frequencies = [], []
    for column in table.learnt:
        own = counted[column.name]
        if isinstance(column, Category):
            frequencies += [own.shares] * (len(own.shares) > 1)
        else:
            modes.append(_modes(own))
    return TableEncoder.of(table, modes, frequencies)


def _modes(counted: Counted) -> Modes:
    """Single values, and neighbouring intervals joined to modes with about as many rows.

    Their number depends on what is declared alone: those that are left over have the weight 0.
    """
    low, high = counted.low, counted.high
    shares = counted.shares[: len(low)]
    point = low == high
    parts: list[tuple[np.ndarray, ...]] = [(low[point], high[point], shares[point])]
    if not point.all():
        parts.append(_joined(low[~point], high[~point], shares[~point]))
    low, high, weights = (np.concatenate(one) for one in zip(*parts, strict=True))
    # A little wider, as the middle is rounded.
    scales = (high - low) / 2 + max(np.abs([low, high]).max(), 1.0) * 2.0**-40
    return Modes((low + high) / 2, scales, weights, scales)


def _joined(low: np.ndarray, high: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where modes begin and end, and their weights."""
    most = min(_MODES, len(shares))
    reached = np.cumsum(shares)
    wanted = np.arange(1, most) / most * reached[-1]
    ends = np.unique(np.append(np.searchsorted(reached, wanted) + 1, len(shares)))
    starts = np.append(0, ends[:-1])
    weights = np.array([shares[a:b].sum() for a, b in zip(starts, ends, strict=True)])
    left = most - len(ends)
    return (
        np.append(low[starts], np.full(left, low[0])),
        np.append(high[ends - 1], np.full(left, high[-1])),
        np.append(weights, np.zeros(left)),
    )
