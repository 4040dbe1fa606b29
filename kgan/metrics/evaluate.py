"""Scores of generated samples against real ones, each with its protocol, interval and floor."""

import difflib
import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kgan.metrics import METRICS, classification_accuracy_score
from kgan.metrics.cache import cached_features, content_hash
from kgan.metrics.extractor import Extractor, prepared
from kgan.metrics.score import Protocol, Score, half_interval, seed_interval

_HALVES = 20
_RAW = "rounded to 8 bits"
_OF_FEATURES = ("features", "probabilities")
_OF_FAKES = ("probabilities", "channels", "points", "generator")  # No real sample enters.
_OF_TRAINING = ("authenticity",)  # They look for copies, wherever these are from.
_EQUAL = ("sliced_wasserstein", "mind")  # They need as many real as generated samples.
_CLASSIFIER_STEPS, _CLASSIFIER_EPOCHS = 1000, 5  # At least so many of both.
Settings = Mapping[str, Mapping[str, Any]]


class SampleSet:
    """Samples with what metrics want of them, computed when first asked for.

    Args:
        samples: Images (n, height, width, channels) in [0, 1] or uint8, or points (n, d).
        labels: int (n,), or `None`.
        extractor: Gives features and probabilities; may be `None`.
        data: Name of real data, whose features are then kept on disk.
        split: Its split.
    """

    def __init__(
        self,
        samples: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        extractor: Extractor | None = None,
        data: str | None = None,
        split: str = "train",
    ):
        self._samples = samples
        self.labels = labels
        self.extractor = extractor
        self.data = data
        self.split = split

    def __len__(self) -> int:
        return len(self._samples)

    @functools.cached_property
    def samples(self) -> np.ndarray:
        """float32, images rounded to 8 bits."""
        return prepared(self._samples) if self._samples.ndim == 4 else self._samples

    @functools.cached_property
    def features(self) -> np.ndarray:
        """float32 (n, d): the extractor's; of points the points themselves."""
        if self._samples.ndim == 2:
            return self.samples
        if self.extractor is None:
            raise ValueError("an extractor must be given (--extractor) for scores of features.")
        if self.data is None:
            return self.extractor.features(self._samples)
        return cached_features(self.extractor, self._samples, data=self.data, split=self.split)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        if self.extractor is None:
            raise ValueError("an extractor must be given (--extractor) for scores of classes.")
        return self.extractor.probabilities(self._samples)

    def take(self, rows: np.ndarray) -> "SampleSet":
        """Those rows; features and probabilities that are there are taken along."""
        labels = None if self.labels is None else self.labels[rows]
        part = SampleSet(
            self._samples[rows], labels, extractor=self.extractor, data=self.data, split=self.split
        )
        for name in ("features", "probabilities"):
            if name in self.__dict__:
                part.__dict__[name] = self.__dict__[name][rows]
        return part

    def random(self, n: int) -> "SampleSet":
        """`n` rows, always the same ones; all of them where there are no more."""
        if n >= len(self):
            return self
        return self.take(np.sort(np.random.default_rng(0).permutation(len(self))[:n]))


def check_metrics(names: Sequence[str]) -> None:
    """Raises `ValueError` for a name that is no metric; names the nearest one."""
    for name in names:
        if name not in METRICS:
            near = difflib.get_close_matches(name.lower(), METRICS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {name!r}.{hint}")


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
    progress: Callable[[str], None] = lambda what: None,
) -> list[Score]:
    """Scores of generated samples.

    Args:
        fakes: Gives the generated samples of a seed.
        real: The reference, with `data` and `split`.
        held_out: Real samples that are not in it; their scores are the floor.
        metrics: Keys of `kgan.metrics.METRICS`; not `cas`, for which see `classification_scores`.
        seeds: Each draws samples anew; the interval is over them.
        settings: Keyword arguments of the metrics, by name.
        fixed: Whether the samples are a given set, which no seed changes: the interval is then over
            random halves of it.
        training: The whole training set, for metrics that look for copies; `real` by default.
        floor_real: What to compare `held_out` with, where `real` contains those samples.
        progress: Told what is about to be computed.

    Returns:
        One score for each number that a metric gives.
    """
    check_metrics(metrics)
    seeds = tuple(seeds[:1] if fixed else seeds)
    reals = {name: training if training and name in _OF_TRAINING else real for name in metrics}
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
    scores = []
    for name in metrics:
        progress(f"{name} of held-out data")
        floor = _floor(name, floor_real or reals[name], _parts(held_out, len(fake)), settings)
        for score, lower in METRICS[name].lower_is_better.items():
            values = tuple(result[score] for result in drawn[name])
            low, high = seed_interval(values)
            if fixed:
                low, high = half_interval(values[0], [half[score] for half in halves[name]])
            # Said of what was done: an infinite score has no interval, but the same protocol.
            kind = "halves" if fixed else "seeds" if len(seeds) > 2 else None
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
                    protocol=_protocol(name, reals[name], fake, settings, kind),
                )
            )
    return scores


def _measured(name, real, fake, settings, *, seed: int, fixed: bool) -> list[dict[str, float]]:
    """The scores of a metric; of a fixed set those of random halves after them."""
    try:
        whole = measure(name, real, fake, settings, seed=seed)
        rows = _random_halves(len(fake)) if fixed else []
        return [whole, *(measure(name, real, fake.take(half), settings) for half in rows)]
    except ValueError as error:
        parts = f" and halves of them, {len(fake) // 2}" if fixed else ""
        raise ValueError(f"{name} of {len(fake)} generated samples{parts}: {error}") from error


