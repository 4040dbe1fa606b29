"""Scores of generated samples: default metrics for each kind, intervals and floors.

A `Task` says which samples are scored against which data, and how:

    task = kgan.evaluation.Task(
        fakes=lambda n, seed: (model.generate(n, seed=seed), None),
        real=kgan.evaluation.real_data("digits"),
        metrics=("fid", "prdc"),
        extractor=kgan.metrics.extractor.extractor("lenet-digits"),
    )
    for one in task.score().scores:
        print(one.name, one.value, one.low, one.high, one.floor)

`evaluate` does the same for your own sample sets. `DEFAULTS` holds the default metrics for each
kind of samples.
"""

from kgan.evaluation.classes import ClassRow, class_rows
from kgan.evaluation.classification import classification_scores, classifier_of
from kgan.evaluation.defaults import (
    DEFAULTS,
    default_count,
    default_extractor,
    default_metrics,
    known_modes,
    training_metrics,
)
from kgan.evaluation.likelihood import likelihood_scores
from kgan.evaluation.paired import diversity_score, paired_scores
from kgan.evaluation.real_data import RealData, real_data
from kgan.evaluation.score import Comparison, Protocol, Score, compare, load_scores, save_scores
from kgan.evaluation.scoring import evaluate
from kgan.evaluation.tables import print_comparison, print_scores, score_table
from kgan.evaluation.task import Scored, Task
from kgan.evaluation.translation import translation_scores
from kgan.metrics.sample_set import SampleSet

__all__ = [
    "DEFAULTS",
    "ClassRow",
    "Comparison",
    "Protocol",
    "RealData",
    "SampleSet",
    "Score",
    "Scored",
    "Task",
    "class_rows",
    "classification_scores",
    "classifier_of",
    "compare",
    "default_count",
    "default_extractor",
    "default_metrics",
    "diversity_score",
    "evaluate",
    "known_modes",
    "likelihood_scores",
    "load_scores",
    "paired_scores",
    "print_comparison",
    "print_scores",
    "real_data",
    "save_scores",
    "score_table",
    "training_metrics",
    "translation_scores",
]
