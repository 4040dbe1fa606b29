"""Base of all recipes: the one object of a family that every command uses."""

import abc
import dataclasses
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import keras
import tensorflow as tf

import kgan.callbacks
import kgan.data
import kgan.evaluation
from kgan.history import read_history
from kgan.settings import hints
from kgan.settings.groups import USUAL_BATCH

Chosen = TypeVar("Chosen", bound=Any)


class Watched(NamedTuple):
    """The measurements that are made while a model trains.

    Attributes:
        callbacks: Callbacks that add scores to the logs.
        monitor: Name of the score that decides which state is the best; `None` if none does.
        lower_is_better: Whether the lowest value of that score is the best.
    """

    callbacks: Sequence[keras.callbacks.Callback] = ()
    monitor: str | None = None
    lower_is_better: bool = True


class Recipe(abc.ABC, Generic[Chosen]):
    """How the models of a family are made and trained.

    A subclass for each family implements `data`, `feed` and `model`, and overrides other methods
    as needed. The loop around `fit` calls these methods and needs to know nothing else.

    Args:
        settings: The settings that the user chose.

    Attributes:
        family: Name of the family, as in the settings.
        shown: Names of the logs that the line of an epoch shows.
        curves: Maps the name of each picture to the names of the logs that it shows.
        feeds_parts: Whether `feed` takes `part`, so that each of several workers reads its rows.
    """

    family: ClassVar[str]
    shown: ClassVar[tuple[str, ...]] = ("d_loss", "g_loss", "distance")
    curves: ClassVar[Mapping[str, Sequence[str]]] = {"losses": ("d_loss", "g_loss")}

    feeds_parts: bool = False

    def __init__(self, settings: Chosen):
        self.settings = settings
        self._kept: frozenset[str] | None = None

    def choose(self, kept: Iterable[str]) -> None:
        """Lets `settle` choose by the data what a preset has and the user did not choose.

        It is a batch that fits, and for the preset `auto` all that suits such data.

        Args:
            kept: Names of the settings that the user chose, which stay as they are.
        """
        self._kept = frozenset(kept)

    @abc.abstractmethod
    def data(self) -> Any:
        """Loads the training data: an object with a length, `fingerprint()` and `class_names`."""

    @abc.abstractmethod
    def model(self, data: Any) -> keras.Model:
        """A compiled model; equal settings give equal initial weights."""

    @abc.abstractmethod
    def feed(self, data: Any, *, start: int = 0) -> tf.data.Dataset:
        """The endless stream of training batches from step `start` on."""

    @property
    def batch_size(self) -> int:
        """Samples in an update: as chosen, or the usual number."""
        return self.settings.batch_size or USUAL_BATCH

    def samples_per_step(self) -> int:
        """Number of real samples in a step."""
        return self.batch_size

    def settle(self, data: Any, *, replicas: int = 1) -> Sequence[str]:
        """Settles what the user left to the data: a smaller batch where there are few samples.

        Args:
            data: The training data, from the method `data`.
            replicas: How many share a batch.

        Returns:
            Lines that say what was settled.
        """
        asked, usual = self.settings.batch_size, self.batch_size
        if asked is not None and (self._kept is None or "batch_size" in self._kept):
            return []
        share = len(data) // (self.samples_per_step() // usual)
        most, packing = min(share, usual), getattr(self.settings, "packing", 1)
        if most == usual and usual % packing == 0:
            fits = unit = usual
        else:
            unit = packing * replicas
            if getattr(self.settings, "minibatch_stddev", False) and most >= 4 * unit:
                # Whole groups, as a prime number of samples would have no deviation.
                unit *= 4
            fits = max(most // unit, 1) * unit
        self.settings = dataclasses.replace(self.settings, batch_size=fits)
        if fits == usual:
            return []
        why = f"there are {len(data):,} samples" if share < usual else f"{unit} must divide them"
        return [f"batches of {fits}, as {why}"]

    @property
    def epochs(self) -> int:
        """Number of epochs of a whole training."""
        return self.settings.epochs

    def steps_per_epoch(self, data: Any) -> int:
        """Number of steps in an epoch: whole executions, as Keras makes the last one whole too."""
        batches = self.samples_per_step() // self.batch_size
        if batches > 1 and self.samples_per_step() > len(data):
            raise ValueError(
                f"n_critic times batch_size must be at most the {len(data)} samples of {data.name},"
                f" got {batches} times {self.batch_size}: lower --n-critic or --batch-size."
            )
        in_a_pass = kgan.data.steps_per_epoch(data, self.samples_per_step())
        asked, at_once = self.settings.steps_per_epoch, self.settings.steps_per_execution
        if asked is None and at_once > in_a_pass:
            raise ValueError(
                f"steps_per_execution must be at most the {in_a_pass} steps of a pass over "
                f"{data.name}, got {at_once}. Set steps_per_epoch for longer epochs."
            )
        return asked or in_a_pass // at_once * at_once

    @abc.abstractmethod
    def describe(self, data: Any, model: keras.Model) -> Sequence[str]:
        """Lines to print before training, which describe the model and its data."""

    def begin(self, model: Any, data: Any) -> Sequence[str]:
        """Brings a new model to where its training begins; nothing by default.

        Returns:
            Lines that say what was done.
        """
        return ()

    def watch(self, data: Any, steps: int, *, table: Path) -> Watched:
        """The measurements made while the model trains; none by default."""
        return Watched()

    def pictures(self, data: Any, folder: Path) -> Sequence[keras.callbacks.Callback]:
        """The callbacks that draw samples after each epoch; none by default."""
        return ()

    def doctor(self, data: Any, folder: Path) -> Sequence[keras.callbacks.Callback]:
        """The callbacks that look for problems of the training; none by default."""
        return ()

    def draw(self, model: Any) -> Callable[[int, Any, int], Any]:
        """The function of (n, labels, seed) by which `kgan sample` gets samples from a model.

        Args:
            model: The trained model, from a checkpoint of a run of this family.
        """
        return lambda n, labels, seed: model.generate(n, labels, seed=seed)

    def inputs(self, endpoint: str) -> kgan.data.Dataset | None:
        """Samples that `kgan sample` shows a model which makes samples of samples.

        Args:
            endpoint: The model's endpoint that is asked.

        Returns:
            Samples that the model did not learn from; `None` where the user has to name some.
        """
        return None

    def real_data(self, endpoint: str) -> kgan.evaluation.RealData | None:
        """What `kgan evaluate` compares samples with, unless the user names other data.

        Args:
            endpoint: The model's endpoint that gives the samples, such as "generate".

        Returns:
            The data; `None` where they are those of the setting `data`.
        """
        return None

    def own_scores(self, model: Any, folder: Path) -> Sequence[kgan.evaluation.Score]:
        """Scores that only this family has, beside those of its samples; none by default.

        Args:
            model: From a checkpoint of a run of this family.
            folder: Where pictures that belong to them go.
        """
        return ()

    def next_steps(self, folder: Path, version: Path | None) -> Sequence[str]:
        """Commands to suggest to the user after training.

        Args:
            folder: The run's folder.
            version: Folder of the exported version, or `None`.
        """
        longer = shlex.join(hints.resume("train", self.settings, folder))
        rows = read_history(folder / "metrics.csv")
        # A resumed run may have been asked for fewer than it has done.
        done = max([self.epochs, *(int(row["epoch"]) for row in rows)])
        return [
            f"kgan sample {shlex.quote(str(version or folder))} --n 100 --out samples.png",
            f"{longer} --epochs {2 * done}      # train on",
        ]

    def callbacks(
        self, data: Any, folder: Path, steps: int, *, first_step: int
    ) -> list[keras.callbacks.Callback]:
        """All callbacks of a run, in the order that they need.

        Args:
            data: The training data, from the method `data`.
            folder: The run's folder.
            steps: Number of steps in an epoch.
            first_step: Number of steps that are done already.
        """
        table = folder / "metrics.csv"
        per_step = self.samples_per_step()
        watched = self.watch(data, steps, table=table)
        found: list[keras.callbacks.Callback] = [
            kgan.callbacks.LayerSeeds(),
            kgan.callbacks.NonFiniteGuard(),
            *watched.callbacks,
            kgan.callbacks.HistoryTable(table, samples_per_step=per_step),
            kgan.callbacks.ProgressBar(
                epochs=self.epochs,
                first_step=first_step,
                steps=steps,
                samples_per_step=per_step,
                shown=self.shown,
            ),
            *self.pictures(data, folder / "samples"),
            kgan.callbacks.HistoryPlot(table, folder, curves=self.curves),
            # Before the checkpoint, which then saves the weights that the doctor restored.
            *self.doctor(data, folder),
            kgan.callbacks.Checkpoint(
                folder / "checkpoints",
                monitor=watched.monitor,
                lower_is_better=watched.lower_is_better,
                table=table,
            ),
        ]
        if self.settings.tensorboard:
            found.append(keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False))
        return found


