"""What to measure on a data set."""

from typing import Any

import kgan.data
import kgan.metrics.extractor
from kgan.data import Dataset

# What reads each channel.
_STACKED = {"stacked-mnist": "lenet-mnist"}
_EXTRACTORS: dict[tuple[int, ...], str] = {(8, 8, 1): "lenet-digits", (28, 28, 1): "lenet-mnist"}


def known_modes(data: Dataset) -> dict[str, dict[str, Any]]:
    """The metric that counts the data's modes, with its settings; empty where none are known."""
    if data.name in kgan.data.MIXTURES:
        return {"modes": kgan.data.MIXTURES[data.name]._asdict()}
    if data.name in _STACKED:
        judge = kgan.metrics.extractor.extractor(_STACKED[data.name])
        return {"stacked_modes": {"classify": judge.probabilities}}
    return {}


def default_extractor(data: Dataset) -> str | None:
    """The shipped extractor that takes the data's images, if there is one."""
    return _EXTRACTORS.get(data.sample_shape)
