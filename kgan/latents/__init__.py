"""Latent vectors: drawn for requests, interpolated, mixed, projected to, and moved along."""

from kgan.latents.directions import (
    closed_form,
    deviations_along,
    mean_difference,
    principal,
)
from kgan.latents.draws import check_truncates, example_seeds, from_seeds, truncated
from kgan.latents.encoding import Encoder, train_encoder
from kgan.latents.interpolation import INTERPOLATIONS, linear, spherical
from kgan.latents.projection import Projection, project

__all__ = [
    "INTERPOLATIONS",
    "Encoder",
    "Projection",
    "check_truncates",
    "closed_form",
    "deviations_along",
    "example_seeds",
    "from_seeds",
    "linear",
    "mean_difference",
    "principal",
    "project",
    "spherical",
    "train_encoder",
    "truncated",
]
