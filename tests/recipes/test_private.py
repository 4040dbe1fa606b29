"""Private training from settings: what is settled, what is said, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import kgan.data
import kgan.privacy
from kgan.recipes import GANRecipe
from kgan.settings import GANSettings

PRIVATE = GANSettings(
    penalty=(),
    epsilon=6.0,
    delta=1e-3,
    batch_size=8,
    n_critic=2,
    epochs=3,
    steps_per_epoch=5,
    generator_width=4,
    discriminator_width=4,
)


@pytest.fixture(scope="module")
def data():
    images = np.zeros((80, 8, 8, 1), np.uint8)
    return kgan.data.Dataset("dark", images, np.arange(80, dtype=np.int32) % 2, ("a", "b"))


@pytest.fixture(scope="module")
def settled(data):
    recipe = GANRecipe(PRIVATE)
    return recipe, recipe.settle(data)


def test_the_noise_is_the_least_that_epsilon_allows(data, settled):
    recipe, said = settled
    spent = kgan.privacy.epsilon_of(
        sampling_rate=0.1, noise=recipe.settings.noise, steps=30, delta=1e-3
    )
    assert 5.9 < spent <= 6.0
    assert f"({spent:.4g}, 0.001)-differentially private" in said[0]
    # Settled once, it stays: a resumed run gets its settings from its folder.
    again = GANRecipe(recipe.settings)
    again.settle(data)
    assert again.settings == recipe.settings


def test_steps_with_noise_are_told_from_steps_of_the_generator(data, settled):
    told = "each step of the generator has 2 of the discriminator, which are those with noise"
    assert "30 steps with noise" in settled[1][0]
    assert told in settled[1]
    one = dataclasses.replace(settled[0].settings, n_critic=1)
    assert not any("of the discriminator" in line for line in GANRecipe(one).settle(data))


def test_what_it_starts_from_is_said_not_to_be_covered(data, settled):
    started = dataclasses.replace(settled[0].settings, init_from=Path("runs/other"))
    said = GANRecipe(started).settle(data)
    assert "the promise does not cover what runs/other has seen" in said
    assert not any("does not cover what" in line for line in settled[1])


def test_more_epochs_than_the_promise_allows_are_refused(data, settled):
    longer = dataclasses.replace(settled[0].settings, epochs=4)
    with pytest.raises(ValueError, match=r"epochs must be at most 3 for epsilon 6 with noise .*4"):
        GANRecipe(longer).settle(data)


def test_nothing_else_looks_at_the_records(data, settled, tmp_path):
    recipe = settled[0]
    model = recipe.model(data)
    assert model.guarantee(15).epsilon <= 6.0
    batch = next(iter(recipe.feed(data)))
    assert set(batch) == {"samples", "labels", "taken"}
    assert recipe.doctor(data, tmp_path) == []
    assert recipe.watch(data, 5, table=tmp_path / "metrics.csv") == ((), None, True)
    assert len(recipe.next_steps(tmp_path, None)) == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"penalty": ("r1",)}, "penalty must be left out with epsilon"),
        ({"packing": 2}, "packing must be left out with epsilon, got 2"),
        ({"minibatch_stddev": True}, "minibatch_stddev must be left out"),
        ({"evaluate_every": 5}, "evaluate_every must be left out"),
        ({"roll_back": True}, "roll_back must be left out"),
        ({"precision": "bfloat16"}, "precision must be float32 with epsilon, got bfloat16"),
        ({"epsilon": 0.0}, "epsilon must be above 0 and finite, got 0.0"),
        ({"delta": 0.0}, r"delta must be in \(0, 1\), got 0.0"),
        ({"clip_norm": -1.0}, "clip_norm must be above 0"),
        ({"noise": 0.0}, "noise must be above 0, got 0.0"),
        ({"epsilon": None, "noise": 1.0}, "noise belongs to a private training"),
    ],
)
def test_what_is_not_covered_is_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(PRIVATE, **changed)
