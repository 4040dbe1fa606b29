"""Counts the modes of a known mixture that a generator reaches, and how evenly."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kgan.metrics.checks import check_rows, check_whole
from kgan.metrics.neighbours import Neighbours, nearest


class ModeCount(NamedTuple):
    """Numbers of modes with at least 1 and 5 hits, KL(generated || uniform), and the reverse KL."""

    modes: float
    modes_5: float
    kl: float
    reverse_kl: float


class ModeScores(NamedTuple):
    """`ModeCount` of points in the plane, and the share of them near a mode."""

    modes: float
    modes_5: float
    kl: float
    reverse_kl: float
    high_quality: float


def mode_count(assignments: Any, num_modes: int) -> ModeCount:
    """Counts modes and compares their shares with uniform ones.

    Always state n: of 1,000 modes a perfect generator has KL 0.023 at 26,000 samples and 0.22 at
    2,600. Single hits may be a classifier's errors, hence the modes with 5.

    Args:
        assignments: (n,) whole numbers in [0, num_modes), the mode of each sample.
        num_modes: Number of modes that exist.

    Returns:
        `ModeCount`; divergences in nats. `reverse_kl`, KL(uniform || generated), is infinite where
        a mode has no sample.

    Reference: Lin et al. 2018, PacGAN (arXiv:1712.04086), section 4.
    """
    check_whole(num_modes, "num_modes")
    assignments = np.asarray(assignments)
    if assignments.dtype.kind not in "iu" or assignments.ndim != 1 or len(assignments) == 0:
        raise ValueError(
            "assignments must be whole numbers of shape (n,), n > 0, got "
            f"{assignments.dtype} of shape {assignments.shape}."
        )
    if assignments.min() < 0 or assignments.max() >= num_modes:
        raise ValueError(
            f"assignments must be in [0, {num_modes}), got {assignments.min()} to "
            f"{assignments.max()}."
        )
    hits = np.bincount(assignments, minlength=num_modes)
    share = hits / hits.sum()
    seen = share[share > 0]
    kl = float((seen * np.log(seen * num_modes)).sum())
    complete = len(seen) == num_modes
    reverse = float(-np.log(share * num_modes).mean()) if complete else float("inf")
    return ModeCount(float((hits >= 1).sum()), float((hits >= 5).sum()), kl, reverse)


def stacked_mode_count(
    images: Any, *, classify: Callable[[np.ndarray], np.ndarray], num_classes: int = 10
) -> ModeCount:
    """`mode_count` of images whose channels are separate pictures: the classes of all channels
    together are the mode, so there are `num_classes ** channels`.

    Args:
        images: (n, height, width, channels) in [0, 1], generated.
        classify: Grey images (n, height, width, 1) to scores (n, num_classes).
        num_classes: Classes that a channel may show.

    Returns:
        `ModeCount`.

    Reference: Metz et al. 2017, section 3.3.1 (arXiv:1611.02163).
    """
    images = np.asarray(images)
    modes = np.zeros(len(images), np.int64)
    for channel in range(images.shape[-1]):
        scores = np.asarray(classify(images[..., channel : channel + 1]))
        if scores.shape != (len(images), num_classes):
            raise ValueError(
                f"classify must return scores of shape ({len(images)}, {num_classes}), got "
                f"{scores.shape}."
            )
        modes = modes * num_classes + scores.argmax(axis=1)
    return mode_count(modes, num_classes ** images.shape[-1])


def nearest_mode(points: Any, centres: Any) -> Neighbours:
    """The centre nearest to each point: `indices` and `distances`, both (n, 1).

    Args:
        points: (n, d).
        centres: (num_modes, d).
    """
    points = check_rows(points, "points", minimum=1)
    centres = check_rows(centres, "centres", minimum=1)
    if points.shape[1] != centres.shape[1]:
        raise ValueError(
            f"points must have as many coordinates as centres, got {points.shape[1]} and "
            f"{centres.shape[1]}."
        )
    return nearest(points, centres)


def mode_scores(centres: Any, points: Any, *, deviation: float) -> ModeScores:
    """`mode_count` of points from a mixture of round Gaussians.

    A point is of high quality within 3 deviations of the nearest centre (98.89% of a perfect
    generator's in the plane). Only such points count as hits; the divergences are of all points.

    Args:
        centres: Centres of the mixture, (num_modes, d).
        points: (n, d), generated.
        deviation: Standard deviation of each mode, in the points' units.

    Returns:
        `ModeScores`.

    Reference: Lin et al. 2018, PacGAN (arXiv:1712.04086), section 4.1.
    """
    if not deviation > 0:
        raise ValueError(f"deviation must be positive, got {deviation}.")
    found = nearest_mode(points, centres)
    which, good = found.indices[:, 0], found.distances[:, 0] <= 3 * deviation
    everything = mode_count(which, len(centres))
    hits = np.bincount(which[good], minlength=len(centres))
    modes, modes_5 = float((hits >= 1).sum()), float((hits >= 5).sum())
    return ModeScores(modes, modes_5, everything.kl, everything.reverse_kl, float(good.mean()))
