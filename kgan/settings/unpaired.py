"""Fields of every family that translates between two domains without pairs."""

from dataclasses import dataclass

from kgan.settings.groups import (
    ImageReading,
    Machine,
    Messages,
    Output,
    PreparedData,
    RunFolder,
    Start,
    check_at_least,
    check_crop,
    name_of_data,
)


@dataclass(frozen=True, kw_only=True)
class UnpairedSettings(Messages, Output, Start, Machine, ImageReading, PreparedData):
    """Train a translation between two sets of images without pairs; export it."""

    # Data
    a: str | None = None
    """Domain A: an image folder, .npz/.npy, or a tensorflow-datasets name; default upright
    digits."""
    b: str | None = None
    """Domain B; default slanted digits, none of them one of A's, so that the true translation is
    known."""
    flip: bool = False
    """Mirror half of the images of both domains left to right."""
    crop: tuple[int, ...] | None = None
    """Train on a random part of this side, or height and width, of each image; test on the
    middle."""

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

    # Optimizers
    g_learning_rate: float = 2e-4
    """The generators' learning rate."""
    d_learning_rate: float = 2e-4
    """The discriminators' learning rate."""
    falling_share: float = 0.5
    """Share of the training in which the learning rates fall to zero along a line; before, they
    stay."""
    beta_1: float = 0.5
    """Adam's decay of the mean."""
    beta_2: float = 0.999
    """Adam's decay of the square."""

    @property
    def crop_shape(self) -> tuple[int, int] | None:
        """(height, width) of the part to train on, or `None`."""
        return None if self.crop is None else (self.crop[0], self.crop[-1])

    def check(self) -> None:
        super().check()
        check_crop(self.crop)
        check_at_least(self, 1, "generator_width", "discriminator_width")
        check_at_least(self, 0, "blocks", "halvings", "g_learning_rate", "d_learning_rate")
        if not 0.0 <= self.falling_share <= 1.0:
            raise ValueError(f"falling_share must be in [0, 1], got {self.falling_share}.")
        if (self.a is None) != (self.b is None):
            given, missing = ("a", "b") if self.b is None else ("b", "a")
            raise ValueError(f"give both domains or neither: --{given} needs --{missing} too.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        if self.a is None or self.b is None:
            return str(preset or self.family)
        return f"{name_of_data(self.a)}-to-{name_of_data(self.b)}"
