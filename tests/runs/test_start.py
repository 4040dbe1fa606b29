"""Starting a training from a trained model, by where that lies."""

import json

import numpy as np
import pytest
import tensorflow as tf

import kgan.export
import kgan.models
import kgan.networks
from kgan.recipes import GANRecipe
from kgan.runs.start import follow, start_from
from kgan.settings import PRESETS
from tests.conftest import build_gan
from tests.models.test_given import own_gan, own_vae, pictures


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A trained GAN, and the folder with its file and its export."""
    folder = tmp_path_factory.mktemp("source")
    gan = own_gan()
    gan.train_step(tf.constant(pictures()))
    gan.save(folder / "gan.keras")
    kgan.export.export(gan, folder / "toy")
    return gan, folder


@pytest.mark.parametrize(("name", "weights"), [("gan.keras", 8), ("toy", 6), ("toy/1", 6)])
def test_a_file_and_an_export(source, name, weights):
    trained, folder = source
    model = own_gan(seed=3)
    for weight in model.weights:
        weight.assign(weight * 0)
    said = start_from(model, folder / name)
    assert said == f"starting from {folder / name}: {weights} of {weights} weights"
    theirs = trained.generator if name.endswith(".keras") else trained.ema_generator
    for one, other in zip(theirs.weights, model.generator.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_new_is_told(source):
    said = start_from(own_gan(), source[1] / "gan.keras")
    assert "new" not in said
    conditional = own_gan(3)
    with pytest.raises(ValueError, match="generator must be like the source's"):
        start_from(conditional, source[1] / "gan.keras")


def test_what_is_no_model_of_the_family_is_refused(source, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"init_from must be a run folder"):
        start_from(own_gan(), tmp_path)
    with pytest.raises(ValueError, match="a VAE must start from a VAE, got a GAN"):
        start_from(own_vae(), source[1] / "gan.keras")


@pytest.mark.parametrize("of_images", [True, False])
def test_a_recipe_follows_a_run_of_images(tmp_path, of_images):
    """A GAN of points says nothing to one of images."""
    gan = build_gan()
    if not of_images:
        networks = kgan.networks.mlp_generator((2,), 4), kgan.networks.mlp_discriminator((2,))
        gan = kgan.models.GAN(*networks)
        gan.compile("adam")
    (tmp_path / "checkpoints").mkdir()
    gan.save(tmp_path / "checkpoints" / "last.keras")
    (tmp_path / "config.json").write_text(json.dumps({"config": {"generator_width": 24}}))
    recipe = GANRecipe(PRESETS["auto"])
    recipe.choose({"data"})
    follow(recipe, tmp_path)
    told = recipe.settings.generator_width, recipe.settings.image_size, recipe.settings.channels
    auto = PRESETS["auto"]
    plain = auto.generator_width, auto.image_size, auto.channels
    assert told == ((24, (8, 8), "grey") if of_images else plain)
    follow(recipe, tmp_path / "nowhere")
