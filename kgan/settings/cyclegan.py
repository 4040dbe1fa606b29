"""Settings of the CycleGAN family."""

from dataclasses import dataclass
from typing import ClassVar

from kgan.settings.groups import check_at_least
from kgan.settings.unpaired import UnpairedSettings


@dataclass(frozen=True, kw_only=True)
class CycleGANSettings(UnpairedSettings):
    """Train a CycleGAN, which translates between two sets of images without pairs; export it."""

    family: ClassVar[str] = "cyclegan"

    # Objective
    cycle_weight: float = 10.0
    """Weight of the way there and back, as published for images in [-1, 1]."""
    identity_weight: float = 5.0
    """Weight of leaving alone what is of the right domain, likewise; 0 leaves it out."""
    pool_size: int = 50
    """Past translations of each domain that are kept for the discriminators."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 0, "cycle_weight", "identity_weight", "pool_size")


PRESETS: dict[str, CycleGANSettings] = {
    # Slanted digits in two minutes of two processor cores.
    "cyclegan": CycleGANSettings(
        generator_width=16,
        discriminator_width=32,
        batch_size=8,
        epochs=15,
        steps_per_epoch=100,
        g_learning_rate=1e-3,
        d_learning_rate=1e-3,
    ),
    # As published, for folders of photographs and a GPU.
    "cyclegan-photos": CycleGANSettings(flip=True, batch_size=1, epochs=200),
}
