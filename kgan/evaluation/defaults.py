"""What is measured by default: by the kind of samples, and by what is known of the data."""

import dataclasses
from typing import Any

import kgan.data
from kgan.data import Dataset
from kgan.kinds import Images, Kind, Points
from kgan.metrics import METRICS
from kgan.metrics.extractor import Extractor, extractor
from kgan.metrics.sample_set import preparation

# The published number of samples of stacked digits.
_STACKED_SAMPLES = 26_000

# What reads each channel of data whose channels are separate pictures.
_CHANNEL_READERS = {"stacked-mnist": "lenet-mnist"}

_EXTRACTORS: dict[Kind, str] = {
    Images(8, 8, 1): "lenet-digits",
    Images(28, 28, 1): "lenet-mnist",
}


@dataclasses.dataclass(frozen=True)
class Defaults:
    """What is measured of samples of a kind.

    Attributes:
        metrics: After training, with an extractor; or where samples are features by themselves.
        without_extractor: After training, without.
        in_training: While a model trains, with an extractor or where none is needed.
        in_training_without_extractor: While it trains, without.
        n: How many generated samples; `None` for as many as there are held-out real ones.
    """

    metrics: tuple[str, ...]
    without_extractor: tuple[str, ...]
    in_training: tuple[str, ...]
    in_training_without_extractor: tuple[str, ...]
    n: int | None = None


DEFAULTS: dict[type[Kind], Defaults] = {
    Images: Defaults(
        metrics=("fid", "kid", "is", "prdc", "authenticity", "sliced_wasserstein"),
        without_extractor=("sliced_wasserstein", "ndb", "spectrum"),
        in_training=("fid", "kid", "prdc"),
        in_training_without_extractor=("sliced_wasserstein",),
    ),
    Points: Defaults(
        metrics=("sliced_wasserstein",),
        without_extractor=("sliced_wasserstein",),
        in_training=("fid", "kid", "prdc"),
        in_training_without_extractor=("fid", "kid", "prdc"),
        # The published mode counts of points are over so many.
        n=2500,
    ),
}
"""By kind of samples."""


def known_modes(data: Dataset) -> dict[str, dict[str, Any]]:
    """The metric that counts the data's modes, with its settings; empty where none are known."""
    if data.name in kgan.data.MIXTURES:
        return {"modes": kgan.data.MIXTURES[data.name]._asdict()}
    if data.name in _CHANNEL_READERS:
        judge = extractor(_CHANNEL_READERS[data.name])
        return {"stacked_modes": {"classify": judge.probabilities}}
    return {}


def default_extractor(data: Dataset) -> str | None:
    """The shipped extractor that takes the data's images, if there is one."""
    return _EXTRACTORS.get(data.kind)


def default_metrics(
    kind: Kind, judge: Extractor | None, modes: dict[str, dict[str, Any]]
) -> tuple[str, ...]:
    """What is measured of generated samples where nothing else is asked for.

    Args:
        kind: What a sample is.
        judge: The extractor, where there is one.
        modes: What `known_modes` found.
    """
    if judge is not None:
        return tuple(
            name
            for name in DEFAULTS[type(kind)].metrics
            if "probabilities" not in METRICS[name].needs or judge.is_classifier
        )
    if modes:
        return (*modes, "sliced_wasserstein")
    return DEFAULTS[type(kind)].without_extractor


def training_metrics(
    kind: Kind, judge: Extractor | None, modes: dict[str, dict[str, Any]]
) -> tuple[tuple[str, ...], str | None]:
    """What is measured while a model trains, and the score that decides which state is the best.

    Arguments as for `default_metrics`. Where the score is `None`, the first one decides.
    """
    row = DEFAULTS[type(kind)]
    if modes:
        # Neither the modes' number nor their evenness tells sharp points from blurred ones.
        decides = "sliced_wasserstein" if "modes" in modes else "stacked_kl"
        return (*modes, "sliced_wasserstein"), decides
    return (row.in_training_without_extractor if judge is None else row.in_training), None


def default_count(kind: Kind, modes: dict[str, dict[str, Any]]) -> int | None:
    """How many generated samples; `None` for as many as there are held-out real ones."""
    return _STACKED_SAMPLES if "stacked_modes" in modes else DEFAULTS[type(kind)].n


def available(
    kind: Kind, judge: Extractor | None, settings: dict[str, dict[str, Any]], *, labelled: bool
) -> set[str]:
    """What of `kgan.metrics.metric.NEEDS` there is.

    Args:
        kind: What a sample is.
        judge: The extractor, where there is one.
        settings: The metrics' settings that are known of the data and the source.
        labelled: Whether real and generated samples have labels.
    """
    found = {
        "features": judge is not None or preparation(kind).are_features,
        "probabilities": judge is not None and judge.is_classifier,
        "known modes": "modes" in settings,
        "stacked classes": "stacked_modes" in settings,
        "latents": "ppl" in settings,
        "labels": labelled and isinstance(kind, Images),
    }
    return {need for need, there in found.items() if there}