def about(name: str, data: kgan.data.Dataset, *, flip: bool = False) -> list[str]:
    """Lines that describe a data set: how much of what there is, and what was done to it.

    Args:
        name: As the user calls it.
        data: The data.
        flip: Whether images are mirrored at random while a model trains.
    """
    notes = [*data.notes, *mirroring(flip)]
    return [f"{name}: {data.summary()}", *(f"  {note}" for note in notes)]


def mirroring(flip: bool, what: str = "image") -> list[str]:
    """What is said of images that are mirrored, as some presets declare it for their data."""
    said = f"each time that it is shown, each {what} is mirrored with probability 1/2 (flip)"
    return [said] if flip else []


def halving(value: float, half_life: int | None) -> Any:
    """The value, or a schedule that halves it every `half_life` steps."""
    if half_life is None:
        return value
    return keras.optimizers.schedules.ExponentialDecay(value, half_life, 0.5)


def cosine(value: float, steps: int, end: float) -> keras.optimizers.schedules.CosineDecay:
    """A schedule from the value to the share `end` of it, on half a cosine of so many steps."""
    return keras.optimizers.schedules.CosineDecay(value, steps, alpha=end)


def jit_compile(choice: str) -> bool:
    """Whether XLA compiles the step, for a choice of "on", "off" or "auto" (on a single GPU)."""
    if choice != "auto":
        return choice == "on"
    # Keras cannot compile a step for several replicas.
    alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
    return alone and len(tf.config.list_physical_devices("GPU")) == 1
