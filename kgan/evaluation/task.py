"""A whole evaluation: which samples are scored against which data, by which metrics."""

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
from kgan.evaluation.likelihood import likelihood_scores
from kgan.evaluation.real_data import RealData
from kgan.evaluation.score import Score
from kgan.evaluation.score_pictures import draw
from kgan.evaluation.scoring import evaluate
from kgan.evaluation.tables import score_table
from kgan.metrics import METRICS
from kgan.metrics.extractor import Extractor
from kgan.metrics.sample_set import SampleSet

MOST = 10_000
"""Real and generated samples in a score, where there are more."""
_MOST_FOR_TRAINING = 60_000

# What is not computed of two sets of samples.
_APART = ("cas", "bits_per_dimension")


@dataclasses.dataclass(frozen=True)
class Scored:
    """The results of an evaluation.

    Attributes:
        scores: A score for each number that a metric returns.
        classes: A row for each class; empty if nothing can tell classes apart.
        shown: The generated samples of the first seed.
        train: The real data.
    """

    scores: list[Score]
    classes: list[ClassRow]
    shown: SampleSet
    train: SampleSet

    def __repr__(self) -> str:
        return f"Scored({', '.join(f'{one.name} {one.value:.4g}' for one in self.scores)})"

    def _repr_html_(self) -> str:
        """A table of the scores, for a notebook."""
        return score_table(self.scores)

    def draw(self, folder: Path, *, table: Path | None = None) -> None:
        """Writes the pictures that suit the samples into the folder.

        Args:
            folder: The folder to write to.
            table: The `metrics.csv` of the run that made the samples, whose curves are drawn.
        """
        draw(folder, self.shown, self.train, self.classes, table)


@dataclasses.dataclass(frozen=True)
class Task:
    """The samples to score and how to score them; `score` runs the evaluation.

    Attributes:
        fakes: Function of (n, seed) that returns (samples, labels or `None`), of the kind of the
            real data.
        real: The real data.
        metrics: Names of the metrics, keys of `kgan.metrics.METRICS`.
        settings: Maps the name of a metric to its keyword arguments.
        extractor: The extractor of features, or `None`.
        given: Number of samples in a given set, the same for every seed; `None` for a generator.
        n: Number of generated samples; `None` for as many as there are held-out ones, up to 10,000,
            and for as many as there are real ones, up to 60,000, where a classifier learns of them.
        n_real: Number of real samples; `None` for all, up to 10,000, and up to 60,000 for metrics
            that look for copies.
        seeds: Number of times that samples are drawn; intervals are over these draws.
        classifier: Function that makes the classifier of the metric `cas`.
        baselines: Simpler generators by name, functions like `fakes`, whose scores are added to
            each score.
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
            progress: Function called with a text that says what is computed next.
        """
        train, held_out = self._real_set(self.real.train), self._real_set(self.real.held_out)
        floor = None if self.real.floor is None else self._real_set(self.real.floor)
        n = self.n or self.given or min(MOST, len(held_out))
        shown = self._drawn(self.fakes, 0, n)
        seeds = tuple(range(self.seeds))
        learning = [name for name in self.metrics if METRICS[name].learns]
        scores = evaluate(
            lambda seed: shown if seed == 0 else self._drawn(self.fakes, seed, n),
            train.random(self.n_real or MOST),
            held_out,
            metrics=[name for name in self.metrics if name not in (*_APART, *learning)],
            seeds=seeds,
            settings=self.settings,
            fixed=self.given is not None,
            floor_real=floor,
            training=train.random(self.n_real or _MOST_FOR_TRAINING),
            baselines=self._baselines(n),
            progress=progress,
        )
        # Of what is learnt from, as many as there are real ones.
        many = self.n or self.given or min(_MOST_FOR_TRAINING, len(train))
        if learning:
            scores += evaluate(
                lambda seed: self._drawn(self.fakes, seed, many),
                self._real_set(self.real.held_out, split="held out"),
                (floor or train).random(_MOST_FOR_TRAINING),
                metrics=learning,
                seeds=(0,) if self.given else seeds,
                settings=self.settings,
                baselines=self._baselines(many),
                progress=progress,
            )
        if "cas" in self.metrics:
            assert self.classifier is not None
            scores += classification_scores(
                lambda seed: self._drawn(self.fakes, seed, many),
                (floor or train).random(_MOST_FOR_TRAINING),
                held_out,
                classifier=self.classifier,
                seeds=(0,) if self.given else seeds,
                progress=progress,
            )
        if "bits_per_dimension" in self.metrics:
            scores += likelihood_scores(
                train=train.random(self.n_real or MOST),
                held_out=held_out,
                seeds=seeds,
                progress=progress,
                **self.settings["bits_per_dimension"],
            )
        centres = self.settings.get("modes", {}).get("centres")
        classes = class_rows(shown, held_out, self.real.train.class_names, centres)
        return Scored(scores, classes, shown, train)

    def _baselines(self, n: int) -> dict[str, Callable[[int], SampleSet]]:
        """For each baseline a function from a seed to `n` of its samples."""
        return {
            name: functools.partial(self._drawn, fakes, n=n)
            for name, fakes in self.baselines.items()
        }

    def _real_set(self, data: Dataset, *, split: str | None = None) -> SampleSet:
        return SampleSet(
            data.samples,
            data.labels,
            kind=data.kind,
            extractor=self.extractor,
            data=data.name,
            split=split or self.real.split,
        )

    def _drawn(self, fakes: Fakes, seed: int, n: int) -> SampleSet:
        samples, labels = fakes(n, seed)
        return SampleSet(samples, labels, kind=self.real.train.kind, extractor=self.extractor)
