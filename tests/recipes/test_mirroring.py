"""A training says that images are mirrored, which some presets declare for their own data."""

import numpy as np
import pytest

from kgan.recipes import (
    ClassifierRecipe,
    CUTRecipe,
    CycleGANRecipe,
    GANRecipe,
    HardeningRecipe,
    PairedRecipe,
    VAERecipe,
)
from kgan.settings import (
    ClassifierSettings,
    CUTSettings,
    CycleGANSettings,
    GANSettings,
    HardeningSettings,
    PairedSettings,
    VAESettings,
)

FAMILIES = {
    "gan": (GANRecipe, GANSettings, {"data": "set.npz"}),
    "vae": (VAERecipe, VAESettings, {"data": "set.npz"}),
    "classifier": (ClassifierRecipe, ClassifierSettings, {"data": "set.npz"}),
    "hardening": (HardeningRecipe, HardeningSettings, {"data": "set.npz"}),
    "cyclegan": (CycleGANRecipe, CycleGANSettings, {"a": "a.npy", "b": "b.npy"}),
    "cut": (CUTRecipe, CUTSettings, {"a": "a.npy", "b": "b.npy"}),
    "restore": (PairedRecipe, PairedSettings, {"data": "a.npy", "task": "denoise"}),
    "paired": (PairedRecipe, PairedSettings, {"data": "pairs.npz"}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_mirrored_images_are_told(family, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    np.savez("set.npz", images=images, labels=np.arange(60) % 3)
    np.savez("pairs.npz", a=images, b=images[::-1])
    np.save("a.npy", images)
    np.save("b.npy", images[::-1])
    make, settings, own = FAMILIES[family]
    told = {}
    for flip in (False, True):
        recipe = make(settings(flip=flip, **own))
        data = recipe.data()
        recipe.settle(data)
        told[flip] = recipe.describe(data, recipe.model(data))
    what = "pair" if family == "paired" else "image"
    said = f"  each time that it is shown, each {what} is mirrored with probability 1/2 (flip)"
    assert told[True].count(said) == (1 if "data" in own else 2)
    assert said not in told[False]
