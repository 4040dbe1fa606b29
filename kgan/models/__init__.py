"""Models whose training step differs; a GAN is one of them, composed of networks and losses."""

from kgan.models.gan import GAN
from kgan.models.perturbation_gan import PerturbationGAN
from kgan.models.players import Players
from kgan.models.saving import load, restore
from kgan.models.vae import VAE

MODELS = {"gan": GAN, "perturbation_gan": PerturbationGAN, "vae": VAE}

__all__ = ["GAN", "MODELS", "VAE", "PerturbationGAN", "Players", "load", "restore"]
