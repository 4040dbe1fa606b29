"""A GAN with styles, path length, an adaptive augmentation and lazy penalties."""

import keras

import kgan.augmentation
import kgan.models
import kgan.networks
import kgan.penalties
from kgan.generator_penalties import PathLength


def style_gan(*, num_classes=None, optimizer=None, kind=kgan.models.GAN, **options):
    """A small StyleGAN2 of 8x8 images; with weights of Keras's present seed."""
    gan = kind(
        kgan.networks.stylegan2_generator((8, 8, 1), 6, num_classes=num_classes, width=4),
        kgan.networks.stylegan2_discriminator((8, 8, 1), num_classes=num_classes, width=4),
        num_classes=num_classes,
        **{
            "penalties": [kgan.penalties.R1(0.01, interval=2)],
            "generator_penalties": [PathLength(2.0, interval=2)],
            "augmentation": kgan.augmentation.ADA(
                ["offset", "hue"], images=200, interval=2, strength=0.3
            ),
            **options,
        },
    )
    make = optimizer or (lambda: keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99))
    gan.compile(g_optimizer=make(), d_optimizer=make())
    return gan
