"""A few images before and after each attack, for the eye."""

import numpy as np

from kgan.attacks.parts import Run
from kgan.attacks.pieces import Piece
from kgan.attacks.report import Examples
from kgan.attacks.summary import Summary
from kgan.attacks.victim import Victim


def examples(victim: Victim, piece: Piece, shown: np.ndarray, summary: Summary) -> Examples:
    """The `shown` rows of a piece; each attack's at the smallest epsilon that fools half."""
    chosen: dict[str, Run] = {}
    for run in summary.parts:
        before = chosen.get(run.name)
        if before is None or 2 * summary.parts[before].success[shown].sum() < len(shown):
            chosen[run.name] = run
    adversarial = {name: summary.parts[run].shown for name, run in chosen.items()}
    after = {name: _softmax(victim.predict(images)) for name, images in adversarial.items()}
    clean = _softmax(piece.logits[shown])
    return Examples(
        images=piece.images[shown],
        labels=piece.labels[shown],
        confidence=clean.max(axis=1),
        adversarial=adversarial,
        epsilon={name: run.epsilon for name, run in chosen.items()},
        predicted={name: values.argmax(axis=1) for name, values in after.items()},
        predicted_confidence={name: values.max(axis=1) for name, values in after.items()},
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
