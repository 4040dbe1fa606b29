"""The batch that the user leaves to the data."""

import numpy as np
import pytest

from kgan.data import Dataset
from kgan.recipes import GANRecipe
from kgan.settings import GANSettings


@pytest.mark.parametrize(
    ("n", "settings", "batch"),
    [
        (1000, {}, 64),
        (64, {}, 64),
        (40, {}, 40),
        (290, {"n_critic": 5}, 58),
        (40, {"packing": 3}, 39),
        (40, {"batch_size": 64}, 64),
    ],
)
def test_it_fits_the_data(n, settings, batch):
    recipe = GANRecipe(GANSettings(**settings))
    said = recipe.settle(Dataset("few", np.zeros((n, 8, 8, 1), np.uint8)))
    assert recipe.settings.batch_size == recipe.batch_size == batch
    assert bool(said) == (batch != 64)
