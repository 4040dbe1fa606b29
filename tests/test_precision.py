"""Precisions by name."""

import keras
import numpy as np
import pytest

import kgan.data
import kgan.precision
from kgan.recipes import GANRecipe
from kgan.settings import GANSettings


def test_names():
    assert kgan.precision.policy("bfloat16") == "mixed_bfloat16"
    assert kgan.precision.policy("auto") in ("float32", "mixed_bfloat16")
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16, float16, au"):
        kgan.precision.policy("float64")


@pytest.mark.parametrize(("capability", "found"), [((7, 5), "float32"), ((9, 0), "mixed_bfloat16")])
def test_auto_asks_the_gpus(monkeypatch, capability, found):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: ["GPU"])
    monkeypatch.setattr(
        "tensorflow.config.experimental.get_device_details",
        lambda gpu: {"compute_capability": capability},
    )
    assert kgan.precision.policy("auto") == found


def test_float16_scales_the_losses_of_both_players():
    recipe = GANRecipe(GANSettings(precision="float16", generator_width=4, discriminator_width=4))
    data = kgan.data.load("digits")
    gan = recipe.model(data)
    # The policy is the networks' own: it is back to what it was outside.
    assert keras.config.dtype_policy().name == "float32"
    before = gan.generator.get_weights()
    for optimizer in (gan.g_optimizer, gan.d_optimizer):
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # The first scale makes infinities, which are skipped, and halves until it does not.
    gan.fit(recipe.feed(data), epochs=1, steps_per_epoch=12, shuffle=False, verbose=0)
    after = gan.generator.get_weights()
    assert {weight.dtype for weight in after} == {np.dtype("float32")}
    assert all(np.isfinite(weight).all() for weight in after)
    assert any((one != other).any() for one, other in zip(before, after, strict=True))
