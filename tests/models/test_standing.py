"""Statistics for the samples that are asked for, against the closed form of truncated latents."""

import itertools

import keras
import numpy as np
import pytest
import scipy.stats

import kgan.models
from kgan.models.standing import stand_for
from kgan.networks import BatchNormalization
from tests.conftest import build_growing_gan, slow_but
from tests.models.style_gan import style_gan


def linear_gan(normalization, num_classes=None):
    """Latents, multiplied and normalised, with a shift for each class: nothing else."""
    latents = keras.Input((4,))
    labels = [] if num_classes is None else [keras.Input((), dtype="int32")]
    kernel = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    dense = keras.layers.Dense(3, use_bias=False, name="dense")
    shifts = np.zeros((1, 3))
    made = dense(latents)
    if num_classes is not None:
        shifts = np.random.default_rng(1).standard_normal((num_classes, 3))
        embedding = keras.layers.Embedding(num_classes, 3)
        made = made + embedding(labels[0])
        embedding.set_weights([shifts])
    normalized = normalization(name="last", epsilon=1e-6)(made)
    generator = keras.Model([latents, *labels] if labels else latents, normalized)
    dense.set_weights([kernel])
    judged = keras.Input((3,))
    judge = keras.Model(
        [judged, *([keras.Input((), dtype="int32")] if labels else [])] if labels else judged,
        keras.layers.Dense(1)(judged),
    )
    gan = kgan.models.GAN(generator, judge, num_classes=num_classes)
    gan.compile("adam")
    return gan, kernel.astype(float), shifts


@pytest.mark.parametrize(
    "case",
    slow_but(
        list(
            itertools.product(
                (None, 0.5),
                (BatchNormalization, keras.layers.BatchNormalization),
                (None, 3, 200),
            )
        ),
        (None, keras.layers.BatchNormalization, 200),
        (0.5, BatchNormalization, None),
        (0.5, keras.layers.BatchNormalization, 3),
    ),
    ids=str,
)
def test_statistics_are_those_of_truncated_latents(case):
    limit, normalization, num_classes = case
    gan, kernel, shifts = linear_gan(normalization, num_classes)
    stand_for(gan, 100, truncation=limit, seed=3)
    law = scipy.stats.norm() if limit is None else scipy.stats.truncnorm(-limit, limit)
    variance = law.var() * np.sum(kernel**2, axis=0) + shifts.var(axis=0)
    layer = gan.ema_generator.get_layer("last")
    # 6,400 latents: five deviations.
    allowed = 5 * np.sqrt(variance / 6400)
    assert (np.abs(layer.moving_mean - shifts.mean(axis=0)) < allowed).all()
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=5 * np.sqrt(2 / 6400))


def test_a_generator_that_has_none():
    with pytest.raises(ValueError, match="of a generator without styles"):
        stand_for(style_gan(augmentation=None, generator_penalties=[]), 2)
    with pytest.raises(ValueError, match="must have batch normalisation"):
        stand_for(build_growing_gan(), 2)
