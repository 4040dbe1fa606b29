"""Computes one metric on two sample sets."""

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import kgan.names
from kgan.kinds import Kind
from kgan.metrics import METRICS
from kgan.metrics.extractor import Extractor
from kgan.metrics.metric import NEEDS
from kgan.metrics.sample_set import SampleSet

Settings = Mapping[str, Mapping[str, Any]]
"""Keyword arguments of metrics, by the metric's name."""


def check_metrics(names: Sequence[str]) -> None:
    """Raises `ValueError` for a name that is no metric; names the nearest one."""
    for name in names:
        kgan.names.check("metric", name, METRICS)


def check_possible(names: Sequence[str], *, kind: Kind, has: Collection[str]) -> None:
    """Raises `ValueError` for a metric that the source or the data cannot have.

    Args:
        names: Keys of `METRICS`.
        kind: Kind of the samples.
        has: The keys of `NEEDS` that the source and the data satisfy.
    """
    for name in names:
        metric = METRICS[name]
        missing = [NEEDS[need] for need in metric.needs if need not in has]
        if metric.kinds and kind.name not in metric.kinds:
            missing.append(" or ".join(metric.kinds))
        if missing:
            raise ValueError(f"metric {name} needs {missing[0]}; leave it out.")


def published_name(metric: str, score: str, extractor: Extractor | None) -> str:
    """The score's name with its extractor, such as "fid[lenet-mnist@1a2b3c4d]"."""
    if not METRICS[metric].names_extractor:
        return score
    return f"{score}[{'points' if extractor is None else extractor.label}]"


def settings_of(
    name: str, real: SampleSet, fake: SampleSet, settings: Settings | None
) -> dict[str, Any]:
    """The given settings, and those that follow from the numbers of samples."""
    follow = METRICS[name].settings_for
    found = {} if follow is None else follow(len(real), len(fake))
    return found | dict((settings or {}).get(name, {}))


def measure(
    name: str,
    real: SampleSet,
    fake: SampleSet,
    settings: Settings | None = None,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """The scores of one metric, by their names without an extractor.

    Args:
        name: A key of `METRICS`.
        real: The real samples to compare with.
        fake: Generated samples.
        settings: Maps a metric's name to its keyword arguments. `modes` needs `centres` and
            `deviation`; `stacked_modes` needs `classify`; `ppl` needs `generate`, `latent_dim` and
            `samples`.
        seed: Seed of the latents that `ppl` draws. Draws of other metrics are always the same.
    """
    metric = METRICS[name]
    chosen = settings_of(name, real, fake, settings)
    if metric.equal_counts:
        n = min(len(real), len(fake))
        real, fake = real.random(n), fake.random(n)
    if metric.of == "points":
        return metric.scores(chosen.pop("centres"), fake.samples, **chosen)
    if metric.of == "channels":
        return metric.scores(None, fake.samples, **chosen)
    if metric.of == "generator":
        if real.extractor is None:
            raise ValueError(f"an extractor must be given (--extractor) for {name}.")
        features = functools.partial(real.extractor.features, rounded=False)
        return metric.scores(None, chosen.pop("generate"), features=features, seed=seed, **chosen)
    if metric.of == "probabilities":
        return metric.scores(None, fake.probabilities, **chosen)
    if metric.of == "features":
        return metric.scores(real.features, fake.features, **chosen)
    if metric.of == "rows":
        return metric.scores(real.samples, fake.samples, table=real.kind, **chosen)
    return metric.scores(real.samples, fake.samples, **chosen)
