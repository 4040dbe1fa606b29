"""An attempt to refute a guarantee: if records can be recognised too well, epsilon was larger.

Each of some records ("canaries") was in the training data or not, by a fair coin of its own.
Whoever guesses the coins from the trained model is right about each with a probability of at most
e^epsilon / (1 + e^epsilon), so many right guesses bound epsilon from below, from a single training.

Reference: Steinke, Nasr & Jagielski 2023, theorem 5.2 and its algorithm (arXiv:2305.08846).
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclasses.dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        epsilon: Lower bound of epsilon at this confidence; 0 where nothing was shown.
        correct: Number of right guesses.
        guesses: Number of guesses.
        canaries: Number of records whose coin was tossed.
        confidence: Probability that the bound is right.
        delta: The delta that epsilon goes with.
    """

    epsilon: float
    correct: int
    guesses: int
    canaries: int
    confidence: float
    delta: float

    def __str__(self) -> str:
        return (
            f"epsilon is at least {self.epsilon:.3f} (confidence {self.confidence:.0%}, delta "
            f"{self.delta:g}): {self.correct} of {self.guesses} guesses right about "
            f"{self.canaries} canaries"
        )


def audit(
    scores: ArrayLike,
    included: ArrayLike,
    *,
    delta: float,
    guesses: int | None = None,
    confidence: float = 0.95,
) -> Audit:
    """Guesses which canaries were trained on, and what that says of epsilon.

    Args:
        scores: The higher, the more a canary looks as if it had been trained on, (canaries,): those
            of a `kgan.privacy.Witness`; or, far weaker, the discriminator's logit.
        included: Whether it was, bool (canaries,), by a fair coin for each before the training.
        delta: The delta of the guarantee, in [0, 1).
        guesses: How many are guessed: half of them, those with the highest scores, as trained on,
            and half, those with the lowest, as not. To be chosen before the scores are seen; by
            default a fifth of the canaries, at least 20.
        confidence: Probability that the bound is right, in (0, 1).
    """
    scores, included = np.asarray(scores, np.float64), np.asarray(included)
    if scores.ndim != 1 or scores.shape != included.shape or included.dtype != bool:
        raise ValueError(
            "scores and included must be arrays (canaries,), of numbers and of bools, got the "
            f"shapes {scores.shape} and {included.shape}, {included.dtype.name}."
        )
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite, got NaN or infinity.")
    canaries = len(scores)
    if guesses is None:
        guesses = min(max(canaries // 5, 20), canaries) // 2 * 2
    if not 2 <= guesses <= canaries or guesses % 2:
        raise ValueError(f"guesses must be even, from 2 to the {canaries} canaries, got {guesses}.")
    order = np.argsort(scores, kind="stable")
    half = guesses // 2
    correct = int((~included[order[:half]]).sum() + included[order[-half:]].sum())
    bound = epsilon_lower_bound(
        correct, guesses, canaries=canaries, delta=delta, confidence=confidence
    )
    return Audit(bound, correct, guesses, canaries, confidence, delta)


def epsilon_lower_bound(
    correct: int, guesses: int, *, canaries: int, delta: float = 0.0, confidence: float = 0.95
) -> float:
    """The largest epsilon that so many right guesses refute.

    Args:
        correct: Number of right guesses.
        guesses: Number of guesses, at most `canaries`.
        canaries: Number of fair coins that were tossed.
        delta: The delta of the guarantee, in [0, 1).
        confidence: Probability that the bound is right, in (0, 1).

    Returns:
        A lower bound of epsilon, at least 0.
    """
    if not 0 <= correct <= guesses <= canaries or guesses < 1:
        raise ValueError(
            "correct, guesses and canaries must rise from 0, with a guess at least, got "
            f"{correct}, {guesses}, {canaries}."
        )
    if not 0 <= delta < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"delta must be in [0, 1) and confidence in (0, 1), got {delta} and {confidence}."
        )

    def refuted(epsilon: float) -> bool:
        return _chance(correct, guesses, canaries, epsilon, delta) < 1 - confidence

    if not refuted(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while refuted(high):
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


def _chance(correct: int, guesses: int, canaries: int, epsilon: float, delta: float) -> float:
    """The most probable that so many right guesses can be under (epsilon, delta)."""
    right = 1 / (1 + np.exp(-epsilon))
    chance = stats.binom.sf(correct - 1, guesses, right)
    if delta and correct:
        below = stats.binom.pmf(np.arange(correct - 1, -1, -1), guesses, right)
        chance += 2 * canaries * delta * (np.cumsum(below) / np.arange(1, correct + 1)).max()
    return float(min(chance, 1.0))
