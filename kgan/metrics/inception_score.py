"""The Inception score, of any classifier's probabilities."""

from typing import Any, NamedTuple

import numpy as np

from kgan.metrics.checks import check_rows, check_whole


class InceptionScore(NamedTuple):
    """Mean and standard deviation (over splits, divided by their number)."""

    mean: float
    std: float


def inception_score(probabilities: Any, *, splits: int = 10) -> InceptionScore:
    """exp E KL(p(y|x) || p(y)): between 1 and the number of classes, higher is better.

    Rows are cut into consecutive splits, so shuffle samples that are sorted by class. It knows
    nothing of real data; a generator with one perfect image a class reaches the best score.

    Args:
        probabilities: (n, classes), each row from a softmax.
        splits: Number of parts that are scored apart; at most n.

    Returns:
        `InceptionScore`.

    Raises:
        ValueError: where rows are no probabilities (logits, say) or n < splits.

    Reference: Salimans et al. 2016 (arXiv:1606.03498), section 4.
    """
    check_whole(splits, "splits")
    p = check_rows(probabilities, "probabilities", minimum=splits)
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError(
            "probabilities must be at least 0 and sum to 1 in each row, got values from "
            f"{p.min():.3g} and sums up to {p.sum(axis=1).max():.3g}. Are these logits?"
        )
    p = p / p.sum(axis=1, keepdims=True)
    scores = []
    for i in range(splits):
        part = p[i * len(p) // splits : (i + 1) * len(p) // splits]
        marginal = part.mean(axis=0)
        # A class of probability 0 adds nothing.
        ratio = np.log(np.where(part > 0, part, 1.0)) - np.log(
            np.where(marginal > 0, marginal, 1.0)
        )
        scores.append(np.exp((part * ratio).sum(axis=1).mean()))
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
