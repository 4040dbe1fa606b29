"""What images of the user's own are trained with, where no preset is named."""

import dataclasses
import types

import numpy as np
import pytest

import kgan.cli.command_line as command_line
import kgan.data
from kgan.cli import COMMANDS
from kgan.recipes import GANRecipe
from kgan.runs.training import train
from kgan.settings import PRESETS, GANSettings
from kgan.settings.auto import FEW, choice


def read(*words):
    return command_line.read("train", COMMANDS["train"], words)


def images(count, side=16):
    values = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return kgan.data.Dataset("mine", values)


def settled(*words, data):
    request = read("auto", *words)
    recipe = GANRecipe(request.settings)
    recipe.choose(request.given)
    return recipe, recipe.settle(data)


def test_what_lies_on_disk_gets_auto_and_names_do_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert read("--data", "photos").preset == "auto"
    assert read("--epochs", "3", "--data=photos").preset == "auto"
    assert read("--data", "photos").name == "photos"
    assert read().preset == "digits"
    assert read("--data", "cifar10").preset == "digits"
    assert read("r3gan", "--data", "photos").preset == "r3gan"
    assert read("--data", "nowhere").preset == "digits"


def test_what_was_typed_is_known():
    request = read("auto", "--penalty-weight", "1.0", "--no-conditional", "--loss=hinge")
    assert request.given == {"penalty_weight", "conditional", "loss"}


@pytest.mark.parametrize(("count", "augment"), [(150, "ada-upright"), (FEW, "none")])
def test_few_images_are_augmented(count, augment):
    found = choice(count, (64, 64, 3))
    assert found.changes.get("augment", PRESETS["auto"].augment) == augment
    assert f"{count:,} images" in found.why


@pytest.mark.parametrize(("side", "weight"), [(8, 0.5), (32, 0.5), (64, 2.0), (160, 12.5)])
def test_the_penalty_grows_with_the_pixels(side, weight):
    assert choice(100, (side, side, 3)).changes["penalty_weight"] == pytest.approx(weight)


@pytest.mark.parametrize("count", [10, 200, 2_000, 60_000])
@pytest.mark.parametrize("side", [8, 28, 64, 256, 1024])
def test_every_choice_is_valid_and_says_nothing_of_the_data(count, side):
    found = choice(count, (side, side, 3))
    settings = dataclasses.replace(GANSettings(), **found.changes)
    assert settings.penalty_weight > 0 or not settings.penalty
    assert not {"data", "split", "flip", "conditional", "seed"} & set(found.changes)


def test_the_precision_is_that_of_the_hardware_unless_it_is_typed():
    assert choice(20, (16, 16, 3)).changes["precision"] == "auto"
    assert settled("--precision", "float32", data=images(20))[0].settings.precision == "float32"


def test_a_choice_is_made_and_told():
    recipe, said = settled(data=images(20))
    found = choice(20, (16, 16, 3))
    assert said[0] == f"auto chooses {found.name}: {found.why}"
    for name, value in found.changes.items():
        if name != "batch_size":
            assert getattr(recipe.settings, name) == value


def test_from_python_too_the_images_choose_what_was_not_set():
    settings = dataclasses.replace(PRESETS["auto"], data="x", penalty_weight=3.0, seed=5)
    recipe = GANRecipe(settings)
    for part in (recipe.model, recipe.feed):
        with pytest.raises(ValueError, match=r"preset auto .* call recipe.settle\(data\) before"):
            part(images(20))
    said = recipe.settle(images(20))
    typed, _ = settled("--data", "x", "--penalty-weight", "3", "--seed", "5", data=images(20))
    assert recipe.settings == typed.settings
    assert said[0].endswith("; as you say: penalty_weight")
    recipe.model(images(20))
    # What was chosen stays, as in a run that is resumed.
    again = GANRecipe(recipe.settings)
    again.settle(images(FEW))
    assert again.settings == recipe.settings


@pytest.mark.parametrize(
    ("changes", "data", "said"),
    [
        ({"networks": "mlp"}, "ring", "auto chooses for images alone; the presets ring and grid"),
        ({"epsilon": 10.0, "penalty": ()}, None, "without epsilon alone; the preset mnist-private"),
    ],
)
def test_where_nothing_is_chosen_it_is_told(changes, data, said):
    settings = dataclasses.replace(PRESETS["auto"], **changes)
    recipe = GANRecipe(settings)
    told = recipe.settle(images(200) if data is None else kgan.data.load(data))
    assert said in told[0]
    assert recipe.settings.loss == PRESETS["auto"].loss
    assert not recipe.settings.chosen_by_data


def test_a_run_is_not_resumed_with_settings_that_would_be_chosen_anew(tmp_path):
    run = types.SimpleNamespace(folder=tmp_path / "mine")
    with pytest.raises(ValueError, match=r"settings of .*mine were chosen when it began"):
        train(GANRecipe(PRESETS["auto"]), name="mine", finish=lambda trained: 0, run=run)


