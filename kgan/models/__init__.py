"""Models with their own training step, such as a GAN, which combines networks and losses."""

from kgan.models.autoencoding import learn_to_reconstruct
from kgan.models.cut import CUT
from kgan.models.cyclegan import CycleGAN
from kgan.models.gan import GAN
from kgan.models.paired_gan import PairedGAN
from kgan.models.perturbation_gan import PerturbationGAN
from kgan.models.players import Players
from kgan.models.private_gan import PrivateGAN
from kgan.models.private_table_gan import PrivateTableGAN
from kgan.models.saving import load, restore
from kgan.models.table_conditions import rows_until_met, words_of
from kgan.models.table_copula import TableCopula
from kgan.models.table_gan import TableGAN
from kgan.models.table_vae import TableVAE
from kgan.models.vae import VAE

MODELS = {
    "gan": GAN,
    "cut": CUT,
    "cyclegan": CycleGAN,
    "paired_gan": PairedGAN,
    "perturbation_gan": PerturbationGAN,
    "private_gan": PrivateGAN,
    "private_table_gan": PrivateTableGAN,
    "table_copula": TableCopula,
    "table_gan": TableGAN,
    "table_vae": TableVAE,
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
    "PrivateGAN",
    "PrivateTableGAN",
    "TableCopula",
    "TableGAN",
    "TableVAE",
    "learn_to_reconstruct",
    "load",
    "restore",
    "rows_until_met",
    "words_of",
]
