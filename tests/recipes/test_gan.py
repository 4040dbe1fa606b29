"""Choices that the settings leave to the machine."""

import dataclasses

import numpy as np
import pytest

import kgan.data
from kgan.recipes import GANRecipe
from kgan.settings import (
    PRESETS,
    CycleGANSettings,
    GANSettings,
    PairedSettings,
    TableSettings,
)


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


def fitted(count, *, given=(), replicas=1, **options):
    """The batch of a training on so many samples, of which the user typed these settings."""
    settings = dataclasses.replace(PRESETS["stylegan2"], **options)
    recipe = GANRecipe(settings)
    recipe.choose(given)
    data = kgan.data.Dataset("few", np.zeros((count, 8, 8, 1), np.uint8))
    recipe.settle(data, replicas=replicas)
    recipe.steps_per_epoch(data)
    return recipe.batch_size


@pytest.mark.parametrize(
    ("count", "options", "batch"),
    [
        (1000, {}, 32),
        (60, {"n_critic": 2}, 28),
        (21, {}, 20),
        (23, {"minibatch_stddev": False}, 23),
        (3, {}, 3),
        (40, {"packing": 3, "conditional": False}, 24),
        (1000, {"replicas": 16}, 32),
        (1000, {"replicas": 3}, 32),
        (1000, {"packing": 9, "conditional": False}, 27),
        (20, {"replicas": 3}, 12),
    ],
)
def test_a_presets_batch_fits_a_small_set(count, options, batch):
    assert fitted(count, **options) == batch


def test_a_batch_that_was_typed_stays_and_is_told_not_to_fit():
    assert fitted(40, given={"batch_size"}, batch_size=30) == 30
    with pytest.raises(ValueError, match="batch_size must be between 1 and the 21 samples"):
        fitted(21, given={"batch_size"}, batch_size=30)
    wanted = "n_critic times batch_size must be at most the 60 samples of few, got 8 times 8"
    with pytest.raises(ValueError, match=wanted):
        fitted(60, given={"batch_size"}, batch_size=8, n_critic=8)


@pytest.mark.parametrize(
    ("epochs", "told"),
    [(7, "doubling 1.4 of 2: its images"), (8, "doubling 1.9 of 2: its images"), (9, "")],
)
def test_networks_that_grow_say_by_when(epochs, told):
    settings = dataclasses.replace(
        PRESETS["progan"], phase_steps=10, steps_per_epoch=5, epochs=epochs, batch_size=4,
        generator_width=2, discriminator_width=2,
    )  # fmt: skip
    data = kgan.data.Dataset("few", np.zeros((8, 8, 8, 1), np.uint8))
    recipe = GANRecipe(settings)
    lines = "\n".join(recipe.describe(data, recipe.model(data)))
    # Phases of 10: one at 4 pixels, two for the doubling to 8; the plan has two levels at least.
    assert "grow to 8x8 by step 40" in lines
    assert told in lines
    assert ("stay coarser, and none of its states is chosen as the best" in lines) == bool(told)
    assert ("by step 40; the best state is chosen from then on" in lines) == (not told)


def test_what_waits_for_the_full_size_is_told():
    settings = dataclasses.replace(
        PRESETS["progan"], phase_steps=10, steps_per_epoch=5, epochs=9, batch_size=4,
        generator_width=2, discriminator_width=2, evaluate_every=5, patience=3,
    )  # fmt: skip
    recipe = GANRecipe(settings)
    data = kgan.data.Dataset("many", np.zeros((100, 8, 8, 1), np.uint8))
    lines = "\n".join(recipe.describe(data, recipe.model(data)))
    waits = "the doctor looks and the best state is chosen and patience counts from then on"
    assert f"the networks grow to 8x8 by step 40; {waits}" in lines


@pytest.mark.parametrize(
    ("epochs", "changes", "given", "told"),
    [
        (25, {}, (), True),
        # 40 steps of 2 times 4 samples show 80 images 4 times.
        (24, {}, (), False),
        (25, {"augment": "diffaugment"}, (), False),
        (25, {}, ("augment",), False),
        (50, {"packing": 2, "n_critic": 1, "conditional": False}, (), False),
    ],
)
def test_images_that_are_shown_very_often_are_told_with_the_remedy(epochs, changes, given, told):
    options = {"batch_size": 4, "n_critic": 2, "steps_per_epoch": 40, "doctor": False} | changes
    recipe = GANRecipe(
        GANSettings(generator_width=2, discriminator_width=2, epochs=epochs, **options)
    )
    recipe.choose(given)
    data = kgan.data.Dataset("few", np.zeros((80, 8, 8, 1), np.uint8))
    lines = "\n".join(recipe.describe(data, recipe.model(data)))
    assert ("is shown 100 times and may be known by heart" in lines) == told
    assert ("--augment ada-upright" in lines) == told


