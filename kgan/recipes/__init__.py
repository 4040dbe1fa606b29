"""Recipes: one class for each family, which makes data, model, batches and callbacks."""

from kgan.recipes.classifier import ClassifierRecipe
from kgan.recipes.gan import GANRecipe
from kgan.recipes.hardening import HardeningRecipe
from kgan.recipes.recipe import Recipe, Watched

RECIPES: dict[str, type[Recipe]] = {recipe.family: recipe for recipe in (GANRecipe,)}
"""Of the families of generative models, by the name that their settings have."""

__all__ = ["RECIPES", "ClassifierRecipe", "GANRecipe", "HardeningRecipe", "Recipe", "Watched"]
