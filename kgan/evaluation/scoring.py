"""Scores of generated samples against real ones, each with its protocol, interval and floor."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kgan.evaluation.score import Protocol, Score
from kgan.intervals import halves_interval, mean_interval
from kgan.metrics import METRICS
from kgan.metrics.cache import content_hash
from kgan.metrics.measure import Settings, check_metrics, measure, published_name, settings_of
from kgan.metrics.sample_set import SampleSet, preparation

# Number of random halves of a given set, for intervals, and of held-out parts, for floors.
_REPETITIONS = 20


def evaluate(
    fakes: Callable[[int], SampleSet],
    real: SampleSet,
    held_out: SampleSet,
    *,
    metrics: Sequence[str],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    settings: Settings | None = None,
    fixed: bool = False,
    floor_real: SampleSet | None = None,
    training: SampleSet | None = None,
    baselines: Mapping[str, Callable[[int], SampleSet]] | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> list[Score]:
    """Scores generated samples, with intervals and floors.

    Args:
        fakes: Function that returns the generated samples for a seed.
        real: The real samples to compare with, with `data` and `split`.
        held_out: Real samples that are not in `real`; their scores are the floor.
        metrics: Keys of `kgan.metrics.METRICS`; not `cas`, for which see `classification_scores`.
        seeds: Seeds of the generated samples; the interval is over them.
        settings: Maps the name of a metric to its keyword arguments.
        fixed: Whether the samples are a given set, the same for every seed. The interval is then
            over random halves of the set.
        floor_real: Real samples to compare `held_out` with, if `real` contains `held_out`.
        training: The whole training set, for metrics that look for copies; `real` by default.
        baselines: Simpler generators by name, functions like `fakes`, whose mean scores are added
            to each score.
        progress: Function called with a text that says what is computed next.

    Returns:
        One score for each number that a metric gives.

    Raises:
        ValueError: For a metric that is none, or is `cas`; for no seeds; and for samples that a
            metric refuses.
    """
    check_metrics(metrics)
    if "cas" in metrics:
        raise ValueError("metrics must be without cas: classification_scores gives it.")
    if not len(seeds):
        raise ValueError("seeds must hold at least one, got none.")
    seeds = tuple(seeds[:1] if fixed else seeds)
    reals = {
        name: training if training and METRICS[name].finds_copies else real for name in metrics
    }
    drawn: dict[str, list[dict[str, float]]] = {name: [] for name in metrics}
    halves: dict[str, list[dict[str, float]]] = {name: [] for name in metrics}
    for seed in seeds:
        progress(f"samples of seed {seed}")
        fake = fakes(seed)
        for name in metrics:
            progress(f"{name}, seed {seed}")
            found = _measured(name, reals[name], fake, settings, seed=seed, fixed=fixed)
            drawn[name].append(found[0])
            halves[name] = found[1:]
    beside = _baselines(baselines or {}, reals, settings, seeds, progress)
    scores = []
    for name in metrics:
        progress(f"{name} of held-out data")
        floor = _floor(name, floor_real or reals[name], _parts(held_out, len(fake)), settings)
        for score, lower in METRICS[name].lower_is_better.items():
            values = tuple(result[score] for result in drawn[name])
            low, high = mean_interval(values)
            if fixed:
                low, high = halves_interval(values[0], [half[score] for half in halves[name]])
            # Depends only on the method: an infinite score has no interval but the same protocol.
            over = "halves" if fixed else "seeds" if len(seeds) > 2 else None
            scores.append(
                Score(
                    name=published_name(name, score, fake.extractor),
                    value=float(np.mean(values)),
                    low=low,
                    high=high,
                    lower_is_better=lower,
                    floor=floor.get(score),
                    floor_n=min(len(held_out), len(fake)) if floor else None,
                    seeds=seeds,
                    values=values,
                    protocol=protocol_of(name, reals[name], fake, settings, over),
                    baselines={
                        what: found[name][score] for what, found in beside.items() if name in found
                    },
                )
            )
    return scores


def _measured(
    name: str,
    real: SampleSet,
    fake: SampleSet,
    settings: Settings | None,
    *,
    seed: int,
    fixed: bool,
) -> list[dict[str, float]]:
    """The scores of a metric, and for a fixed set then those of its random halves."""
    try:
        whole = measure(name, real, fake, settings, seed=seed)
        rows = _random_halves(len(fake)) if fixed else []
        return [whole, *(measure(name, real, fake.take(half), settings) for half in rows)]
    except ValueError as error:
        parts = f" and halves of them, {len(fake) // 2}" if fixed else ""
        raise ValueError(f"{name} of {len(fake)} generated samples{parts}: {error}") from error


def _baselines(
    baselines: Mapping[str, Callable[[int], SampleSet]],
    reals: Mapping[str, SampleSet],
    settings: Settings | None,
    seeds: Sequence[int],
    progress: Callable[[str], None],
) -> dict[str, dict[str, dict[str, float]]]:
    """The mean scores of each baseline, by metric and baseline."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for what, samples in baselines.items():
        progress(f"baseline {what}")
        drawn = [samples(seed) for seed in seeds]
        found[what] = {
            name: _mean([measure(name, real, one, settings) for one in drawn])
            for name, real in reals.items()
            if METRICS[name].of not in ("generator", "log-likelihoods")
        }
    return found


