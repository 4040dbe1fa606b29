"""Bits per dimension: how likely a model says that real samples are."""

from collections.abc import Callable, Sequence

import numpy as np

from kgan.evaluation.score import Protocol, Score
from kgan.intervals import mean_interval
from kgan.metrics import METRICS
from kgan.metrics.cache import content_hash
from kgan.metrics.likelihood import UNIFORM_BITS
from kgan.metrics.sample_set import SampleSet, preparation

LogLikelihood = Callable[..., np.ndarray]
"""`(samples, labels, *, importance_samples, seed)` to nats (n,), as of `kgan.models.VAE`."""

_METRIC = "bits_per_dimension"


def likelihood_scores(
    log_likelihood: LogLikelihood,
    train: SampleSet,
    held_out: SampleSet,
    *,
    importance_samples: int = 1,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    progress: Callable[[str], None] = lambda what: None,
) -> list[Score]:
    """Bits per dimension of held-out and of training samples.

    Real data have no floor on this measure: nobody knows how likely they are. What stands beside is
    the uniform model, whose 8 bits any model has to beat.

    Args:
        log_likelihood: The model's log-likelihoods, or lower bounds of them.
        train: Training samples, with labels where the model takes them.
        held_out: Other samples of the same data.
        importance_samples: Draws of latents for each sample and seed, where the model draws some.
        seeds: Each draws latents and noise anew; the interval is over them.
        progress: Told what is about to be computed.

    Returns:
        The scores `bits_per_dimension`, of held-out samples, and `bits_per_dimension_train`.
    """
    seeds = tuple(seeds)
    sets = {"training": train, "held out": held_out}
    found = []
    for seed in seeds:
        nats = []
        for what, samples in sets.items():
            progress(f"bits per dimension, {what}, seed {seed}")
            nats.append(
                log_likelihood(
                    samples.samples,
                    samples.labels,
                    importance_samples=importance_samples,
                    seed=seed,
                )
            )
        dimensions = int(np.prod(train.kind.shape))
        found.append(METRICS[_METRIC].scores(*nats, dimensions=dimensions))
    scores = []
    for name, (what, samples) in zip(found[0], reversed(sets.items()), strict=True):
        values = tuple(result[name] for result in found)
        low, high = mean_interval(values)
        scores.append(
            Score(
                name=name,
                value=float(np.mean(values)),
                low=low,
                high=high,
                lower_is_better=True,
                floor=None,
                floor_n=None,
                seeds=seeds,
                values=values,
                protocol=_protocol(
                    samples, train.split if samples is train else what, importance_samples, seeds
                ),
                baselines={"uniform": UNIFORM_BITS},
            )
        )
    return scores


def _protocol(
    samples: SampleSet, split: str, importance_samples: int, seeds: Sequence[int]
) -> Protocol:
    return Protocol(
        metric=_METRIC,
        data=samples.data or "",
        split=split,
        reference=content_hash(samples.samples),
        n_real=len(samples),
        n_fake=0,
        extractor=None,
        preprocessing=preparation(samples.kind).words,
        settings={"importance_samples": importance_samples},
        interval="seeds" if len(seeds) > 2 else None,
    )
