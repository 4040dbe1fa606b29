"""Suggested commands: the project's own parser reads back what the user declared."""

import shlex
from pathlib import Path

import pytest

from kgan.cli import COMMANDS
from kgan.cli.command_line import read
from kgan.runs.run import Run
from kgan.settings import AttackSettings, GANSettings, HardeningSettings, hints
from kgan.settings.classifier import ClassifierSettings

DECLARED = {
    "input_range": (-1.0, 1.0),
    "mean": (0.4914, 0.123456789, 0.25),
    "std": (0.5,),
    "head": "logits",
    "output": "class scores",
    "data_format": "channels_first",
    "data_dir": Path("sets of mine"),
    "image_size": (32, 48),
    "channels": "rgb",
    "value_range": (0.0, 4095.0),
}


def parsed(text):
    program, name, *words = shlex.split(text)
    assert program == "kgan"
    return read(name, COMMANDS[name], words)


@pytest.mark.parametrize("given", [DECLARED, {"value_range": "auto", "resize": "pad"}, {}])
def test_a_suggestion_says_what_was_declared(given):
    settings = AttackSettings(model="my model.keras", data="my data.npz", **given)
    text = hints.harden(settings, "my model.keras", "my data.npz", "l2", 8 / 255)
    found = parsed(text).settings
    assert isinstance(found, HardeningSettings)
    assert (found.model, found.data) == (Path("my model.keras"), "my data.npz")
    assert (found.norm, found.epsilon) == ("l2", 8 / 255)
    back = parsed(hints.attack(found, "it's.keras", found.data)).settings
    assert back.model == "it's.keras"
    for name, value in given.items():
        assert getattr(found, name) == value
        assert getattr(back, name) == value


def test_a_radius_is_left_to_the_method_where_none_was_chosen():
    text = hints.harden(AttackSettings(), "m.keras", "digits", "linf", None)
    assert text == "kgan harden --model m.keras --data digits"


def test_a_classifier_without_a_declaration_is_suggested_plainly():
    assert hints.attack(ClassifierSettings(), "a.keras", "digits") == (
        "kgan attack --model a.keras --data digits"
    )


@pytest.mark.parametrize("runs_dir", ["runs", "my runs"])
def test_a_run_is_resumed_where_it_lies(tmp_path, monkeypatch, runs_dir):
    monkeypatch.chdir(tmp_path)
    settings = AttackSettings(runs_dir=Path(runs_dir), seed=3)
    run = Run.new(settings.runs_dir, "attack-my model", settings)
    words = hints.resume("attack", settings, run.folder, prefix="attack-")
    found = parsed(shlex.join(words))
    assert found.run is not None
    assert found.run.folder == run.folder
    assert found.settings.seed == 3
    training = GANSettings(runs_dir=Path(runs_dir), batch_size=64)
    run = Run.new(training.runs_dir, "mine", training)
    words = hints.resume("train", training, run.folder)
    assert parsed(shlex.join([*words, "--epochs", "40"])).run.folder == run.folder