def test_what_the_user_chose_stays_though_it_is_the_default():
    default = PRESETS["auto"]
    assert choice(20, (16, 16, 3)).changes["augment"] != default.augment
    words = ["--augment", default.augment, "--loss", default.loss]
    recipe, said = settled(*words, data=images(20))
    assert recipe.settings.augment == default.augment
    assert recipe.settings.loss == default.loss
    assert said[0].endswith("; as you say: augment, loss")


def test_the_length_that_is_declared_is_the_one_that_is_trained():
    # Steps of one execution are checked against it before the images are seen.
    recipe, _ = settled("--steps-per-execution", "200", data=images(20))
    assert recipe.settings.steps_per_epoch == PRESETS["auto"].steps_per_epoch == 400
    with pytest.raises(ValueError, match=r"must divide steps_per_epoch \(400\), got 30"):
        read("auto", "--steps-per-execution", "30")


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--packing", "2"], {"augment", "augment_images"}),
        (["--cosine-steps", "100"], {"learning_rate_half_life"}),
    ],
)
def test_what_cannot_go_with_the_users_choice_is_not_chosen(words, left):
    found = choice(20, (16, 16, 3)).changes
    recipe, said = settled(*words, data=images(20))
    recipe.settings.check()
    assert ("20 images go without augmentation" in said[0]) == ("augment" in left)
    for name in left:
        assert found[name] != getattr(PRESETS["auto"], name)
        assert getattr(recipe.settings, name) == getattr(PRESETS["auto"], name)
    assert recipe.settings.loss == found["loss"]
    recipe.model(images(20))


def test_a_penalty_of_the_users_choice_has_no_weight_of_another():
    words = ["--loss", "wasserstein", "--penalty", "gradient_penalty"]
    recipe, said = settled(*words, data=images(20))
    assert choice(20, (16, 16, 3)).changes["penalty_interval"] > 1
    assert recipe.settings.penalty == ("gradient_penalty",)
    assert (recipe.settings.penalty_weight, recipe.settings.penalty_interval) == (1.0, 1)
    assert said[0].endswith(
        "; as you say: loss, penalty; left alone for that: penalty_interval, penalty_weight"
    )
    recipe, said = settled(*words, "--penalty-weight", "10", data=images(20))
    assert (recipe.settings.penalty_weight, recipe.settings.penalty_interval) == (10.0, 1)
    assert "as you say: loss, penalty, penalty_weight; left alone" in said[0]


def test_a_trained_model_decides_for_one_that_starts_from_its_weights():
    """All but what the user chose, and the augmentation, which the number of images decides."""
    source = dataclasses.replace(PRESETS["digits"], generator_width=24, penalty_weight=0.5)
    request = read("auto", "--data", "x", "--init-from", "runs/x", "--d-learning-rate", "0.1")
    recipe = GANRecipe(request.settings)
    recipe.choose(request.given)
    recipe.follow(source, (8, 12, 1), name="runs/x")
    recipe.settings.check()
    said = recipe.settle(images(20))
    seen = recipe.settings
    assert (seen.image_size, seen.channels) == ((8, 12), "grey")
    assert (seen.generator_width, seen.discriminator_width, seen.networks) == (24, 64, "dcgan")
    assert (seen.loss, seen.penalty_weight) == (source.loss, 0.5)
    assert (seen.d_learning_rate, seen.g_learning_rate) == (0.1, source.g_learning_rate)
    assert (seen.augment, seen.epochs) == ("ada-upright", PRESETS["auto"].epochs)
    assert said[0].startswith("auto goes on from runs/x: its networks, its objective and the size")
    assert "augment ada-upright" in said[0]


def test_of_a_trained_model_too_a_penalty_of_the_users_has_no_weight_of_another():
    request = read("auto", "--data", "x", "--init-from", "runs/x", "--penalty", "dragan")
    recipe = GANRecipe(request.settings)
    recipe.choose(request.given)
    recipe.follow(PRESETS["fashion-mnist"], (28, 28, 1), name="runs/x")
    recipe.settle(images(20))
    seen = recipe.settings
    assert (seen.penalty, seen.penalty_weight, seen.penalty_interval) == (("dragan",), 1.0, 1)
    assert seen.loss == "relativistic"


def test_networks_with_a_preset_of_their_own_name_it():
    _, said = settled("--networks", "stylegan2", data=images(20))
    assert said[0].endswith("the preset stylegan2 has settings for them: kgan train stylegan2")


def test_networks_of_the_users_choice_and_private_trainings_get_no_choice():
    recipe, said = settled("--networks", "resnet", data=images(20))
    assert recipe.settings.loss == PRESETS["auto"].loss
    assert "networks resnet" in said[0]
    points = kgan.data.Dataset("points", np.zeros((80, 2), np.float32))
    assert settled("--networks", "mlp", data=points)[0].settings.networks == "mlp"
