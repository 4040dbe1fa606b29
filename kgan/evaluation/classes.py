"""How well a generator makes each class, as judged by a classifier."""

from dataclasses import dataclass

import numpy as np

from kgan.metrics import nearest_mode
from kgan.metrics.sample_set import SampleSet


@dataclass(frozen=True)
class ClassRow:
    """One class, or one mode of a mixture.

    Attributes:
        name: Name of the class.
        real: Share of the real samples that are classified as this class.
        generated: Share of the generated samples that are classified as this class.
        accuracy: Share of the samples requested as this class that are classified as it; `None`
            for an unconditional generator.
        precision: Share of the samples classified as this class that were requested as it.
        real_accuracy: The same as `accuracy`, for real samples.
        confidence: Mean probability of this class, over the samples classified as it.
    """

    name: str
    real: float
    generated: float
    accuracy: float | None = None
    precision: float | None = None
    real_accuracy: float | None = None
    confidence: float | None = None


def class_rows(
    fake: SampleSet, real: SampleSet, names: tuple[str, ...] | None, centres: np.ndarray | None
) -> list[ClassRow]:
    """A row for each class; an empty list if nothing can tell classes apart.

    Args:
        fake: Generated samples.
        real: Real samples.
        names: Names of the classes; `None` if there are none.
        centres: Centres of the modes of a mixture, (modes, 2); the class of a point is the nearest
            centre.
    """
    if names is None:
        return []
    if centres is not None:
        ours, theirs = (nearest_mode(one.samples, centres).indices[:, 0] for one in (fake, real))
        return [
            ClassRow(name, float((theirs == c).mean()), float((ours == c).mean()))
            for c, name in enumerate(names)
        ]
    if fake.extractor is None or real.labels is None:
        return []
    if fake.extractor.num_classes != len(names):
        return []
    certainty = fake.probabilities
    ours, theirs = certainty.argmax(axis=1), real.probabilities.argmax(axis=1)
    if (theirs == real.labels).mean() < 0.5:
        return []  # The classifier has other classes than the data.
    rows = []
    for c, name in enumerate(names):
        asked = None if fake.labels is None else fake.labels == c
        rows.append(
            ClassRow(
                name=name,
                real=float((theirs == c).mean()),
                generated=float((ours == c).mean()),
                accuracy=None if asked is None else _share(ours[asked] == c),
                precision=None if asked is None else _share(asked[ours == c]),
                real_accuracy=_share(theirs[real.labels == c] == c),
                confidence=_share(certainty[ours == c].max(axis=1, initial=0)),
            )
        )
    return rows


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
