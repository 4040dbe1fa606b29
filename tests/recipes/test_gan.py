"""Choices that the settings leave to the machine."""

import numpy as np
import pytest

import kgan.data
from kgan.recipes import GANRecipe
from kgan.settings import GANSettings


@pytest.mark.parametrize(
    ("wanted", "gpus", "found"),
    [("auto", 0, False), ("auto", 1, True), ("auto", 2, False), ("on", 0, True), ("off", 1, False)],
)
def test_xla_on_a_single_gpu(monkeypatch, wanted, gpus, found):
    settings = GANSettings(generator_width=4, discriminator_width=4, jit_compile=wanted)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind=None: ["GPU"] * gpus)
    assert GANRecipe(settings).model(kgan.data.load("digits")).jit_compile is found


def test_what_has_no_classes_has_none_to_balance(tmp_path):
    np.save(tmp_path / "grey.npy", np.zeros((20, 8, 8, 1), np.uint8))
    settings = GANSettings(data=str(tmp_path / "grey.npy"), sampling="balanced")
    with pytest.raises(ValueError, match=r"shuffled for .*grey.npy, which has no classes"):
        GANRecipe(settings).data()


def test_balanced_batches_hold_every_class_alike():
    digits = kgan.data.load("digits")
    few = digits.take(np.flatnonzero((digits.labels == 0) | (np.arange(len(digits)) % 40 == 0)))
    recipe = GANRecipe(GANSettings(sampling="balanced", batch_size=20, n_critic=2))
    for _, labels in recipe.feed(few).take(3):
        np.testing.assert_array_equal(np.bincount(labels, minlength=10), np.full(10, 4))
