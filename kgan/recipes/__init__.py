"""Recipes: one class for each family, which makes data, model, batches and callbacks."""

from kgan.recipes.classifier import ClassifierRecipe
from kgan.recipes.cut import CUTRecipe
from kgan.recipes.cyclegan import CycleGANRecipe
from kgan.recipes.gan import GANRecipe
from kgan.recipes.hardening import HardeningRecipe
from kgan.recipes.paired import PairedRecipe
from kgan.recipes.recipe import Recipe, Watched
from kgan.recipes.table import TableRecipe
from kgan.recipes.vae import VAERecipe

_FAMILIES: tuple[type[Recipe], ...] = (
    GANRecipe,
    VAERecipe,
    CycleGANRecipe,
    CUTRecipe,
    PairedRecipe,
    TableRecipe,
)

RECIPES: dict[str, type[Recipe]] = {recipe.family: recipe for recipe in _FAMILIES}
"""Of the families of generative models, by the name that their settings have."""

__all__ = [
    "RECIPES",
    "CUTRecipe",
    "ClassifierRecipe",
    "CycleGANRecipe",
    "GANRecipe",
    "HardeningRecipe",
    "PairedRecipe",
    "Recipe",
    "TableRecipe",
    "VAERecipe",
    "Watched",
]
