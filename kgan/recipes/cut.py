"""The CUT family: translation from one domain of images to another, one way."""

import keras

import kgan.models
import kgan.names
import kgan.networks
import kgan.precision
from kgan.data import Domains, cropped_kind
from kgan.networks.translation import depths
from kgan.recipes.recipe import jit_compile
from kgan.recipes.translation_networks import built, falling_adam
from kgan.recipes.unpaired import UnpairedRecipe
from kgan.settings.cut import CUTSettings


class CUTRecipe(UnpairedRecipe[CUTSettings]):
    """CUT or FastCUT, from its settings."""

    family = "cut"
    shown = ("d_loss", "g_loss", "nce", "identity", "error")
    curves = {  # noqa: RUF012
        "losses": ("d_loss", "g_loss"),
        "content": ("nce", "identity"),
        "differences": ("error",),
    }

    def model(self, data: Domains) -> kgan.models.CUT:
        settings = self.settings
        pair = kgan.names.look_up("networks", settings.networks, kgan.networks.TRANSLATION_NETWORKS)
        kinds = [cropped_kind(kind, settings.crop_shape) for kind in data.kinds]
        one, other = (kind.shape for kind in kinds)
        if one != other:
            raise ValueError(
                "the domains of CUT must have images of one shape, since one network looks at "
                f"both, got {one} and {other}. Read both with --channels and --image-size."
            )
        keras.utils.set_random_seed(settings.seed)
        with kgan.precision.under(settings.precision):
            generator = built(
                settings.networks,
                pair.generator,
                one,
                width=settings.generator_width,
                halvings=settings.halvings,
                blocks=settings.blocks,
            )
            discriminator = pair.discriminator(
                other, width=settings.discriminator_width, stages=settings.stages
            )
            names = depths(generator)
            projector = kgan.networks.patch_projector(
                [generator.get_layer(name).output.shape[-1] for name in names],
                width=settings.projection,
            )
        model = kgan.models.CUT(
            generator,
            discriminator,
            projector,
            layers=names,
            loss=settings.loss,
            nce_weight=settings.nce_weight,
            identity=settings.identity,
            flip_equivariance=settings.flip_equivariance,
            patches=settings.patches,
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
