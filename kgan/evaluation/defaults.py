"""The default metrics, for each kind of samples and by what is known about the data."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import kgan.data
from kgan.data import Dataset
from kgan.evaluation.generated import Fakes
from kgan.kinds import Images, Kind, Points, Table
from kgan.metrics import METRICS
from kgan.metrics.extractor import Extractor, extractor
from kgan.metrics.sample_set import preparation
from kgan.metrics.table_quality import independent_columns
from kgan.networks import ClassCopula, GaussianCopula
from kgan.rows import Rows

# The published number of samples of stacked digits.
_STACKED_SAMPLES = 26_000

# For data whose channels are separate pictures, the extractor that classifies each channel.
_CHANNEL_READERS = {"stacked-mnist": "lenet-mnist"}

_EXTRACTORS: dict[Kind, str] = {
    Images(8, 8, 1): "lenet-digits",
    Images(28, 28, 1): "lenet-mnist",
}


@dataclasses.dataclass(frozen=True)
class Defaults:
    """The default metrics for a kind of samples.

    Attributes:
        metrics: After training, with an extractor; or where samples are features by themselves.
        without_extractor: After training, without.
        in_training: While a model trains, with an extractor or where none is needed.
        in_training_without_extractor: While it trains, without.
        n: How many generated samples; `None` for as many as there are held-out real ones.
        baselines: Simpler generators, by name, whose scores stand beside: functions of (real data,
            seed) to as many samples.
    """

    metrics: tuple[str, ...]
    without_extractor: tuple[str, ...]
    in_training: tuple[str, ...]
    in_training_without_extractor: tuple[str, ...]
    n: int | None = None
    baselines: Mapping[str, Callable[[Any, int], Any]] = dataclasses.field(default_factory=dict)


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
        # The published mode counts of points use this number of samples.
        n=2500,
    ),
    Table: Defaults(
        metrics=("table_quality", "table_utility", "table_detection", "table_privacy"),
        without_extractor=("table_quality", "table_utility", "table_detection", "table_privacy"),
        in_training=("table_quality",),
        in_training_without_extractor=("table_quality",),
        baselines={
            "independent columns": lambda data, seed: independent_columns(data.samples, seed=seed),
            "Gaussian copula": lambda data, seed: _copula_rows(data, seed),
        },
    ),
}
"""By kind of samples."""


def known_modes(data: Dataset) -> dict[str, dict[str, Any]]:
    """The metric that counts the data's modes, with its settings; empty if no modes are known."""
    if data.name in kgan.data.MIXTURES:
        return {"modes": kgan.data.MIXTURES[data.name]._asdict()}
    if data.name in _CHANNEL_READERS:
        judge = extractor(_CHANNEL_READERS[data.name])
        return {"stacked_modes": {"classify": judge.probabilities}}
    return {}


def default_extractor(data: Dataset) -> str | None:
    """Name of the shipped extractor for the data's images; `None` if there is none."""
    return _EXTRACTORS.get(data.kind)


def default_metrics(
    kind: Kind, judge: Extractor | None, modes: dict[str, dict[str, Any]]
) -> tuple[str, ...]:
    """The metrics of generated samples that are used if the user names none.

    Args:
        kind: Kind of the samples.
        judge: The extractor, or `None`.
        modes: The result of `known_modes`.
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
    """The metrics during training, and the score that decides which state is the best.

    The arguments are those of `default_metrics`. If the score is `None`, the first one decides.
    """
    row = DEFAULTS[type(kind)]
    if modes:
        # The number and the evenness of modes do not tell sharp points from blurred ones.
        decides = "sliced_wasserstein" if "modes" in modes else "stacked_kl"
        return (*modes, "sliced_wasserstein"), decides
    return (row.in_training_without_extractor if judge is None else row.in_training), None


def default_count(kind: Kind, modes: dict[str, dict[str, Any]]) -> int | None:
    """Number of generated samples; `None` for as many as there are held-out real ones."""
    return _STACKED_SAMPLES if "stacked_modes" in modes else DEFAULTS[type(kind)].n


def baselines(data: Dataset, *, target: str | None = None) -> dict[str, Fakes]:
    """The simpler generators that samples of such data are compared with.

    Args:
        data: The real data, from which they make samples.
        target: Of a table, the column that classifiers are to tell: where its categories are few,
            a copula of each of them is one more.
    """
    found, kind = dict(DEFAULTS[type(data.kind)].baselines), data.kind
    if isinstance(kind, Table) and target is not None and ClassCopula.suits(kind, target):
        found["copula by class"] = lambda data, seed: _copula_rows(data, seed, target)

    def fakes(make: Callable[[Any, int], Any]) -> Fakes:
        def drawn(n: int, seed: int) -> tuple[Any, None]:
            samples = make(data, seed)
            rows = np.random.default_rng(seed).permutation(len(data))
            return samples[np.resize(rows, n)], None

        return drawn

    return {name: fakes(make) for name, make in found.items()}


def _copula_rows(data: Dataset, seed: int, target: str | None = None) -> Rows:
    """As many rows of a Gaussian copula that is fitted to the data, or to each class of them."""
    assert isinstance(data.kind, Table)
    if target is None:
        copula = GaussianCopula.fitted(data.kind, data.samples)
    else:
        copula = ClassCopula.fitted(data.kind, target, data.samples)
    noise = np.random.default_rng(seed).standard_normal((len(data), len(data.kind.learnt)))
    return copula.rows_of(noise)


def available(
    kind: Kind, judge: Extractor | None, settings: dict[str, dict[str, Any]], *, labelled: bool
) -> set[str]:
    """The keys of `kgan.metrics.metric.NEEDS` that the data and the source satisfy.

    Args:
        kind: Kind of the samples.
        judge: The extractor, or `None`.
        settings: Settings of the metrics that follow from the data and the source.
        labelled: Whether real and generated samples have labels.
    """
    found = {
        "features": judge is not None or preparation(kind).are_features,
        "probabilities": judge is not None and judge.is_classifier,
        "known modes": "modes" in settings,
        "stacked classes": "stacked_modes" in settings,
        "latents": "ppl" in settings,
        "target": "table_utility" in settings,
        "held-out rows": "table_privacy" in settings,
        "likelihood": "bits_per_dimension" in settings,
        "labels": labelled and isinstance(kind, Images),
    }
    return {need for need, there in found.items() if there}
