"""Plasma: clouds by midpoint displacement."""

import numpy as np


def plasma(side: int, draw: np.random.Generator, decay: float) -> np.ndarray:
    """A cloudy map from 0 to 1 whose edges meet, by the diamond-square algorithm.

    Each level halves the grid: the middle of a square, then that of an edge, becomes the mean of
    its four neighbours plus noise, whose length falls by `decay` squared from level to level.

    Args:
        side: Height and width, a power of two.
        draw: Source of the noise.
        decay: How much smoother finer levels are; more than 1.

    Reference: Fournier et al. 1982, "Computer rendering of stochastic models".
    """
    heights = np.zeros((side, side))
    step, length = side, 1.0
    while step >= 2:
        half = step // 2
        for rows, columns in ((half, half), (0, half), (half, 0)):
            heights[rows::step, columns::step] = _middle(heights, rows, columns, step) + (
                draw.uniform(-length, length, size=(side // step, side // step))
            )
        step, length = half, length / decay**2
    heights -= heights.min()
    return heights / heights.max()


def _middle(heights: np.ndarray, rows: int, columns: int, step: int) -> np.ndarray:
    """The means of the four known neighbours, half a step away: diagonal for squares' middles."""
    half = step // 2
    moves = (
        [(-half, -half), (-half, half), (half, -half), (half, half)]
        if rows and columns
        else [(-half, 0), (half, 0), (0, -half), (0, half)]
    )
    around = [np.roll(heights, move, axis=(0, 1))[rows::step, columns::step] for move in moves]
    return np.mean(around, axis=0)


def power_of_two(side: int) -> int:
    """The smallest power of two that is at least `side`."""
    return 1 << max(side - 1, 1).bit_length()
