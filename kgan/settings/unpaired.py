"""Fields of every family that translates between two domains without pairs."""

from dataclasses import dataclass
from typing import ClassVar

from kgan.settings.groups import (
    ImageReading,
    Machine,
    Messages,
    Output,
    PreparedData,
    RunFolder,
    Start,
    TranslationTraining,
    check_at_least,
    name_of_data,
)


@dataclass(frozen=True, kw_only=True)
class UnpairedSettings(
    Messages, Output, TranslationTraining, Start, Machine, ImageReading, PreparedData
):
    """Train a translation between two sets of images without pairs; export it."""

    places: ClassVar[tuple[str, ...]] = ("a", "b")

    # Data
    a: str | None = None
    """Domain A: an image folder, .npz/.npy, or a tensorflow-datasets name; default upright
    digits."""
    b: str | None = None
    """Domain B; default slanted digits, none of them one of A's, so that the true translation is
    known."""
    flip: bool = False
    """Mirror half of the images of both domains left to right."""

    # Networks
    networks: str = "resnet"
    """A key of kgan.networks.TRANSLATION_NETWORKS (resnet, unet, encoder-decoder)."""
    generator_width: int = 64
    """Channels of the generators at the images' resolution."""
    halvings: int | None = None
    """How often the generators halve the images; default 1 below 32 pixels, else 2. Sides must be
    divisible by 2 ** halvings."""
    blocks: int | None = None
    """Residual blocks of a resnet; default 3 below 32 pixels, 6 up to 128, else 9."""
    discriminator_width: int = 64
    """Channels of the discriminators after their first stage."""
    stages: int | None = None
    """Halvings of the discriminators, 1 to 3: they judge patches of 16, 34 or 70 pixels; default
    1 below 32 pixels, 2 below 128, else 3."""

    # Objective
    loss: str = "least_squares"
    """A key of kgan.losses.LOSSES (least_squares, hinge, non_saturating, ...)."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "generator_width", "discriminator_width")
        check_at_least(self, 0, "blocks", "halvings")
        if (self.a is None) != (self.b is None):
            given, missing = ("a", "b") if self.b is None else ("b", "a")
            raise ValueError(f"give both domains or neither: --{given} needs --{missing} too.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        if self.a is None or self.b is None:
            return str(preset or self.family)
        return f"{name_of_data(self.a)}-to-{name_of_data(self.b)}"
