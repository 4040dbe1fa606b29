"""The CycleGAN family: translation between two domains of images, there and back."""

import keras

import kgan.models
import kgan.names
import kgan.networks
import kgan.precision
from kgan.data import Domains, cropped_kind
from kgan.models.cyclegan import DIRECTIONS
from kgan.recipes.recipe import jit_compile
from kgan.recipes.translation_networks import built, falling_adam
from kgan.recipes.unpaired import UnpairedRecipe
from kgan.settings.cyclegan import CycleGANSettings


class CycleGANRecipe(UnpairedRecipe[CycleGANSettings]):
    """A CycleGAN, from its settings."""

    family = "cyclegan"
    directions = DIRECTIONS
    shown = ("d_loss", "g_loss", "cycle", "identity", "error")
    curves = {  # noqa: RUF012
        "losses": ("d_loss", "g_loss"),
        "differences": ("cycle", "identity", "error", "error_back"),
    }

    def model(self, data: Domains) -> kgan.models.CycleGAN:
        settings = self.settings
        pair = kgan.names.look_up("networks", settings.networks, kgan.networks.TRANSLATION_NETWORKS)
        kinds = [cropped_kind(kind, settings.crop_shape) for kind in data.kinds]
        shapes = [kind.shape for kind in kinds]
        keras.utils.set_random_seed(settings.seed)
        with kgan.precision.under(settings.precision):
            generators = [
                built(
                    settings.networks,
                    pair.generator,
                    taken,
                    channels=made[-1],
                    width=settings.generator_width,
                    halvings=settings.halvings,
                    blocks=settings.blocks,
                )
                for taken, made in (shapes, shapes[::-1])
            ]
            discriminators = [
                pair.discriminator(
                    shape, width=settings.discriminator_width, stages=settings.stages
                )
                for shape in shapes
            ]
        model = kgan.models.CycleGAN(
            *generators,
            *discriminators,
            loss=settings.loss,
            cycle_weight=settings.cycle_weight,
            identity_weight=settings.identity_weight,
            pool_size=settings.pool_size,
            seed=settings.seed,
            kind_a=kinds[0],
            kind_b=kinds[1],
        )
        steps = settings.epochs * self.steps_per_epoch(data)
        model.compile(
            g_optimizer=falling_adam(settings, settings.g_learning_rate, steps),
            d_optimizer=falling_adam(settings, settings.d_learning_rate, steps),
            jit_compile=jit_compile(settings.jit_compile),
            steps_per_execution=settings.steps_per_execution,
        )
        return model
