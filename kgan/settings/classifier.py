"""Settings of `kgan train-classifier`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from kgan.settings.groups import (
    ImageReading,
    Machine,
    Messages,
    PreparedData,
    RunFolder,
    check_at_least,
    name_of_data,
)


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings(Messages, RunFolder, Machine, ImageReading, PreparedData):
    """Train a classifier to attack or to harden."""

    family: ClassVar[str] = "classifier"
    places: ClassVar[tuple[str, ...]] = ("data", "fakes")

    # Data
    data: str = "digits"
    """digits, a tensorflow-datasets name (mnist), an image folder, or .npz with labels."""
    flip: bool = False
    """Mirror half of the images left to right."""
    shift: int = 0
    """Shift images by up to so many pixels along each axis."""
    rotate: float = 0.0
    """Rotate images by up to so many degrees."""
    fakes: Path | None = None
    """Add generated images: a run, a .keras file, an exported model, or .npz with labels."""
    fakes_per_class: int | None = None
    """Add them until each class has so many images; default as many as the largest class has."""

    # Rare classes
    sampling: Literal["shuffled", "balanced", "effective"] = "shuffled"
    """Which images a step shows. balanced: all classes equally often; effective: by the effective
    number of their images, see effective_beta."""
    class_weights: Literal["none", "balanced", "effective"] = "none"
    """Weights of classes in the loss. balanced: one over their images; effective: one over their
    effective number."""
    effective_beta: float = 0.9999
    """A class of n images counts as (1 - beta^n) / (1 - beta) of them, in [0, 1)."""
    logit_adjustment: float = 0.0
    """Add so much of the logarithm of the classes' shares to the logits while training; 1 is for
    the least mean error over classes."""

    # Network
    network: str = "small_cnn"
    """A key of kgan.networks.classifiers.CLASSIFIERS (small_cnn, strided_cnn, lenet, resnet)."""
    width: int = 32
    """Channels of the first layer."""

    # Training
    epochs: int = 30
    """Number of epochs."""
    learning_rate: float = 3e-3
    """The highest one: it rises at first, then falls to zero as a cosine."""
    weight_decay: float = 0.0
    """AdamW's decay of the weights."""

    # Output
    classifiers_dir: Path = Path("saved_models/classifiers")
    """Where NAME.keras goes."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "width")
        check_at_least(self, 0, "shift", "rotate", "learning_rate", "weight_decay")
        if not 0 <= self.effective_beta < 1:
            raise ValueError(f"effective_beta must be in [0, 1), got {self.effective_beta}.")
        check_at_least(self, 0, "logit_adjustment")
        if self.fakes is None and self.fakes_per_class is not None:
            raise ValueError("fakes_per_class must be left out without --fakes SOURCE.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        assert isinstance(defaults, ClassifierSettings)
        own_data = preset is None or self.data != defaults.data
        return name_of_data(self.data) if own_data else str(preset)


PRESETS: dict[str, ClassifierSettings] = {
    "digits": ClassifierSettings(),
    "mnist": ClassifierSettings(data="mnist", epochs=5, batch_size=128, learning_rate=2e-3),
    "cifar10": ClassifierSettings(
        data="cifar10",
        flip=True,
        shift=4,
        network="resnet",
        width=16,
        epochs=15,
        batch_size=128,
        weight_decay=5e-3,
    ),
}
