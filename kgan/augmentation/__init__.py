"""Differentiable augmentations, through which a discriminator sees real and generated images."""

from collections.abc import Callable

from kgan.augmentation.ada import ADA
from kgan.augmentation.augmentation import Augmentation
from kgan.augmentation.diff_augment import DiffAugment
from kgan.augmentation.pipe import CHANGES, PIPES
from kgan.augmentation.sampler import affine, sample

AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {"diffaugment": DiffAugment, "ada": ADA}

__all__ = [
    "ADA",
    "AUGMENTATIONS",
    "CHANGES",
    "PIPES",
    "Augmentation",
    "DiffAugment",
    "affine",
    "sample",
]
