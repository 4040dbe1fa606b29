"""Models with their own training step, such as a GAN, which combines networks and losses."""

from kgan.models.cut import CUT
from kgan.models.cyclegan import CycleGAN
from kgan.models.gan import GAN
from kgan.models.paired_gan import PairedGAN
from kgan.models.perturbation_gan import PerturbationGAN
from kgan.models.players import Players
from kgan.models.saving import load, restore
from kgan.models.table_gan import TableGAN
from kgan.models.vae import VAE

MODELS = {
    "gan": GAN,
    "cut": CUT,
    "cyclegan": CycleGAN,
    "paired_gan": PairedGAN,
    "perturbation_gan": PerturbationGAN,
    "table_gan": TableGAN,
    "vae": VAE,
}

__all__ = [
    "CUT",
    "GAN",
    "MODELS",
    "VAE",
    "CycleGAN",
    "PairedGAN",
    "PerturbationGAN",
    "Players",
    "TableGAN",
    "load",
    "restore",
]
