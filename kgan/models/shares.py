"""Logits that are shifted until what is drawn by them is as frequent as it shall be."""

import numpy as np

# How often shares are measured and mended.
_ROUNDS = 20
_MOST_SHIFT = 6.0


def shift_to(target: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """What to add to logits so that the mean of their softmax is the target.

    Args:
        target: Shares (k,), which add up to 1.
        logits: (n, k).

    Returns:
        (k,), each at most 6 away from 0.
    """
    logits = logits - logits.max(axis=1, keepdims=True)
    shift = np.zeros(len(target))
    for _ in range(_ROUNDS):
        powers = np.exp(logits + shift)
        found = (powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-300)).mean(axis=0)
        shift += np.log(np.maximum(target, 1e-6)) - np.log(np.maximum(found, 1e-12))
        shift = np.clip(shift - np.average(shift, weights=target), -_MOST_SHIFT, _MOST_SHIFT)
    return shift
