"""Settings of `kgan harden`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from kgan.settings.classifier import ClassifierSettings
from kgan.settings.groups import DeclaredVictim, Radius, RunFolder, check_at_least, name_of_data


@dataclass(frozen=True, kw_only=True)
class HardeningSettings(DeclaredVictim, ClassifierSettings):
    """Train a classifier against attacks, and compare it with what it was."""

    family: ClassVar[str] = "hardening"

    # What
    model: Path | None = None
    """A .keras file to harden; default a new network, trained without attacks for comparison."""
    fresh: bool = False
    """With a model: start from new weights, not from its own."""

    # How
    method: str = "fast"
    """A key of kgan.defenses.METHODS (fgsm, fast, free, pgd, trades, mart); or gat, against a
    generator that learns to attack in the same steps."""
    epsilon: Radius = 0.3
    """Radius of the ball for images in [0, 1], such as 0.1 or 8/255."""
    norm: Literal["linf", "l2", "l1"] = "linf"
    """The norm that epsilon is measured in."""
    steps: int | None = None
    """Steps of the attack of pgd, trades and mart; default 10."""
    beta: float | None = None
    """Weight of the divergence of trades (default 6) and mart (default 5)."""
    awp: float | None = None
    """Move the weights by this share of their length to where the loss is worst, such as 0.005."""
    warmup: int | None = None
    """Epochs in which the attack grows to its full length; default none. With a large radius pgd
    and mart may not get going without."""
    replays: int | None = None
    """Updates on each batch of free; default 8. The epochs are divided by it."""
    guard: bool = True
    """Stop when robustness is being unlearnt, with the best weights."""

    # Evaluation
    n: int = 1000
    """Images of the test split to attack."""
    autoattack_n: int = 200
    """How many of them AutoAttack gets; 0 for none."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 2, "n")
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be above 0, got {self.epsilon:g}.")
        if self.autoattack_n != 0:
            check_at_least(self, 2, "autoattack_n")
        check_at_least(self, 0, "warmup")
        if self.declared and self.model is None:
            raise ValueError(
                f"{', '.join(self.declared)} must be left out without --model: a new network takes "
                "images in [0, 1] and gives logits."
            )
        for name in ("class_weights", "logit_adjustment"):
            if getattr(self, name) not in ("none", 0):
                raise ValueError(
                    f"{name} must be left out, got {getattr(self, name)}: methods of hardening "
                    "have losses of their own. --sampling shows rare classes more often."
                )
        if self.fresh and self.model is None:
            raise ValueError("fresh must be off without --model: a new network is fresh.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        source = self.data if self.model is None else str(self.model)
        return f"{name_of_data(source)}-{self.method}"


_MNIST = HardeningSettings(
    data="mnist",
    network="strided_cnn",
    width=32,
    epochs=10,
    batch_size=100,
    learning_rate=5e-3,
)

PRESETS: dict[str, HardeningSettings] = {
    "digits": HardeningSettings(epsilon=0.15, epochs=40, autoattack_n=100),
    "mnist": _MNIST,
    # A preactivation ResNet of 176,000 weights; Wong et al. 2020 train one of 11 million as long.
    "cifar10": HardeningSettings(
        data="cifar10",
        flip=True,
        shift=4,
        network="resnet",
        width=16,
        epsilon=8 / 255,
        epochs=15,
        batch_size=128,
        learning_rate=3e-3,
        weight_decay=5e-3,
    ),
    # Trains as long in all, and works with any seed; one-step training depends on the seed.
    "mnist-trades": dataclasses.replace(
        _MNIST, method="trades", steps=5, beta=1.0, width=16, epochs=8
    ),
    # At this radius it stays at chance where the attack has its full length from the start.
    "mnist-mart": dataclasses.replace(
        _MNIST, method="mart", steps=5, beta=5.0, width=16, epochs=6, warmup=2
    ),
}
