"""A small table and a small GAN of it, for tests."""

import functools

import keras
import numpy as np

import kgan.penalties
from kgan.data.table import table
from kgan.models import TableGAN
from kgan.networks import (
    TableEncoder,
    table_classifier,
    table_discriminator,
    table_generator,
)

BATCH, PACKING, LATENT = 12, 3, 5


def people(n=240):
    """Weight depends on sex, and few are tall; a category is rare."""
    random = np.random.default_rng(0)
    sex = random.choice(["male", "female"], n, p=[0.25, 0.75]).astype(object)
    return table(
        "people",
        {
            "weight": np.round(random.normal(np.where(sex == "male", 80, 60), 5), 1),
            "visits": random.poisson(20, n),
            "sex": sex,
            "level": random.choice(3, n, p=[0.05, 0.35, 0.6]),
        },
    )


@functools.cache
def people_encoder():
    data = people()
    return TableEncoder.fitted(data.kind, data.samples)


def encoder_of(data):
    """A fitted encoder; fitting that of people once is enough."""
    if data.name != "people":
        return TableEncoder.fitted(data.kind, data.samples)
    encoder = TableEncoder.from_config(people_encoder().get_config())
    encoder.set_weights(people_encoder().get_weights())
    return encoder


def build(data=None, *, discriminator=None, optimizer=None, eager=True, **options):
    """A small compiled model; equal arguments give equal weights."""
    data = data or people()
    keras.utils.set_random_seed(1)
    encoder = encoder_of(data)
    layout = encoder.layout
    told = layout.told(options.get("conditions", "categories")).size
    whole = layout.size + told
    options.setdefault("penalties", [kgan.penalties.GradientPenalty(10.0, input_width=1.0)])
    options.setdefault("packing", PACKING)
    if target := options.get("target"):
        start, stop = layout.conditions[target]
        options["classifier"] = table_classifier(layout.size - stop + start, stop - start, width=16)
    gan = TableGAN(
        table_generator(LATENT + told, layout.size, width=8),
        discriminator or table_discriminator(options["packing"] * whole, width=8),
        encoder,
        **options,
    )
    make = optimizer or (lambda: keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9))
    both = {"g_optimizer": make(), "d_optimizer": make()}
    gan.compile(**both, c_optimizer=make() if target else None, run_eagerly=eager)
    return gan
