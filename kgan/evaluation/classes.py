"""How a generator treats each class, by a classifier's eye."""

from dataclasses import dataclass

import numpy as np

from kgan.metrics import nearest_mode
from kgan.metrics.sample_set import SampleSet


@dataclass(frozen=True)
class ClassRow:
    """One class, or one mode of a mixture.

    Attributes:
        name: Name of the class.
        real: Share of the real samples that are seen as this class.
        generated: Share of the generated samples that are.
        accuracy: Share of the samples asked for as this class that are seen as it; `None` for an
            unconditional generator.
        precision: Share of the samples seen as this class that were asked for as it.
        real_accuracy: The accuracy on real samples.
        confidence: Mean probability of the class seen, over the samples seen as this one.
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
    """A row for each class; none where nothing tells classes apart.

    Args:
        fake: Generated samples.
        real: Real ones.
        names: Names of the classes; `None` where there are none.
        centres: Centres of the modes of a mixture, (modes, 2); the nearest one is a point's class.
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
        return []  # Its classes are others.
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
