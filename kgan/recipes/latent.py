"""Shared by all families whose model generates samples of one data set from latents."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import kgan.callbacks
import kgan.data
import kgan.evaluation
import kgan.metrics.extractor
from kgan.data import Dataset
from kgan.recipes.recipe import Chosen, Recipe, Watched, about

_REFERENCE = 1000
# Of large images fewer, so that those and as many generated ones take half a gigabyte.
_REFERENCE_VALUES = 2**26
# Below as many images a GAN mostly learns them by heart.
_FEW = 1000


class LatentModelRecipe(Recipe[Chosen]):
    """Data, batches, scores and pictures for a model that decodes latents, such as a GAN or a VAE.

    Its settings have the fields of `kgan.settings.groups.SampleData`.
    """

    feeds_parts = True

    def data(self) -> Dataset:
        settings = self.settings
        data = kgan.data.load(
            settings.data,
            settings.split,
            data_dir=settings.data_dir,
            download=settings.download,
            **settings.reading,
        )
        if settings.sampling != "shuffled" and data.labels is None:
            raise ValueError(
                f"sampling must be shuffled for {settings.data}, which has no classes, got "
                f"{settings.sampling}."
            )
        return data

    def feed(
        self, data: Dataset, *, start: int = 0, part: kgan.data.Part | None = None
    ) -> tf.data.Dataset:
        return kgan.data.feed(
            data,
            self.samples_per_step(),
            seed=self.settings.seed,
            start=start,
            labels=self.settings.conditional,
            flip=self.settings.flip,
            part=part,
            order=self._order(data),
        )

    def _order(self, data: Dataset) -> kgan.data.order.Order | None:
        """Which rows a step has, as the settings ask; `None` for shuffled passes."""
        if self.settings.sampling == "shuffled" or data.labels is None:
            return None
        return kgan.data.order.balanced(
            data.labels, self.samples_per_step(), seed=self.settings.seed
        )

    def describe(self, data: Dataset, model: keras.Model) -> Sequence[str]:
        lines = about(self.settings.data, data, flip=self.settings.flip)
        if data.is_images and len(data) < _FEW:
            flip = "" if self.settings.flip else ", and --flip doubles them where left may be right"
            copies = ", for whose copies the doctor looks" if self._looks_for_copies(data) else ""
            lines.append(
                f"  {len(data)} images are few: expect samples close to them{copies}; more images "
                f"help most{flip}"
            )
        return lines

    def _looks_for_copies(self, data: Dataset) -> bool:
        """Whether the doctor compares samples with the images."""
        return False

    def watch(self, data: Dataset, steps: int, *, table: Path) -> Watched:
        seed = self.settings.seed
        reference = _reference(data, seed)
        distance = kgan.callbacks.SampleDistance(reference.as_float(), reference.labels, seed=seed)
        monitor = self._monitor(data, steps, table=table)
        if monitor is None:
            return Watched([distance], "distance")
        return Watched([distance, monitor], monitor.monitor, monitor.lower_is_better)

    def pictures(self, data: Dataset, folder: Path) -> Sequence[keras.callbacks.Callback]:
        real = None if data.is_images else _reference(data, self.settings.seed).samples
        return [kgan.callbacks.SampleGrid(folder, real=real, seed=self.settings.seed)]

    def _monitor(
        self, data: Dataset, steps: int, *, table: Path
    ) -> kgan.callbacks.MetricMonitor | None:
        """The callback that scores the model during training; `None` unless `evaluate_every`."""
        settings = self.settings
        if settings.evaluate_every is None:
            return None
        name = settings.extractor or kgan.evaluation.default_extractor(data)
        if name == "discriminator":
            raise ValueError(
                "extractor discriminator is for kgan evaluate: while it trains its features "
                "change, so no score by them can tell the best state. Leave --extractor out, or "
                "name another one."
            )
        found = None
        if name is not None:
            found = kgan.metrics.extractor.extractor(name, download=settings.download)
            found.features(data.samples[:1])  # Fails now rather than after the first epoch.
        if settings.evaluate_every > settings.epochs * steps:
            raise ValueError(
                f"evaluate_every must be at most the run's {settings.epochs * steps} steps, "
                f"got {settings.evaluate_every}."
            )
        modes = kgan.evaluation.known_modes(data)
        metrics, decides = kgan.evaluation.training_metrics(data.kind, found, modes)
        real = kgan.evaluation.SampleSet(
            data.samples,
            data.labels,
            kind=data.kind,
            extractor=found,
            data=data.name,
            split=settings.split,
        )
        return kgan.callbacks.MetricMonitor(
            real.random(settings.evaluate_samples),
            metrics=metrics,
            decides=decides,
            every=settings.evaluate_every,
            steps_per_epoch=steps,
            settings=modes,
            patience=settings.patience,
            table=table,
            seed=settings.seed,
        )


def _reference(data: Dataset, seed: int) -> Dataset:
    """Real samples for the score after each epoch, the same ones each time."""
    count = min(_REFERENCE, max(2, _REFERENCE_VALUES // int(np.prod(data.sample_shape))))
    rows = np.random.default_rng(seed).permutation(len(data))[:count]
    return data.take(np.sort(rows))
