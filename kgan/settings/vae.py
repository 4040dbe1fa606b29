"""Settings of the VAE family."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

from kgan.settings.groups import (
    ImageReading,
    Machine,
    Messages,
    Output,
    PreparedData,
    RunFolder,
    SampleData,
    ScoresWhileTraining,
    Start,
    check_at_least,
    name_of_data,
)


@dataclass(frozen=True, kw_only=True)
class VAESettings(
    Messages, Output, ScoresWhileTraining, Start, Machine, ImageReading, SampleData, PreparedData
):
    """Train a variational autoencoder of images and export it."""

    family: ClassVar[str] = "vae"
    changeable: ClassVar[tuple[str, ...]] = ("epochs", "draws")

    # Networks
    networks: str = "dcgan"
    """A key of kgan.networks.AUTOENCODERS (dcgan)."""
    latent_dim: int = 32
    """Length of a latent vector."""
    width: int = 32
    """Width of the layers of both networks."""

    # Objective
    likelihood: Literal["discretised_logistic", "gaussian", "uniform"] = "discretised_logistic"
    """How the values of an image are distributed given its latents; uniform learns nothing, a
    baseline."""
    beta: float = 1.0
    """Weight of the divergence of the latents; 1 makes the loss a bound of the likelihood."""
    draws: bool = False
    """Samples are draws from the decoder's distribution, with its noise; default its most likely
    image."""

    # Optimizer
    learning_rate: float = 2e-3
    """Adam's learning rate."""
    learning_rate_half_life: int | None = None
    """Halve the learning rate every so many steps."""
    ema_decay: float = 0.999
    """Decay of the decoder's moving average."""

    # Watching
    doctor: bool = True
    """Say when the latents collapse, and what to try."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "latent_dim", "width", "learning_rate_half_life")
        check_at_least(self, 0, "learning_rate", "beta")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        assert isinstance(defaults, VAESettings)
        own_data = preset is None or self.data != defaults.data
        return f"{self.family}-{name_of_data(self.data)}" if own_data else str(preset)


_DIGITS = VAESettings(epochs=15, steps_per_epoch=200)

PRESETS: dict[str, VAESettings] = {
    "vae": _DIGITS,
    "vae-mnist": dataclasses.replace(_DIGITS, data="mnist", epochs=10, steps_per_epoch=None),
}
