"""Choices that the settings leave to the machine."""

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
