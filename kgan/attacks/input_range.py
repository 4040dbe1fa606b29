"""Whether a classifier seems to take images in another range than it is given."""

import math
import warnings

import numpy as np

from kgan.attacks.victim import Victim

# The narrower one first: where both fit alike, a network of rectifiers, whose answer hardly depends
# on the scale, is asked in 256 times its range, not in a 256th of it.
_OTHERS = ((-1.0, 1.0), (0.0, 255.0))
# Number of images below which nothing is said, and above which no more are asked about.
_FEWEST, _MOST = 8, 256
# Shares of the images in one class that are suspicious, and that are not.
_ALIKE, _APART = 0.95, 0.6
# One-sided normal quantile of 0.5%.
_SIGNIFICANT = 2.58


def misfit(
    victim: Victim, images: np.ndarray, labels: np.ndarray, indices: np.ndarray | None = None
) -> str | None:
    """A sentence where the labels show that the model takes another range; otherwise `None`.

    The same images are asked about in [0, 1], [0, 255] and [-1, 1]. Another range is named only
    where it at least halves the errors, by more than chance explains (McNemar's test), and those of
    the best constant answer. A range that was declared is believed.

    Args:
        victim: The classifier, `ready` for these images.
        images: float32 (n, ...) in [0, 1].
        labels: The true classes, int32 (n,).
        indices: Index of each image in its data set; 0, 1, ... if `None`.
    """
    if _is_declared(victim) or len(images) < _FEWEST or not victim.criterion.by_class:
        return None
    images, labels = images[:_MOST], labels[:_MOST]
    indices = None if indices is None else indices[:_MOST]
    constant = len(labels) - np.bincount(labels).max()
    right = victim.answers(images, victim.intake.bounds, indices) == labels
    # Noise inside a model is weaker beside images of a wider range, which may help by itself.
    if victim.random and right.mean() >= 2 / victim.classes:
        return None
    found: dict[tuple[float, float], float] = {}
    for bounds in _OTHERS:
        other = victim.answers(images, bounds, indices) == labels
        gained, lost = int(np.sum(other & ~right)), int(np.sum(right & ~other))
        significant = gained - lost > _SIGNIFICANT * math.sqrt(gained + lost)
        if significant and 2 * np.sum(~other) <= min(np.sum(~right), constant):
            found[bounds] = float(other.mean())
    if not found:
        return None
    best = max(found, key=lambda bounds: found[bounds])
    low, high = (f"{bound:g}" for bound in best)
    also = "".join(
        f", and {accuracy:.1%} in [{bounds[0]:g}, {bounds[1]:g}]"
        for bounds, accuracy in found.items()
        if bounds != best
    )
    return (
        f"the clean accuracy of {victim.name} is {right.mean():.1%} on images in [0, 1], "
        f"and {found[best]:.1%} on the same in [{low}, {high}]{also}: your model seems to take "
        f"{low}..{high}. Declare it: --input-range {low} {high}, or "
        f"kgan.attacks.Victim(model, bounds=({low}, {high})); (0, 1) if this is wrong."
    )


def suspicion(victim: Victim, images: np.ndarray) -> str | None:
    """A sentence where the model gives nearly all images one class, but not in another range.

    For images without labels, of which `misfit` can say nothing; it proves nothing either.
    """
    if _is_declared(victim) or len(images) < 2 * _FEWEST or not victim.criterion.by_class:
        return None

    def commonest(bounds: tuple[float, float]) -> float:
        answers = victim.answers(images[:_MOST], bounds)
        return float(np.bincount(answers).max() / len(answers))

    own = commonest(victim.intake.bounds)
    for bounds in _OTHERS:
        if own >= _ALIKE and commonest(bounds) <= _APART:
            low, high = (f"{bound:g}" for bound in bounds)
            return (
                f"WARNING: {own:.0%} of the images get one class in [0, 1], but not in "
                f"[{low}, {high}]; if that is what your model takes: --input-range {low} {high}"
            )
    return None


def _is_declared(victim: Victim) -> bool:
    told = victim.declared
    return victim.intake.whole or any(told[name] is not None for name in ("bounds", "mean", "std"))


def check_range(victim: Victim, images: np.ndarray, labels: np.ndarray) -> None:
    """Raises `ValueError` with what `misfit` says; `warn_of_range` is silent afterwards."""
    victim.judged_range = victim.judged_range or len(images) >= _FEWEST
    if text := misfit(victim, images, labels):
        raise ValueError(text)


def warn_of_range(
    victim: Victim, images: np.ndarray, labels: np.ndarray, indices: np.ndarray
) -> None:
    """Warns of what `misfit` says, at the first run on enough images."""
    if victim.judged_range or len(images) < _FEWEST:
        return
    victim.judged_range = True
    if text := misfit(victim, images, labels, indices):
        warnings.warn(text[:1].upper() + text[1:], stacklevel=4)
