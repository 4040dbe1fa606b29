"""How well a score tells attacked images from clean ones."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ROC:
    """A receiver operating characteristic.

    Attributes:
        false_alarms: Share of the clean images above each threshold, ascending.
        detected: Share of the attacked images above it.
    """

    false_alarms: list[float]
    detected: list[float]


def roc(clean: np.ndarray, attacked: np.ndarray) -> ROC | None:
    """The curve of the scores of clean and of attacked images; `None` where either is empty."""
    from sklearn.metrics import roc_curve

    if not len(clean) or not len(attacked):
        return None
    false_alarms, detected, _ = roc_curve(*_joined(clean, attacked))
    return ROC(false_alarms.tolist(), detected.tolist())


def area_under_roc(clean: np.ndarray, attacked: np.ndarray) -> float | None:
    """The chance that an attacked image scores above a clean one; `None` where either is empty."""
    from sklearn.metrics import roc_auc_score

    if not len(clean) or not len(attacked):
        return None
    return float(roc_auc_score(*_joined(clean, attacked)))


def _joined(clean: np.ndarray, attacked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([0, 1], [len(clean), len(attacked)]), np.concatenate([clean, attacked])
