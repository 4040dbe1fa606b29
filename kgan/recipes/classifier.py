"""Classifiers: plain Keras models that return logits, to attack or to harden."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

import kgan.data
import kgan.data.order
import kgan.losses
import kgan.names
import kgan.precision
import kgan.random
from kgan.data import Dataset
from kgan.data.rotation import rotate
from kgan.data.shift import shift
from kgan.networks.classifiers import CLASSIFIERS
from kgan.recipes.recipe import Chosen, Recipe, about, jit_compile
from kgan.settings.classifier import ClassifierSettings

Generate = Callable[[int, np.ndarray, int], np.ndarray]


class ClassifierRecipe(Recipe[Chosen]):
    """Makes and trains a classifier from its settings.

    Args:
        settings: `ClassifierSettings`, or the settings of another family that trains classifiers.
        fakes: Needed if the settings name a source of generated images: maps the real data to a
            function of (n, labels, seed) that returns n images.
    """

    family = ClassifierSettings.family
    shown: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
    curves: ClassVar[Mapping[str, Sequence[str]]] = {
        "losses": ("loss",),
        "accuracy": ("accuracy",),
    }

    def __init__(self, settings: Chosen, *, fakes: Callable[[Dataset], Generate] | None = None):
        super().__init__(settings)
        self.fakes = fakes
        kgan.names.check("network", settings.network, CLASSIFIERS)

    def data(self) -> Dataset:
        return self.with_fakes(self.splits[0])

    @functools.cached_property
    def splits(self) -> tuple[Dataset, Dataset]:
        """The training data and the test data."""
        settings = self.settings
        return kgan.data.train_and_test(
            settings.data,
            seed=settings.seed,
            data_dir=settings.data_dir,
            download=settings.download,
            **settings.reading,
        )

    def with_fakes(self, data: Dataset) -> Dataset:
        """The data, with generated samples added if the settings name a source."""
        if self.fakes is None:
            return data
        filled = kgan.data.fill(
            data,
            self.fakes(data),
            per_class=self.settings.fakes_per_class,
            seed=self.settings.seed,
        )
        added = len(filled) - len(data)
        print(f"{len(data):,} images and {added:,} fakes from {self.settings.fakes}")
        return filled

    def network(self, data: Dataset) -> keras.Model:
        """An untrained classifier; equal seeds give equal weights."""
        keras.utils.set_random_seed(self.settings.seed)
        build = CLASSIFIERS[self.settings.network]
        with kgan.precision.under(self.settings.precision):
            return build(data.sample_shape, data.num_classes, width=self.settings.width)

    def model(self, data: Dataset) -> keras.Model:
        model = self.network(data)
        model.compile(
            self.optimizer(self.settings.epochs * self.steps_per_epoch(data)),
            self.loss(data),
            metrics=["accuracy"],
            jit_compile=jit_compile(self.settings.jit_compile),
            steps_per_execution=self.settings.steps_per_execution,
        )
        return model

    def loss(self, data: Dataset) -> keras.losses.Loss:
        """Cross-entropy, as the settings weigh classes and adjust logits."""
        settings = self.settings
        weighs, adjustment = settings.class_weights, settings.logit_adjustment
        if weighs == "none" and not adjustment:
            return plain_loss()
        counts = kgan.data.class_counts(data)
        if counts.min() == 0:
            raise ValueError(
                f"class_weights and logit_adjustment need images of every class; {data.name} has "
                f"none of class {counts.argmin()}."
            )
        weights = None
        if weighs != "none":
            beta = 1.0 if weighs == "balanced" else settings.effective_beta
            weights = kgan.losses.effective_weights(counts, beta=beta).tolist()
        return kgan.losses.RareClassCrossentropy(
            counts.tolist(), weights=weights, adjustment=adjustment
        )

    def order(self, data: Dataset) -> kgan.data.order.Order | None:
        """Which rows a step has, as the settings ask; `None` for shuffled passes."""
        settings = self.settings
        if settings.sampling == "shuffled":
            return None
        counts = kgan.data.class_counts(data)
        assert data.labels is not None
        if settings.sampling == "balanced":
            return kgan.data.order.balanced(data.labels, self.batch_size, seed=settings.seed)
        weights = kgan.losses.effective_weights(counts, beta=settings.effective_beta)
        return kgan.data.order.weighted(data.labels, weights, self.batch_size, seed=settings.seed)

    def optimizer(self, steps: int, *, rising_share: float = 0.2) -> keras.optimizers.Optimizer:
        """AdamW with a learning rate that rises linearly, then falls to zero as a cosine.

        Args:
            steps: Number of updates of the whole training.
            rising_share: Share of the updates in which the rate rises, in [0, 1].
        """
        rising = int(steps * rising_share)
        rate = keras.optimizers.schedules.CosineDecay(
            self.settings.learning_rate / 25,
            steps - rising,
            warmup_target=self.settings.learning_rate,
            warmup_steps=rising,
        )
        adam = keras.optimizers.AdamW(rate, weight_decay=self.settings.weight_decay)
        return kgan.precision.scaled(adam, self.settings.precision)

    def feed(self, data: Dataset, *, start: int = 0) -> tf.data.Dataset:
        settings = self.settings
        batches = kgan.data.feed(
            data,
            self.batch_size,
            seed=settings.seed,
            start=start,
            flip=settings.flip,
            order=self.order(data),
        )
        if not settings.shift and not settings.rotate:
            return batches

        def move(step, batch):
            images, labels = batch
            if settings.rotate:
                seed = kgan.random.step_seed(settings.seed, step, "rotation")
                images = rotate(images, seed, degrees=settings.rotate)
            if settings.shift:
                seed = kgan.random.step_seed(settings.seed, step, "shift")
                images = shift(images, seed, pixels=settings.shift)
            return images, labels

        moved = batches.enumerate(start).map(move, num_parallel_calls=1)
        return moved.prefetch(tf.data.AUTOTUNE)

    def describe(self, data: Dataset, model: keras.Model) -> Sequence[str]:
        size = model.count_params()
        return [
            *about(self.settings.data, data, flip=self.settings.flip),
            f"training {self.settings.network} ({size:,} weights) on {self.settings.data}",
        ]


def plain_loss() -> keras.losses.Loss:
    """The loss that a classifier has where nothing else is asked for, and is saved with."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
