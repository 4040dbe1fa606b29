"""A whole evaluation: which samples are scored against which, by which metrics."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kgan.data import Dataset
from kgan.evaluation.classes import ClassRow, class_rows
from kgan.evaluation.classification import classification_scores
from kgan.evaluation.generated import Fakes
from kgan.evaluation.real_data import RealData
from kgan.evaluation.score import Score
from kgan.evaluation.score_pictures import draw
from kgan.evaluation.scoring import evaluate
from kgan.metrics.extractor import Extractor
from kgan.metrics.sample_set import SampleSet

_MOST = 10_000
_MOST_FOR_TRAINING = 60_000


@dataclasses.dataclass(frozen=True)
class Scored:
    """What came out.

    Attributes:
        scores: One for each number that a metric gives.
        classes: A row for each class; empty where nothing tells classes apart.
        shown: The samples of the first seed.
        train: The real data.
    """

    scores: list[Score]
    classes: list[ClassRow]
    shown: SampleSet
    train: SampleSet

    def draw(self, folder: Path, *, table: Path | None = None) -> None:
        """Writes the pictures that the samples allow into the folder.

        Args:
            folder: The folder.
            table: The `metrics.csv` of the run that made the samples, if any; its curves are drawn.
        """
        draw(folder, self.shown, self.train, self.classes, table)


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be scored, and how; a family fills one, and `score` does the rest.

    Attributes:
        fakes: `(n, seed)` to (samples, labels or `None`), of the kind of the real data.
        real: The real data.
        metrics: Keys of `kgan.metrics.METRICS`.
        settings: Keyword arguments of the metrics, by name.
        extractor: Gives features; `None` without one.
        given: Number of samples in a given set, which no seed changes; `None` for a generator.
        n: How many generated samples; `None` for as many as there are held-out ones, up to 10,000.
        n_real: How many real samples; `None` for all, up to 10,000, and up to 60,000 for metrics
            that look for copies.
        seeds: How often samples are drawn anew; intervals are over these.
        classifier: Makes the classifier of the metric `cas`.
        baselines: Simpler generators, by name, as `fakes`; their scores stand beside.
    """

    fakes: Fakes
    real: RealData
    metrics: Sequence[str]
    settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    extractor: Extractor | None = None
    given: int | None = None
    n: int | None = None
    n_real: int | None = None
    seeds: int = 5
    classifier: Callable[[], keras.Model] | None = None
    baselines: Mapping[str, Fakes] = dataclasses.field(default_factory=dict)

    def score(self, *, progress: Callable[[str], None] = lambda what: None) -> Scored:
        """Scores the samples, with intervals, floors and protocols.

        Args:
            progress: Told what is about to be computed.
        """
        train, held_out = self._real_set(self.real.train), self._real_set(self.real.held_out)
        floor = None if self.real.floor is None else self._real_set(self.real.floor)
        n = self.n or self.given or min(_MOST, len(held_out))
        shown = self._drawn(self.fakes, 0, n)
        seeds = tuple(range(self.seeds))
        scores = evaluate(
            lambda seed: shown if seed == 0 else self._drawn(self.fakes, seed, n),
            train.random(self.n_real or _MOST),
            held_out,
            metrics=[name for name in self.metrics if name != "cas"],
            seeds=seeds,
            settings=self.settings,
            fixed=self.given is not None,
            floor_real=floor,
            training=train.random(self.n_real or _MOST_FOR_TRAINING),
            baselines={
                name: functools.partial(self._drawn, fakes, n=n)
                for name, fakes in self.baselines.items()
            },
            progress=progress,
        )
        if "cas" in self.metrics:
            assert self.classifier is not None
            many = min(_MOST_FOR_TRAINING, len(train))
            scores += classification_scores(
                lambda seed: self._drawn(self.fakes, seed, many),
                (floor or train).random(_MOST_FOR_TRAINING),
                held_out,
                classifier=self.classifier,
                seeds=(0,) if self.given else seeds,
                progress=progress,
            )
        centres = self.settings.get("modes", {}).get("centres")
        classes = class_rows(shown, held_out, self.real.train.class_names, centres)
        return Scored(scores, classes, shown, train)

    def _real_set(self, data: Dataset) -> SampleSet:
        return SampleSet(
            data.samples,
            data.labels,
            kind=data.kind,
            extractor=self.extractor,
            data=data.name,
            split=self.real.split,
        )

    def _drawn(self, fakes: Fakes, seed: int, n: int) -> SampleSet:
        samples, labels = fakes(n, seed)
        return SampleSet(samples, labels, kind=self.real.train.kind, extractor=self.extractor)
