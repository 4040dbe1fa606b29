"""Settings of the family that translates from pairs: pix2pix, and whatever restores images."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

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

Task = Literal["inpaint", "colourise", "denoise", "deblur", "super-resolve", "de-jpeg", "edges"]


@dataclass(frozen=True, kw_only=True)
class PairedSettings(
    Messages, Output, TranslationTraining, Start, Machine, ImageReading, PreparedData
):
    """Train a generator from images to images on pairs, or to restore images; export it."""

    family: ClassVar[str] = "paired"
    places: ClassVar[tuple[str, ...]] = ("data", "b")

    # Data
    data: str | None = None
    """Pairs: a folder with a/ and b/ whose files have equal names, or with images that hold A and B
    side by side, or an .npz file with arrays a and b; with --task any set of images. Default
    digits."""
    b: str | None = None
    """Images of B, where --data has those of A: a folder with equal names, or an .npz/.npy file."""
    direction: Literal["a-to-b", "b-to-a"] = "a-to-b"
    """What is made of what, of pairs."""
    task: Task | None = None
    """What to restore: pairs are made of any set of images, which are damaged; default none, the
    data are pairs."""
    mask: Literal["centre", "random"] | None = None
    """Holes of inpaint: a quarter of the image in its middle (the default), or random
    rectangles."""
    factor: int | None = None
    """How many times as large images of B are: of super-resolve 2 (the default) or 4; of pairs
    default 1."""
    strength: float | None = None
    """Standard deviation of the noise of denoise (default 25/255), or of the blur of deblur in
    pixels (default 1.6)."""
    quality: int | None = None
    """JPEG's quality in de-jpeg, 1 to 100; default 10."""
    flip: bool = False
    """Mirror half of the pairs left to right."""

    # Networks
    networks: str | None = None
    """A key of kgan.networks.TRANSLATION_NETWORKS (unet, resnet, encoder-decoder,
    super-resolution); default super-resolution where B is larger, else unet."""
    generator_width: int = 64
    """Channels of the generator at the images' resolution."""
    halvings: int | None = None
    """How often a unet or resnet halves the images; default by their size."""
    blocks: int | None = None
    """Residual blocks of a resnet (default 3, 6 or 9 by the size) or of super-resolution
    (default 8)."""
    bottleneck: int | None = None
    """Length of the code of an encoder-decoder; default 100."""
    upsampling: Literal["nearest", "pixel_shuffle"] | None = None
    """How super-resolution enlarges; default nearest neighbours, then a convolution."""
    discriminator: str = "patch"
    """A key of kgan.networks.PATCH_DISCRIMINATORS (patch, multiscale)."""
    discriminator_width: int = 64
    """Channels of the discriminator after its first stage."""
    stages: int | None = None
    """Halvings of the discriminator, 1 to 3: it judges patches of 16, 34 or 70 pixels; default by
    the images' size."""

    # Objective
    loss: str = "non_saturating"
    """A key of kgan.losses.LOSSES (non_saturating, least_squares, hinge, ...)."""
    adversarial_weight: float = 1.0
    """Weight of fooling the discriminator; 0 leaves it out."""
    distance: str = "l1"
    """A key of kgan.losses.DISTANCES (l1, mse, charbonnier)."""
    reconstruction_weight: float = 100.0
    """Weight of the distance from the target, as published for images in [-1, 1]."""
    conditional: bool | None = None
    """Show the discriminator what the image is made of, too; default where both have one size."""
    latent_dim: int = 0
    """Length of a code by which one image has many outputs (the published one is 8, beside a
    reconstruction weight of 10 and the loss least_squares); 0 for one output."""
    code_weight: float = 0.5
    """Weight of finding the code of an output again."""
    features: Path | None = None
    """A .keras classifier of images of B, whose features are compared too."""
    feature_weight: float = 0.0
    """Weight of the distance of the features."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "generator_width", "discriminator_width", "factor", "bottleneck")
        check_at_least(self, 0, "adversarial_weight", "reconstruction_weight", "feature_weight")
        check_at_least(self, 0, "halvings", "blocks")
        if self.b is not None and (self.data is None or self.task is not None):
            raise ValueError(
                "b must be left out without --data, or with a task, which makes pairs of --data "
                f"alone, got {self.b}."
            )
        check_at_least(self, 0, "latent_dim", "code_weight")
        if self.latent_dim and self.networks == "encoder-decoder":
            raise ValueError(
                "latent_dim must be 0 for an encoder-decoder, which has a code of its own."
            )
        if self.task is not None and self.direction != "a-to-b":
            raise ValueError(f"direction must be a-to-b for a task, got {self.direction}.")
        if (self.features is None) != (self.feature_weight == 0):
            raise ValueError("--features FILE and a --feature-weight above 0 belong together.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        assert isinstance(defaults, PairedSettings)
        same = preset is not None and self.data is None and self.task == defaults.task
        if same:
            return str(preset)
        what = self.task or preset or self.family
        return f"{what}-{name_of_data(self.data or 'digits')}"


_SMALL = PairedSettings(
    generator_width=16,
    discriminator_width=32,
    batch_size=16,
    epochs=15,
    steps_per_epoch=100,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
)

PRESETS: dict[str, PairedSettings] = {
    # Slanted digits, of which the pairs are known, in two minutes of two processor cores.
    "pix2pix": _SMALL,
    # As published, for folders of photographs and a GPU.
    "pix2pix-photos": PairedSettings(
        image_size=(286,), crop=(256,), flip=True, batch_size=1, epochs=200
    ),
    # Holes in digits; any other --task and --data.
    "restore": dataclasses.replace(_SMALL, task="inpaint"),
    # A context encoder: a squared distance for the reconstruction and cross-entropy for the
    # adversary, with the published weights, and the generator ten times as fast.
    "encoder-decoder": dataclasses.replace(
        _SMALL,
        task="inpaint",
        networks="encoder-decoder",
        distance="mse",
        reconstruction_weight=0.999,
        adversarial_weight=0.001,
        conditional=False,
        g_learning_rate=2e-3,
        d_learning_rate=2e-4,
    ),
}
