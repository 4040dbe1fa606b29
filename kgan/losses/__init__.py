"""Losses: values for each sample, and `reduce`, which alone makes one number of a batch of them."""

from kgan.losses.adversarial import (
    LOSSES,
    AdversarialLoss,
    LossFunction,
    get,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    relativistic,
    smooth_hinge,
    wasserstein,
)
from kgan.losses.features import FeatureDistance
from kgan.losses.fooling import FOOLING
from kgan.losses.rare_classes import RareClassCrossentropy, effective_weights
from kgan.losses.reconstruction import DISTANCES, charbonnier, l1, l2
from kgan.losses.reduction import per_sample, reduce

__all__ = [
    "DISTANCES",
    "FOOLING",
    "LOSSES",
    "AdversarialLoss",
    "FeatureDistance",
    "LossFunction",
    "RareClassCrossentropy",
    "charbonnier",
    "effective_weights",
    "get",
    "hinge",
    "l1",
    "l2",
    "least_squares",
    "minimax",
    "non_saturating",
    "per_sample",
    "reduce",
    "relativistic",
    "smooth_hinge",
    "wasserstein",
]
