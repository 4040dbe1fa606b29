"""The VAE family: one player, which learns to encode and to decode."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

import kgan.callbacks
import kgan.models
import kgan.names
import kgan.networks
import kgan.precision
from kgan.data import Dataset
from kgan.recipes.latent import LatentModelRecipe
from kgan.recipes.recipe import halving, jit_compile
from kgan.settings.vae import VAESettings

_COLUMNS = 10


class VAERecipe(LatentModelRecipe[VAESettings]):
    """A variational autoencoder, from its settings."""

    family = "vae"
    shown = ("bits_per_dimension", "reconstruction", "kl", "active_units", "distance")
    curves: ClassVar[Mapping[str, Sequence[str]]] = {
        "nats": ("loss", "reconstruction", "kl"),
        "bits": ("bits_per_dimension",),
    }

    def data(self) -> Dataset:
        data = super().data()
        if not data.is_images:
            raise ValueError(
                f"data of a VAE must be images, got {data.kind.plural} ({self.settings.data}). "
                "A GAN takes those: kgan train ring --data ..."
            )
        return data

    def describe(self, data: Dataset, model: keras.Model) -> Sequence[str]:
        size = model.encoder.count_params() + model.decoder.count_params()
        settings = self.settings
        return [
            *super().describe(data, model),
            f"{settings.networks}, {settings.likelihood}, beta {settings.beta:g}: {size:,} weights",
        ]

    def model(self, data: Dataset) -> kgan.models.VAE:
        settings = self.settings
        pair = kgan.names.look_up("networks", settings.networks, kgan.networks.AUTOENCODERS)
        num_classes = data.num_classes if settings.conditional else None
        keras.utils.set_random_seed(settings.seed)
        with kgan.precision.under(settings.precision):
            encoder, decoder = (
                build(
                    data.sample_shape,
                    settings.latent_dim,
                    num_classes=num_classes,
                    width=settings.width,
                )
                for build in pair
            )
        model = kgan.models.VAE(
            encoder,
            decoder,
            num_classes=num_classes,
            likelihood=settings.likelihood,
            beta=settings.beta,
            draws=settings.draws,
            ema_decay=settings.ema_decay,
            seed=settings.seed,
            kind=data.kind,
        )
        rate = halving(settings.learning_rate, settings.learning_rate_half_life)
        model.compile(
            optimizer=kgan.precision.scaled(keras.optimizers.Adam(rate), settings.precision),
            jit_compile=jit_compile(settings.jit_compile),
            steps_per_execution=settings.steps_per_execution,
        )
        return model

    def pictures(self, data: Dataset, folder: Path) -> Sequence[keras.callbacks.Callback]:
        rows = np.random.default_rng(self.settings.seed).permutation(len(data))[:_COLUMNS]
        some = data.take(np.sort(rows))
        return [
            *super().pictures(data, folder),
            kgan.callbacks.ReconstructionGrid(folder, some.as_float(), some.labels),
        ]

    def doctor(self, data: Dataset, folder: Path) -> Sequence[keras.callbacks.Callback]:
        return [kgan.callbacks.PosteriorDoctor(folder=folder)] if self.settings.doctor else []
