"""Who a run is, seen from the commands: its name, preset and family; and whose fault is whose."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import kgan.cli
import kgan.data
import kgan.recipes.gan
from kgan.cli import main
from kgan.runs.run import Run
from kgan.settings import AttackSettings, EvaluateSettings, HardeningSettings
from tests.conftest import ROOT

TINY = ["--generator-width", "4", "--discriminator-width", "4", "--latent-dim", "4", "--no-doctor"]
TINY += ["--batch-size", "8", "--steps-per-epoch", "2"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_printed_advice_goes_on_with_the_run_and_its_model(here, capsys):
    arguments = ["train", "wgan-gp", "--epochs", "1", "--n-critic", "1", *TINY]
    assert main([*arguments, "--no-export"]) == 0
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "kgan train --resume --name wgan-gp-2 --epochs 2 " in said
    assert main(["train", "--resume", "--name", "wgan-gp-2", "--epochs", "2"]) == 0
    assert "resuming at step 2" in capsys.readouterr().out
    # A finished run has nothing new to export.
    assert main(["train", "--resume", "--name", "wgan-gp-2", "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "2 epochs are done, to step 4: nothing is left of 1" in said
    assert "resuming" not in said
    assert "--epochs 4 " in said
    assert "exported already: step 4" in said
    exported = sorted((here / "saved_models").rglob("saved_model.pb"))
    assert [path.parts[-3:-1] for path in exported] == [("wgan-gp", "1"), ("wgan-gp", "2")]
    for version, step in (("1", 2), ("2", 4)):
        path = here / "saved_models" / "wgan-gp" / version / "assets.extra" / "manifest.json"
        manifest = json.loads(path.read_text())
        assert (manifest["preset"], manifest["step"]) == ("wgan-gp", step)
        assert manifest["config"]["loss"] == "wasserstein"
    assert main(["train", "digits", "--resume", "--name", "wgan-gp-2"]) == 2
    assert "was started as preset 'wgan-gp', not 'digits'" in capsys.readouterr().err
    # Another run of that name replaces on servers what this one left, and is the one to resume.
    assert main(arguments) == 0
    told = "saved_models/wgan-gp/2 is of another run: a server answers with version 3 from now on"
    assert told in capsys.readouterr().out
    assert main(["train", "--resume", "--name", "wgan-gp", "--no-export", "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert (
        "runs/wgan-gp-3 is the newest run of that name; --name wgan-gp-1 means runs/wgan-gp\n"
        in said
    )


@pytest.mark.parametrize("command", ["sample", "export", "evaluate"])
@pytest.mark.parametrize(
    "settings",
    [AttackSettings(), HardeningSettings(), EvaluateSettings(source="x")],
    ids=lambda settings: settings.family,
)
def test_a_run_of_another_family_is_told(here, capsys, command, settings):
    folder = Run.new(here / "runs", "other", settings).folder
    assert main([command, str(folder)]) == 2
    # A hardening's run is exported as the classifier that it left, and this one left none.
    left = command == "export" and settings.family == HardeningSettings.family
    said = "has left no classifier" if left else f"is a run of the family {settings.family}; "
    assert said in capsys.readouterr().err


def test_a_run_of_another_family_is_not_trained_on(here, capsys):
    Run.new(here / "runs", "attack-x", AttackSettings())
    assert main(["train", "--resume", "--name", "attack-x"]) == 2
    said = capsys.readouterr().err
    assert "is a run of the family attack; kgan train resumes a run of gan" in said


def test_a_fault_of_the_program_ends_with_3_and_keeps_its_traceback(here, capsys, monkeypatch):
    def fails(self, data, *, start=0):
        return {}["nothing"]

    monkeypatch.setattr(kgan.recipes.gan.GANRecipe, "feed", fails)
    assert main(["train", "digits", "--epochs", "1", *TINY]) == 3
    said = capsys.readouterr().err
    path = here / "runs" / "digits" / "error.txt"
    assert "fault of the program: KeyError: 'nothing'" in said
    assert "its traceback is kept in runs/digits/error.txt" in said
    assert "in fails" in path.read_text()
    # Before there is a run it is kept elsewhere.
    monkeypatch.setattr(kgan.recipes.gan.GANRecipe, "data", lambda self: [][0])
    assert main(["train", "digits", "--epochs", "1", *TINY]) == 3
    assert "kept in /" in capsys.readouterr().err
    assert [path.name for path in (here / "runs").iterdir()] == ["digits"]


@pytest.mark.slow
def test_two_runs_that_start_together_have_a_folder_and_a_version_each(here):
    processes = [
        subprocess.Popen(
            [sys.executable, ROOT / "train.py", "--epochs", "1", *TINY, "--seed", str(seed)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=280)
        assert process.returncode == 0, errors
    runs = [Run.open(here / "runs" / name) for name in ("digits", "digits-2")]
    assert sorted(run.values["seed"] for run in runs) == [1, 2]
    versions = [
        json.loads((path / "assets.extra" / "manifest.json").read_text())["config"]["seed"]
        for path in (here / "saved_models" / "digits").iterdir()
    ]
    assert sorted(versions) == [1, 2]


@pytest.mark.slow
def test_the_present_folder_has_a_name_and_its_runs_are_no_data(here, capsys, monkeypatch):
    random = np.random.default_rng(0)
    photos = here / "photos"
    for name in ("cats", "dogs"):
        (photos / name).mkdir(parents=True)
        for index in range(6):
            pixels = random.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(photos / name / f"{index}.png")
    monkeypatch.chdir(photos)
    arguments = ["train", "--data", ".", "--image-size", "8", "--epochs", "1", *TINY]
    for number in (1, 2):
        assert main(arguments) == 0
        assert "12 images of 8x8x1, 2 classes: cats 6, dogs 6" in capsys.readouterr().out
        assert (photos / "saved_models" / "photos" / str(number)).is_dir()
    assert {path.name for path in (photos / "runs").iterdir()} == {"photos", "photos-2"}
    assert kgan.data.load(".", image_size=8).class_names == ("cats", "dogs")


def test_other_data_are_told_before_a_run_goes_on(here, capsys):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (16, 8, 8, 1), dtype=np.uint8)
    np.savez(here / "mine.npz", images=images)
    arguments = ["train", "--data", "mine.npz", "--no-export", *TINY]
    assert main([*arguments, "--epochs", "1"]) == 0
    np.savez(here / "mine.npz", images=images[::-1])
    assert main([*arguments, "--epochs", "2", "--resume"]) == 2
    assert "the data changed since runs/mine was begun: their content" in capsys.readouterr().err
    np.savez(here / "mine.npz", images=images)
    assert main([*arguments, "--epochs", "2", "--resume"]) == 0
