"""Recipes: one class a family, from its settings to data, model, batches and what is watched."""

from kgan.recipes.classifier import ClassifierRecipe
from kgan.recipes.cyclegan import CycleGANRecipe
from kgan.recipes.gan import GANRecipe
from kgan.recipes.hardening import HardeningRecipe
from kgan.recipes.recipe import Recipe, Watched

RECIPES: dict[str, type[Recipe]] = {recipe.family: recipe for recipe in (GANRecipe, CycleGANRecipe)}
"""Of the families of generative models, by the name that their settings have."""

__all__ = [
    "RECIPES",
    "ClassifierRecipe",
    "CycleGANRecipe",
    "GANRecipe",
    "HardeningRecipe",
    "Recipe",
    "Watched",
]
