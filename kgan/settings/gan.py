"""Settings of the GAN family, and its presets: each preset is a combination of settings."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

from kgan.settings.groups import (
    Doctor,
    ImageReading,
    Machine,
    Messages,
    Output,
    PreparedData,
    Privacy,
    RunFolder,
    SampleData,
    ScoresWhileTraining,
    Start,
    check_at_least,
    check_decay,
    name_of_data,
)


@dataclass(frozen=True, kw_only=True)
class GANSettings(
    Messages,
    Output,
    ScoresWhileTraining,
    Doctor,
    Start,
    Privacy,
    Machine,
    ImageReading,
    SampleData,
    PreparedData,
):
    """Train a GAN and export its generator."""

    family: ClassVar[str] = "gan"
    changeable: ClassVar[tuple[str, ...]] = ("epochs",)

    # Networks
    networks: str = "dcgan"
    """A key of kgan.networks.NETWORKS (dcgan, resnet, mlp, mlp-fine, fastgan, progan, biggan,
    biggan-deep, r3gan, stylegan2)."""
    latent_dim: int = 64
    """Length of a latent vector."""
    generator_width: int = 64
    """Width of the generator's layers."""
    discriminator_width: int = 64
    """Width of the discriminator's layers."""
    spectral: bool = False
    """Spectral normalisation in the discriminator."""
    freeze_discriminator: int = 0
    """Freeze so many of the discriminator's first layers with weights (FreezeD)."""
    minibatch_stddev: bool = False
    """Show the discriminator the standard deviation across neighbouring samples."""

    # Objective
    loss: str = "non_saturating"
    """A key of kgan.losses.LOSSES (non_saturating, hinge, smooth_hinge, wasserstein,
    relativistic, ...)."""
    label_smoothing: float = 0.0
    """How far the real label is moved from 1."""
    penalty: tuple[str, ...] = ("r1",)
    """Keys of kgan.penalties.PENALTIES (r1, r2, gradient_penalty, dragan)."""
    penalty_weight: float = 1.0
    """Weight of each penalty as published, for images in [-1, 1]."""
    penalty_half_life: int | None = None
    """Halve the penalties' weight every so many generator updates."""
    penalty_interval: int = 1
    """Apply the penalty at every so many steps, that many times as strong."""
    packing: int = 1
    """Samples that the discriminator judges at once (PacGAN); unconditional only."""
    path_length: float = 0.0
    """Weight of the path length regularisation of a generator with styles; published: 2."""
    path_length_interval: int = 4
    """Apply it at every so many steps, that many times as strong."""
    orthogonal: float = 0.0
    """Weight of the orthogonal regularisation of the generator's kernels; published: 1e-4."""
    decoding: float = 0.0
    """Weight of what a decoder misses of real images that it draws from the discriminator's map
    (networks fastgan); published: 1, which the authors' code sums over batches of 8."""
    phase_steps: int | None = None
    """Steps in a phase of networks that grow (progan): the smallest size takes one, each doubling
    two, one to fade in and one to settle; default at full size from the start."""

    # Augmentation
    augment: Literal["none", "diffaugment", "ada", "ada-upright"] = "none"
    """What the discriminator sees all images through, for few images: diffaugment (colour,
    translation, cutout), ada (as strong as it needs to be) or ada-upright (without flips and
    turns, for digits, letters and all that stands)."""
    augment_target: float = 0.6
    """The mean sign that ada holds: of the discriminator's logits of real images, or of real less
    generated where the loss only compares them."""
    augment_images: int = 500_000
    """Real images that would take ada's probability from 0 to 1, of which it stops at 0.8; fewer
    for short trainings."""

    autoencoder_steps: int = 0
    """Steps in which the networks first learn to reconstruct samples, and the latents to be as the
    codes of each class (BAGAN); for rare classes, with --sampling balanced."""

    # Optimizers
    n_critic: int = 1
    """Discriminator updates for each generator update."""
    g_learning_rate: float = 2e-4
    """The generator's learning rate."""
    d_learning_rate: float = 2e-4
    """The discriminator's learning rate."""
    learning_rate_half_life: int | None = None
    """Halve both learning rates every so many generator updates."""
    cosine_steps: int | None = None
    """Lower the learning rates and the penalties' weight on a cosine over so many generator
    updates, in place of halving them."""
    learning_rate_end: float = 0.25
    """Share of the learning rates at the cosine's end."""
    penalty_end: float = 0.1
    """Share of the penalties' weight there."""
    beta_1: float = 0.5
    """Adam's decay of the mean, for both."""
    beta_2: float = 0.999
    """Adam's decay of the square, for both."""
    ema_decay: float = 0.999
    """Decay of the generator's moving average."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "latent_dim", "n_critic", "packing", "penalty_interval")
        check_at_least(self, 1, "generator_width", "discriminator_width")
        check_at_least(self, 1, "penalty_half_life", "learning_rate_half_life")
        check_at_least(self, 0, "freeze_discriminator", "autoencoder_steps")
        if self.autoencoder_steps and self.init_from is not None:
            raise ValueError(
                f"autoencoder_steps must be left out with init_from, got {self.autoencoder_steps}: "
                "both say what the training starts from."
            )
        if self.freeze_discriminator and self.init_from is None:
            raise ValueError(
                f"freeze_discriminator must go with init_from, got {self.freeze_discriminator} "
                "without: layers that never learnt anything would stay as they are."
            )
        check_at_least(self, 0, "g_learning_rate", "d_learning_rate", "penalty_weight")
        check_at_least(self, 1, "cosine_steps", "phase_steps")
        check_at_least(self, 0, "learning_rate_end", "penalty_end")
        for name in ("learning_rate_half_life", "penalty_half_life"):
            if self.cosine_steps and getattr(self, name):
                raise ValueError(
                    f"cosine_steps must be left out with {name}, got {self.cosine_steps} and "
                    f"{getattr(self, name)}: both say how learning rates and penalties fall. One "
                    f"of them is the preset's: --cosine-steps None or --{name.replace('_', '-')} "
                    "None takes it away."
                )
        check_at_least(self, 0, "path_length", "orthogonal", "decoding", "augment_target")
        if self.augment_target > 1:
            raise ValueError(f"augment_target must be in [0, 1], got {self.augment_target}.")
        check_at_least(self, 1, "path_length_interval", "augment_images")
        check_decay(self, "beta_1", "beta_2", "ema_decay")
        if self.epsilon is not None:
            self._check_private()

    def _check_private(self) -> None:
        """Raises for what would look at records besides the clipped and noisy gradients."""
        looks = {
            "penalty": self.penalty != (),
            "packing": self.packing != 1,
            "minibatch_stddev": self.minibatch_stddev,
            "evaluate_every": self.evaluate_every is not None,
            "augment": self.augment != "none",
            "decoding": self.decoding != 0.0,
            "phase_steps": self.phase_steps is not None,
            "roll_back": self.roll_back,
            "autoencoder_steps": self.autoencoder_steps != 0,
            "sampling": self.sampling != "shuffled",
        }
        for name in (name for name, used in looks.items() if used):
            raise ValueError(
                f"{name} must be left out with epsilon, got {getattr(self, name)}: it looks at "
                "records outside of what the promise covers. The preset mnist-private shows what "
                "fits; --penalty without a value switches penalties off."
            )
        if self.precision != "float32":
            raise ValueError(f"precision must be float32 with epsilon, got {self.precision}.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        assert isinstance(defaults, GANSettings)
        own_data = preset is None or self.data != defaults.data
        return name_of_data(self.data) if own_data else str(preset)


_DIGITS = GANSettings(epochs=15, steps_per_epoch=100)
# The relativistic loss with R1 and R2 of Huang et al. 2024 (arXiv:2501.05441), with a weak penalty
# that is not computed at every step.
_MNIST = GANSettings(
    data="mnist",
    generator_width=48,
    discriminator_width=48,
    loss="relativistic",
    penalty=("r1", "r2"),
    penalty_weight=0.01,
    penalty_interval=4,
    epochs=9,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
    learning_rate_half_life=2500,
    beta_1=0.0,
    beta_2=0.99,
)
# Many discriminator half-steps for each of the generator's, as Bie et al. 2023 (arXiv:2302.02936).
_MNIST_PRIVATE = GANSettings(
    data="mnist",
    generator_width=32,
    discriminator_width=16,
    penalty=(),
    epsilon=10.0,
    batch_size=512,
    n_critic=10,
    epochs=10,
    steps_per_epoch=50,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
    ema_decay=0.99,
)
# Modes come out narrower than the data's, and by more with momentum or with a discriminator that
# is behind: a narrow mode that moves about is as wide as the data over the steps that it learns by.
_RING = GANSettings(
    data="ring",
    conditional=False,
    networks="mlp-fine",
    latent_dim=2,
    loss="relativistic",
    penalty=("r1", "r2"),
    penalty_half_life=800,
    n_critic=2,
    batch_size=1024,
    epochs=8,
    steps_per_epoch=500,
    steps_per_execution=10,
    g_learning_rate=4e-3,
    d_learning_rate=4e-3,
    learning_rate_half_life=2000,
    beta_1=0.0,
    beta_2=0.9,
)

# StyleGAN2 in a size for a CPU, with pairs judged against each other and R1 and R2 (Huang et al.
# 2024, arXiv:2501.05441): with the published loss nearly all samples of a class are alike for as
# long as a CPU trains it. A tenth of this penalty, as Karras et al. 2020 (arXiv:2006.06676) have it
# for so small images, gave 1.05 to 2.3 times the FID on each of four sets, and less variety on two
# (benchmarks/RESULTS.md); theirs grows with pixels / batch. The average's half-life is about
# theirs for this batch: 11,000 images for 10,000. As in their run on CIFAR-10 there is no path
# length regularisation: it is for large images (--path-length 2). Twice the width takes 2.4 times
# as long.
_STYLEGAN2 = GANSettings(
    data="mnist",
    networks="stylegan2",
    latent_dim=64,
    generator_width=16,
    discriminator_width=16,
    minibatch_stddev=True,
    loss="relativistic",
    penalty=("r1", "r2"),
    penalty_weight=0.1,
    penalty_interval=4,
    batch_size=32,
    epochs=60,
    steps_per_epoch=500,
    g_learning_rate=2.5e-3,
    d_learning_rate=2.5e-3,
    beta_1=0.0,
    beta_2=0.99,
    ema_decay=0.998,
)

# R3GAN in a size for a CPU: its cosine of the rates and of the penalties, whose weight is between
# those of CIFAR-10 and of ImageNet (Huang et al. 2024, arXiv:2501.05441), but lazy, and five times
# its learning rate for fewer steps. Its cosines of beta_2, of the average's half-life and of the
# augmentation are left out: the first two are constant, and the third is none. Twice the width
# takes four times as long.
_R3GAN = GANSettings(
    data="mnist",
    networks="r3gan",
    generator_width=32,
    discriminator_width=32,
    batch_size=32,
    loss="relativistic",
    penalty=("r1", "r2"),
    penalty_weight=0.25,
    penalty_interval=4,
    cosine_steps=20_000,
    epochs=40,
    steps_per_epoch=500,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
    beta_1=0.0,
    beta_2=0.99,
)

# The objective of `mnist` with a stronger penalty; bfloat16, where a CPU multiplies it, pays for
# the greater width.
_CIFAR10 = dataclasses.replace(
    _MNIST,
    data="cifar10",
    flip=True,
    generator_width=64,
    discriminator_width=64,
    penalty_weight=0.5,
    epochs=40,
    learning_rate_half_life=10_000,
    precision="auto",
)

# The run on CIFAR-10 of Miyato et al. 2018 (arXiv:1802.05957), conditional as in Miyato & Koyama
# 2018 (arXiv:1802.05637). A step takes a core twelve seconds.
_SNGAN = GANSettings(
    data="cifar10",
    flip=True,
    networks="resnet",
    latent_dim=128,
    generator_width=256,
    discriminator_width=128,
    spectral=True,
    loss="hinge",
    penalty=(),
    n_critic=5,
    beta_1=0.0,
    beta_2=0.9,
    epochs=100,
    steps_per_epoch=1000,
    ema_decay=0.9999,
)

# BigGAN (Brock et al. 2019, arXiv:1809.11096) in a size for a CPU: its authors' script for CIFAR-10
# has a width of 256 and four half-steps of 50 images, but no orthogonal regularisation, latents of
# 128 in one part and an embedding of the class for each layer. Twice the width takes three times
# as long.
_BIGGAN = GANSettings(
    data="cifar10",
    flip=True,
    networks="biggan",
    latent_dim=80,
    generator_width=32,
    discriminator_width=32,
    spectral=True,
    loss="hinge",
    penalty=(),
    orthogonal=1e-4,
    n_critic=2,
    batch_size=32,
    beta_1=0.0,
    epochs=40,
    steps_per_epoch=500,
    ema_decay=0.9999,
)

# FastGAN at a width and batch for a CPU (Liu et al. 2021, arXiv:2101.04775), with the augmentation
# for few images that it was published with, and cutout.
_FASTGAN = GANSettings(
    data="mnist",
    networks="fastgan",
    latent_dim=128,
    generator_width=16,
    discriminator_width=64,
    spectral=True,
    loss="smooth_hinge",
    penalty=(),
    decoding=1.0,
    augment="diffaugment",
    batch_size=16,
    epochs=40,
    steps_per_epoch=500,
)

# ProGAN (Karras et al. 2018, arXiv:1710.10196) in a size for a CPU, with the loss and the lazy
# penalty of its successor.
_PROGAN = GANSettings(
    data="mnist",
    networks="progan",
    latent_dim=128,
    generator_width=32,
    discriminator_width=32,
    minibatch_stddev=True,
    penalty_weight=0.005,
    penalty_interval=16,
    phase_steps=1500,
    batch_size=32,
    epochs=40,
    steps_per_epoch=500,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
    beta_1=0.0,
    beta_2=0.99,
)


class AutoSettings(GANSettings):
    """Train a GAN with settings that suit its images, and export its generator.

    What the user did not choose the images choose; see `kgan.settings.auto`. Start from the preset
    `auto`, which has the length for which they choose.
    """

    chosen_by_data: ClassVar[bool] = True


PRESETS: dict[str, GANSettings] = {
    "digits": _DIGITS,
    "mnist": _MNIST,
    "mnist-private": _MNIST_PRIVATE,
    # What varies more than digits wants the stronger penalty.
    "fashion-mnist": dataclasses.replace(_MNIST, data="fashion_mnist", penalty_weight=0.5),
    "cifar10": _CIFAR10,
    "sngan": _SNGAN,
    "wgan-gp": dataclasses.replace(
        _DIGITS,
        loss="wasserstein",
        penalty=("gradient_penalty",),
        penalty_weight=10.0,
        n_critic=5,
        g_learning_rate=1e-4,
        d_learning_rate=1e-4,
        beta_1=0.0,
        beta_2=0.9,
    ),
    "ring": _RING,
    # The data are four times as wide, so a squared gradient needs 16 times the weight.
    "grid": dataclasses.replace(
        _RING,
        data="grid",
        networks="mlp",
        penalty_weight=16.0,
        penalty_half_life=1200,
        learning_rate_half_life=3000,
        epochs=20,
    ),
    # Early in training a step of 16 images is nearly as good as one of 64. Learning rates that
    # fall sooner stall the training. Modes are less even with a penalty of .01, as `mnist` has, and
    # with .5.
    "stacked-mnist": dataclasses.replace(
        _MNIST,
        data="stacked-mnist",
        conditional=False,
        latent_dim=128,
        generator_width=64,
        discriminator_width=32,
        penalty_weight=0.1,
        batch_size=16,
        epochs=40,
        steps_per_epoch=1000,
        precision="auto",
        g_learning_rate=5e-4,
        d_learning_rate=5e-4,
        learning_rate_half_life=20_000,
    ),
    "fastgan": _FASTGAN,
    "progan": _PROGAN,
    "stylegan2": _STYLEGAN2,
    "r3gan": _R3GAN,
    # What is not chosen by the images is as for the digits, but for the length; see
    # kgan.settings.auto.
    "auto": AutoSettings(epochs=20, steps_per_epoch=400),
    "biggan": _BIGGAN,
}