@pytest.mark.parametrize(
    ("epochs", "half_life", "resumed", "told"),
    [
        (
            2,
            10,
            False,
            "so the last 20 of 80 steps change next to nothing; --learning-rate-half-li",
        ),
        (2, 10, True, "change next to nothing; in a new run --learning-rate-half-life 20 goes wit"),
        (1, 10, False, None),
        (2, 14, False, None),
        (50, None, False, None),
    ],
)
def test_rates_that_fall_long_before_the_end_are_told(epochs, half_life, resumed, told):
    sizes = {"generator_width": 2, "discriminator_width": 2, "batch_size": 4}
    settings = GANSettings(
        epochs=epochs, steps_per_epoch=40, learning_rate_half_life=half_life, **sizes
    )
    recipe = GANRecipe(settings)
    if not resumed:
        recipe.choose(())
    data = kgan.data.Dataset("few", np.zeros((80, 8, 8, 1), np.uint8))
    lines = "\n".join(recipe.describe(data, recipe.model(data)))
    assert told in lines if told else "next to nothing" not in lines


def test_the_doctor_is_named_where_it_looks():
    for count, doctor, named in ((100, True, True), (100, False, False), (20, True, False)):
        settings = GANSettings(
            doctor=doctor, generator_width=2, discriminator_width=2, batch_size=20
        )
        recipe = GANRecipe(settings)
        data = kgan.data.Dataset("few", np.zeros((count, 8, 8, 1), np.uint8))
        assert ("doctor" in "\n".join(recipe.describe(data, recipe.model(data)))) == named


@pytest.mark.parametrize("kind", [GANSettings, TableSettings, PairedSettings, CycleGANSettings])
@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
@pytest.mark.parametrize("value", [2.0, 1.0, -0.1, float("nan")])
def test_decays_lie_below_one(kind, name, value):
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\), got {value}"):
        dataclasses.replace(kind(), **{name: value}).check()


def test_two_ways_to_lower_rates_are_named_with_the_remedy():
    wanted = "cosine_steps must be left out with learning_rate_half_life.*--cosine-steps None"
    with pytest.raises(ValueError, match=wanted):
        dataclasses.replace(PRESETS["r3gan"], learning_rate_half_life=100).check()


def test_balanced_batches_hold_every_class_alike():
    digits = kgan.data.load("digits")
    few = digits.take(np.flatnonzero((digits.labels == 0) | (np.arange(len(digits)) % 40 == 0)))
    recipe = GANRecipe(GANSettings(sampling="balanced", batch_size=20, n_critic=2))
    for _, labels in recipe.feed(few).take(3):
        np.testing.assert_array_equal(np.bincount(labels, minlength=10), np.full(10, 4))


@pytest.mark.parametrize(("at_once", "steps"), [(1, 5), (2, 4), (3, 3), (5, 5)])
def test_an_epoch_is_of_whole_executions(at_once, steps):
    data = kgan.data.Dataset("few", np.zeros((41, 8, 8, 1), np.uint8))
    changes = {"steps_per_epoch": None, "steps_per_execution": at_once, "batch_size": 8}
    recipe = GANRecipe(dataclasses.replace(PRESETS["digits"], **changes))
    # Keras would end an epoch of 5 steps after 6, and a resumed one after others.
    assert recipe.steps_per_epoch(data) == steps


def test_an_execution_is_no_longer_than_an_epoch():
    data = kgan.data.Dataset("few", np.zeros((41, 8, 8, 1), np.uint8))
    changes = {"steps_per_epoch": None, "steps_per_execution": 6, "batch_size": 8}
    recipe = GANRecipe(dataclasses.replace(PRESETS["digits"], **changes))
    with pytest.raises(ValueError, match="at most the 5 steps of a pass over few, got 6"):
        recipe.steps_per_epoch(data)
