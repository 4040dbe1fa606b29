"""What a family does with its settings: the one object that every command asks."""

import abc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import keras
import tensorflow as tf

import kgan.callbacks
import kgan.data

Chosen = TypeVar("Chosen", bound=Any)


class Watched(NamedTuple):
    """What is measured while a model trains.

    Attributes:
        callbacks: They add scores to the logs.
        monitor: The score that decides which state is the best; `None` where none does.
        lower_is_better: Whether its lowest value is the best.
    """

    callbacks: Sequence[keras.callbacks.Callback] = ()
    monitor: str | None = None
    lower_is_better: bool = True


class Recipe(abc.ABC, Generic[Chosen]):
    """How the models of a family are made and trained.

    A family fills `data`, `feed`, `model` and what else differs from the defaults. The loop around
    `fit` asks these methods and knows no family.

    Args:
        settings: What the user chose.

    Attributes:
        family: The family's name, as its settings have it.
        shown: Logs that the line of an epoch shows.
        curves: Logs that are drawn together, by the name of the picture.
    """

    family: ClassVar[str]
    shown: ClassVar[tuple[str, ...]] = ("d_loss", "g_loss", "distance")
    curves: ClassVar[Mapping[str, Sequence[str]]] = {"losses": ("d_loss", "g_loss")}

    def __init__(self, settings: Chosen):
        self.settings = settings

    @abc.abstractmethod
    def data(self) -> Any:
        """Loads what is learnt from. It has a length, a `fingerprint()` and `class_names`."""

    @abc.abstractmethod
    def model(self, data: Any) -> keras.Model:
        """A compiled model; equal settings give equal initial weights."""

    @abc.abstractmethod
    def feed(self, data: Any, *, start: int = 0) -> tf.data.Dataset:
        """The endless stream of training batches from step `start` on."""

    @abc.abstractmethod
    def samples_per_step(self) -> int:
        """Real samples in a step, for the speed that is shown."""

    @property
    def epochs(self) -> int:
        """Epochs of a whole training."""
        return self.settings.epochs

    def steps_per_epoch(self, data: Any) -> int:
        """Steps in an epoch."""
        in_a_pass = kgan.data.steps_per_epoch(data, self.samples_per_step())
        return self.settings.steps_per_epoch or in_a_pass

    @abc.abstractmethod
    def describe(self, data: Any, model: keras.Model) -> Sequence[str]:
        """Lines that tell, before training, what is trained on what."""

    def watch(self, data: Any, steps: int, *, table: Path) -> Watched:
        """What is measured while the model trains; nothing by default."""
        return Watched()

    def pictures(self, data: Any, folder: Path) -> Sequence[keras.callbacks.Callback]:
        """What draws samples after each epoch; nothing by default."""
        return ()

    def doctor(self, data: Any, folder: Path) -> Sequence[keras.callbacks.Callback]:
        """What looks for problems of the training; nothing by default."""
        return ()

    def draw(self, model: Any) -> Callable[[int, Any, int], Any]:
        """What `kgan sample` asks of a trained model: a function of (n, labels, seed) to samples.

        Args:
            model: From a checkpoint of a run of this family.
        """
        return lambda n, labels, seed: model.generate(n, labels, seed=seed)

    def next_steps(self, folder: Path, version: Path | None) -> Sequence[str]:
        """Commands that are worth trying on what training left.

        Args:
            folder: The run's folder.
            version: The exported version, where there is one.
        """
        return [
            f"kgan sample {version or folder} --n 100 --out samples.png",
            f"python train.py --resume --name {folder.name} --epochs N      # train on",
        ]

    def callbacks(
        self, data: Any, folder: Path, steps: int, *, first_epoch: int
    ) -> list[keras.callbacks.Callback]:
        """What a run records in its folder, in the order that the callbacks need.

        Args:
            data: From `data`.
            folder: The run's folder.
            steps: Steps in an epoch.
            first_epoch: Epochs that are done already.
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
                first_epoch=first_epoch,
                steps=steps,
                samples_per_step=per_step,
                shown=self.shown,
            ),
            *self.pictures(data, folder / "samples"),
            kgan.callbacks.HistoryPlot(table, folder, curves=self.curves),
            # Before the checkpoint, which then keeps what was rolled back to.
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


def jit_compile(choice: str) -> bool:
    """Whether XLA compiles the step: "on", "off", or "auto", on a single GPU."""
    if choice != "auto":
        return choice == "on"
    # Keras cannot compile a step for several replicas.
    alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
    return alone and len(tf.config.list_physical_devices("GPU")) == 1