def published_name(metric: str, score: str, extractor: Extractor | None) -> str:
    """The score's name with its extractor, such as "fid[lenet-mnist@1a2b3c4d]"."""
    if METRICS[metric].of not in _OF_FEATURES:
        return score
    return f"{score}[{'points' if extractor is None else extractor.label}]"


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
        real: The reference.
        fake: Generated samples.
        settings: Keyword arguments of the metrics, by name. `modes` needs `centres` and
            `deviation`; `stacked_modes` needs `classify`; `ppl` needs `generate`, `latent_dim` and
            `samples`.
        seed: Of the latents that `ppl` draws. What other metrics draw is always the same.
    """
    metric = METRICS[name]
    chosen = settings_of(name, real, fake, settings)
    if name in _EQUAL:
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
    return metric.scores(real.samples, fake.samples, **chosen)


def classification_scores(
    fakes: Callable[[int], SampleSet],
    real: SampleSet,
    held_out: SampleSet,
    *,
    classifier: Callable[[], keras.Model],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    epochs: int | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> list[Score]:
    """The classification accuracy score and its reverse.

    `cas`: a classifier trained on fakes alone, tested on `held_out`. `cas_reverse`: one trained on
    `real`, tested on fakes. The floor (here a ceiling) of both is that of `real` on `held_out`.

    Args:
        fakes: Gives the labelled generated samples of a seed.
        real: Labelled training data.
        held_out: Labelled test data.
        classifier: Makes a fresh compiled classifier.
        seeds: Each draws samples anew; one seed gives no interval.
        epochs: Passes over what is trained on; default 5, or 1,000 steps.
        progress: Told what is about to be computed.
    """
    seeds = tuple(seeds)

    def how(n: int) -> dict[str, Any]:
        batch_size = min(128, n)
        passes = math.ceil(_CLASSIFIER_STEPS * batch_size / n)
        return {"epochs": epochs or max(_CLASSIFIER_EPOCHS, passes), "batch_size": batch_size}

    test = (held_out.samples, _labels(held_out, "real"))
    progress("cas: a classifier on real data")
    judge = classifier()
    ceiling = classification_accuracy_score(
        judge, real.samples, _labels(real, "real"), *test, **how(len(real))
    )
    found: dict[str, list[float]] = {"cas": [], "cas_reverse": []}
    for seed in seeds:
        progress(f"cas: a classifier on generated data, seed {seed}")
        fake = fakes(seed)
        labels = _labels(fake, "generated")
        found["cas"].append(
            classification_accuracy_score(classifier, fake.samples, labels, *test, **how(len(fake)))
        )
        seen = judge.predict(fake.samples, batch_size=256, verbose=0).argmax(axis=1)
        found["cas_reverse"].append(float((seen == labels).mean()))
    scores = []
    for name, values in found.items():
        low, high = seed_interval(values)
        kind = "seeds" if len(seeds) > 2 else None
        settings = {"cas": {**how(len(fake)), "classifier": classifier}}
        protocol = _protocol("cas", real, fake, settings, kind)
        scores.append(
            Score(
                name=name,
                value=float(np.mean(values)),
                low=low,
                high=high,
                lower_is_better=False,
                floor=ceiling,
                floor_n=len(real),
                seeds=seeds,
                values=tuple(values),
                protocol=protocol,
            )
        )
    return scores


def _labels(samples: SampleSet, what: str) -> np.ndarray:
    if samples.labels is None:
        raise ValueError(f"cas needs labels, and the {what} samples have none.")
    return samples.labels


def settings_of(
    name: str, real: SampleSet, fake: SampleSet, settings: Settings | None
) -> dict[str, Any]:
    """The settings given, and what a small set needs."""
    chosen = dict((settings or {}).get(name, {}))
    if name == "kid":
        chosen.setdefault("subset_size", min(1000, len(real), len(fake)))
    return chosen


def _floor(name, real, parts, settings) -> dict[str, float]:
    """The mean scores of real samples in place of generated ones."""
    if METRICS[name].of == "generator":
        return {}
    found = [measure(name, real, part, settings) for part in parts]
    return {score: float(np.mean([one[score] for one in found])) for score in found[0]}


def _parts(held_out: SampleSet, n: int) -> list[SampleSet]:
    """Disjoint random parts of `n`, as many as there are up to 20; everything where it is less.

    In random order, as the Inception score cuts what it is given into consecutive splits.
    """
    count = min(_HALVES, max(1, len(held_out) // n))
    rows = np.random.default_rng(0).permutation(len(held_out))
    return [held_out.take(rows[i * n : (i + 1) * n]) for i in range(count)]


def _random_halves(n: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.permutation(n)[: n // 2] for _ in range(_HALVES)]


def _protocol(name, real, fake, settings, kind) -> Protocol:
    of = METRICS[name].of
    used = fake.extractor if of in (*_OF_FEATURES, "generator") else None
    chosen = settings_of(name, real, fake, settings)
    n_real, n_fake = len(real), len(fake)
    if name in _EQUAL:
        n_real = n_fake = min(n_real, n_fake)
    if of in _OF_FAKES:
        n_real = 0
    preprocessing = _RAW if fake.samples.ndim == 4 else "none"
    if of == "generator":
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
        interval=kind,
    )


def _told(value) -> Any:
    """A setting that is no plain value, in JSON."""
    if isinstance(value, np.ndarray):
        return f"{value.shape} {content_hash(value)}"
    owner = getattr(value, "__self__", None)
    return getattr(owner, "label", None) or getattr(value, "__name__", str(value))
