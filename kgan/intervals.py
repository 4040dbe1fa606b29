"""95% intervals: of a share, of the mean of a few draws, of a score of a fixed set."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

NORMAL_QUANTILE = 1.959963984540054
"""How many standard deviations a 95% interval of a normal law reaches to either side."""


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """The 95% interval of a share of which `hits` of `n` were seen.

    Reference: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if n == 0:
        return 0.0, 1.0
    share = hits / n
    scale = 1 + NORMAL_QUANTILE**2 / n
    centre = (share + NORMAL_QUANTILE**2 / (2 * n)) / scale
    spread = math.sqrt(share * (1 - share) / n + NORMAL_QUANTILE**2 / (4 * n**2))
    half = NORMAL_QUANTILE * spread / scale
    # At the ends the formula gives 0 and 1 up to rounding.
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == n else centre + half
    return low, high


def mean_interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """The 95% interval of the mean of independent draws, by Student's t.

    Args:
        values: The draws. Fewer than three, or infinite ones (the reverse divergence of a generator
            that misses a mode), have no interval.
    """
    if len(values) < 3 or not np.isfinite(values).all():
        return None, None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stdtrit(len(values) - 1, 0.975)) * deviation / math.sqrt(len(values))
    return mean - half, mean + half


def halves_interval(
    value: float, halves: Sequence[float]
) -> tuple[float, float] | tuple[None, None]:
    """The 95% interval of a score of a fixed set, from the scores of random halves of it.

    The deviation over halves drawn without replacement estimates the standard error of the whole
    (a delete-half jackknife). A bootstrap would repeat samples, which nearest neighbours and
    covariances mistake for structure.

    Args:
        value: The score of the whole set.
        halves: Scores of random halves.

    Reference: Shao and Wu 1989, "A general theory for jackknife variance estimation".
    """
    if not np.isfinite([value, *halves]).all():
        return None, None
    half = NORMAL_QUANTILE * float(np.std(halves, ddof=1))
    return value - half, value + half
