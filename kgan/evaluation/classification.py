"""The classification accuracy score: how well a classifier learns from generated samples."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kgan.data import Dataset
from kgan.evaluation.score import Score
from kgan.evaluation.scoring import protocol_of
from kgan.intervals import mean_interval
from kgan.metrics.classification_accuracy import classification_accuracy_score, predicted_classes
from kgan.metrics.sample_set import SampleSet
from kgan.networks.classifiers import small_cnn

_STEPS, _EPOCHS = 1000, 5  # Least number of each.


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

    `cas` is the accuracy of a classifier trained on fakes alone and tested on `held_out`;
    `cas_reverse` that of one trained on `real` and tested on fakes. The floor of both (here a
    ceiling) is the accuracy of one trained on `real` and tested on `held_out`.

    Args:
        fakes: Function that returns labelled generated samples for a seed.
        real: Labelled training data.
        held_out: Labelled test data.
        classifier: Function that makes a new compiled classifier.
        seeds: Seeds of the generated samples; the interval is over them, and needs several.
        epochs: Number of passes over the training samples; by default 5, or more to make at least
            1,000 steps.
        progress: Function called with a text that says what is computed next.
    """
    seeds = tuple(seeds)

    def how(n: int) -> dict[str, Any]:
        batch_size = min(128, n)
        passes = math.ceil(_STEPS * batch_size / n)
        return {"epochs": epochs or max(_EPOCHS, passes), "batch_size": batch_size}

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
        seen = predicted_classes(judge, fake.samples)
        found["cas_reverse"].append(float((seen == labels).mean()))
    scores = []
    for name, values in found.items():
        low, high = mean_interval(values)
        over = "seeds" if len(seeds) > 2 else None
        settings = {"cas": {**how(len(fake)), "classifier": classifier}}
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
                protocol=protocol_of("cas", real, fake, settings, over),
            )
        )
    return scores


def classifier_of(data: Dataset) -> Callable[[], keras.Model]:
    """A function that makes a compiled classifier for these images, always with equal weights."""

    def small_cnn_classifier() -> keras.Model:
        keras.utils.set_random_seed(0)
        height, width, channels = data.sample_shape
        model = small_cnn((height, width, channels), data.num_classes or 2)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], jit_compile=False)
        return model

    return small_cnn_classifier


def _labels(samples: SampleSet, what: str) -> np.ndarray:
    if samples.labels is None:
        raise ValueError(f"cas needs labels, and the {what} samples have none.")
    return samples.labels