def _floor(
    name: str, real: SampleSet, parts: Sequence[SampleSet], settings: Settings | None
) -> dict[str, float]:
    """The mean scores of real samples in place of generated ones."""
    if not METRICS[name].has_floor:
        return {}
    return _mean([measure(name, real, part, settings) for part in parts])


def _mean(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {score: float(np.mean([one[score] for one in found])) for score in found[0]}


def _parts(held_out: SampleSet, n: int) -> list[SampleSet]:
    """Up to 20 disjoint random parts of `n` samples; a single part if there are fewer than `n`.

    Samples are shuffled, because the Inception score uses consecutive splits.
    """
    count = min(_REPETITIONS, max(1, len(held_out) // n))
    rows = np.random.default_rng(0).permutation(len(held_out))
    return [held_out.take(rows[i * n : (i + 1) * n]) for i in range(count)]


def _random_halves(n: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.permutation(n)[: n // 2] for _ in range(_REPETITIONS)]


def protocol_of(
    name: str,
    real: SampleSet,
    fake: SampleSet,
    settings: Settings | None,
    interval: str | None,
) -> Protocol:
    """The protocol of a metric on these samples.

    Args:
        name: A key of `METRICS`.
        real: The real samples to compare with.
        fake: Generated samples.
        settings: Maps the name of a metric to its keyword arguments.
        interval: Source of the interval, "seeds", "halves" or `None`; see `Protocol`.
    """
    metric = METRICS[name]
    used = fake.extractor if metric.uses_extractor else None
    chosen = settings_of(name, real, fake, settings)
    n_real, n_fake = len(real), len(fake)
    if metric.equal_counts:
        n_real = n_fake = min(n_real, n_fake)
    if metric.fakes_only:
        n_real = 0
    preprocessing = preparation(fake.kind).words
    if metric.of == "generator":
        n_fake, preprocessing = chosen["samples"], "none"
    elif used is not None:
        preprocessing = used.preprocessing
    return Protocol(
        metric=name,
        data=real.data or "",
        split=real.split,
        reference=content_hash(real.samples) if n_real else "",
        n_real=n_real,
        n_fake=n_fake,
        extractor=used.label if used else None,
        preprocessing=preprocessing,
        settings=json.loads(json.dumps(chosen, default=_told, sort_keys=True)),
        interval=interval,
    )


def _told(value: Any) -> Any:
    """A JSON value for a setting that is not a plain value."""
    if isinstance(value, np.ndarray):
        return f"{value.shape} {content_hash(value)}"
    owner = getattr(value, "__self__", None)
    return getattr(owner, "label", None) or getattr(value, "__name__", str(value))
