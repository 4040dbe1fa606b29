"""An encoder of rows that knows of the data no more than noisy counts of single columns.

What a column may hold is declared. How often it holds what is counted, and normal noise is added to
each count, so the encoder, and all that is made of it, is differentially private.
"""

import math

import numpy as np

from kgan.constraints import counts_of
from kgan.kinds import Table
from kgan.networks.number_modes import Modes
from kgan.networks.table_encoder import TableEncoder
from kgan.rows import Category, Number, Rows

# Intervals of a number's range that are counted, and modes that are made of them.
_INTERVALS, _MODES = 128, 10


def private_encoder(
    table: Table, rows: Rows, *, noise: float, random: np.random.Generator | None = None
) -> TableEncoder:
    """An encoder of these rows that is differentially private.

    Each column is counted once: categories by their values, numbers and dates by equal intervals of
    what they may hold, and what is missing. A record is in one count of each column, so it moves
    all counts together by at most the root of the number of columns: the sensitivity. The modes of
    a number are neighbouring intervals, at most ten, each with about as many rows.

    Args:
        table: The kind of the rows, declared without looking at them.
        rows: The rows, at most within what is declared.
        noise: Standard deviation of the noise over the sensitivity, above 0: what
            `kgan.privacy.epsilon_of` takes as `released`.
        random: Where the noise comes from; by default the operating system.

    Reference: Dwork & Roth 2014, "The algorithmic foundations of differential privacy", A.1.
    """
    if not noise > 0:
        raise ValueError(f"noise must be above 0, got {noise}.")
    random = random or np.random.default_rng()
    deviation = noise * math.sqrt(len(table.learnt))

    def shares(counts: np.ndarray) -> np.ndarray:
        noisy = counts + random.normal(0.0, deviation, len(counts))
        return on_simplex(noisy, float(len(rows)))

    modes, frequencies = [], []
    for column in table.learnt:
        if isinstance(column, Category):
            counts = np.bincount(column.codes(rows[column.name]), minlength=len(column.values))
            found = shares(counts)
            frequencies += [found] * (len(found) > 1)
            continue
        values = counts_of(column, rows[column.name])
        gone = np.isnan(values)
        edges = _edges(column)
        counts = np.histogram(np.clip(values[~gone], edges[0], edges[-1]), edges)[0]
        if column.missing:
            counts = np.append(counts, gone.sum())
        modes.append(_modes(edges, shares(counts)[: len(edges) - 1]))
    return TableEncoder.of(table, modes, frequencies)


def on_simplex(counts: np.ndarray, total: float) -> np.ndarray:
    """The shares nearest to noisy counts: at least 0, and 1 together.

    All counts are lowered by the same number, and what falls below 0 is 0.

    Args:
        counts: (k,).
        total: What they would add up to without noise, above 0.

    Reference: Held, Wolfe & Crowder 1974, "Validation of subgradient optimization".
    """
    falling = np.sort(counts)[::-1]
    above = (np.cumsum(falling) - total) / np.arange(1, len(counts) + 1)
    lowered = above[np.flatnonzero(falling > above)[-1]]
    return np.maximum(counts - lowered, 0.0) / total


def _edges(column) -> np.ndarray:
    """Ends of equal intervals of what a number may be, float64 (intervals + 1,)."""
    low, high = float(column.low), float(column.high)
    if isinstance(column, Number):
        return np.linspace(low, high if high > low else np.nextafter(low, np.inf), _INTERVALS + 1)
    # Each whole number lies in the middle of its interval, where there are no more of them.
    return np.linspace(low - 0.5, high + 0.5, min(_INTERVALS, int(high - low) + 1) + 1)


def _modes(edges: np.ndarray, shares: np.ndarray) -> Modes:
    """Neighbouring intervals joined to modes with about as many rows.

    Their number depends on what is declared alone: those that are left over have the weight 0.
    """
    most = min(_MODES, len(shares))
    reached = np.cumsum(shares)
    wanted = np.arange(1, most) / most * reached[-1]
    ends = np.unique(np.append(np.searchsorted(reached, wanted) + 1, len(shares)))
    starts = np.append(0, ends[:-1])
    weights = np.array([shares[a:b].sum() for a, b in zip(starts, ends, strict=True)])
    low, high = edges[starts], edges[ends]
    left = most - len(ends)
    low = np.append(low, np.full(left, edges[0]))
    high = np.append(high, np.full(left, edges[-1]))
    # A little wider, as the middle is rounded.
    scales = (high - low) / 2 + np.maximum(np.abs(edges).max(), 1.0) * 2.0**-40
    return Modes((low + high) / 2, scales, np.append(weights, np.zeros(left)), scales)
