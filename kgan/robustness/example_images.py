"""Selects a few images before and after each attack, to look at."""

import numpy as np

from kgan.attacks.victim import Victim
from kgan.robustness.chunks import Chunk
from kgan.robustness.report import ExampleImages
from kgan.robustness.summary import Summary
from kgan.robustness.trials import Trial


def example_images(
    victim: Victim, chunk: Chunk, shown: np.ndarray, summary: Summary
) -> ExampleImages:
    """The `shown` rows of a chunk, after each attack at the smallest epsilon that fools half."""
    chosen: dict[str, Trial] = {}
    for trial in summary.results:
        before = chosen.get(trial.name)
        if before is None or 2 * summary.results[before].success[shown].sum() < len(shown):
            chosen[trial.name] = trial
    adversarial = {name: summary.results[trial].shown for name, trial in chosen.items()}
    after = {name: _softmax(victim.predict(images)) for name, images in adversarial.items()}
    clean = _softmax(chunk.logits[shown])
    return ExampleImages(
        images=chunk.images[shown],
        labels=chunk.labels[shown],
        confidence=clean.max(axis=1),
        adversarial=adversarial,
        epsilon={name: trial.epsilon for name, trial in chosen.items()},
        predicted={name: values.argmax(axis=1) for name, values in after.items()},
        predicted_confidence={name: values.max(axis=1) for name, values in after.items()},
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
