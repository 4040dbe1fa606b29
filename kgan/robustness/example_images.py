"""Selects a few images before and after each attack, to look at."""

import numpy as np

from kgan.attacks.victim import Victim
from kgan.pixels import rounded_to_8_bits
from kgan.robustness.chunks import Chunk
from kgan.robustness.report import ExampleImages
from kgan.robustness.summary import Summary
from kgan.robustness.trials import Trial


def example_images(
    victim: Victim, chunk: Chunk, shown: np.ndarray, summary: Summary
) -> ExampleImages:
    """The `shown` rows of a chunk, after each attack at the smallest epsilon that fools half.

    The model judges them as their files show them, rounded to 8 bits.
    """
    chosen: dict[str, Trial] = {}
    for trial in summary.results:
        before = chosen.get(trial.name)
        if before is None or 2 * summary.results[before].success[shown].sum() < len(shown):
            chosen[trial.name] = trial
    adversarial = {
        name: rounded_to_8_bits(summary.results[trial].shown) for name, trial in chosen.items()
    }
    rows = chunk.start + shown
    scores = {name: victim.predict(images, indices=rows) for name, images in adversarial.items()}
    after = {name: _softmax(values) for name, values in scores.items()}
    clean = _softmax(chunk.logits[shown])
    labels = chunk.labels[shown]
    predicted = {name: values.argmax(axis=1) for name, values in after.items()}
    success = {name: summary.results[trial].success[shown] for name, trial in chosen.items()}
    return ExampleImages(
        images=chunk.images[shown],
        labels=labels,
        confidence=clean.max(axis=1),
        adversarial=adversarial,
        epsilon={name: trial.epsilon for name, trial in chosen.items()},
        predicted=predicted,
        predicted_confidence={name: values.max(axis=1) for name, values in after.items()},
        lost={
            name: int(np.sum(success[name] & ~victim.fooled(scores[name], labels)))
            for name in chosen
        },
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
