"""`kgan train cut` and what the other commands do with what it leaves, on a tiny budget."""

import json
import os
import signal

import keras
import numpy as np
import pytest
from PIL import Image

import kgan.data
import kgan.models
from kgan.callbacks import read_history
from kgan.recipes import CUTRecipe
from tests.cli.pictures import picture
from tests.same_run import states

TINY = ["--generator-width", "4", "--discriminator-width", "4", "--blocks", "1", "--patches", "8"]
TINY += ["--projection", "6", "--steps-per-epoch", "4", "--epochs", "2", "--batch-size", "4"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["cut", "fastcut"])
def test_trained_stopped_and_resumed(command, tmp_path, monkeypatch, preset):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 6:
                os.kill(os.getpid(), signal.SIGINT)

    export = [] if preset == "cut" else ["--no-export"]
    command("train", preset, *TINY, *export)
    with monkeypatch.context() as patch:
        patch.setattr(CUTRecipe, "doctor", lambda self, data, folder: [Stop()])
        said = command("train", preset, *TINY, "--no-export", "--name", "again", check=False)
    assert said.returncode == 130
    command("train", "--name", "again", "--resume")
    whole, last = (
        tmp_path / "runs" / name / "checkpoints" / "last.keras" for name in (preset, "again")
    )
    for one, other in zip(states(whole), states(last), strict=True):
        np.testing.assert_array_equal(one, other)
    rows = read_history(tmp_path / "runs" / preset / "metrics.csv")
    gan = kgan.models.load(whole)
    upright = kgan.data.load_slanted_digits().a
    truth = kgan.data.slanted(upright).as_float()
    error = np.abs(gan.translate(upright.samples) - truth).mean()
    assert rows[-1]["error"] == pytest.approx(error, abs=1e-6)
    assert "error_back" not in rows[-1]
    if preset == "fastcut":
        assert (gan.nce_weight, gan.identity, gan.flip_equivariance) == (10.0, False, True)
        return
    with Image.open(tmp_path / "runs" / "cut" / "samples" / "epoch-0001.png") as grid:
        assert grid.size == (10 * 33 + 1, 3 * 33 + 1)
    manifest = tmp_path / "saved_models/cut/1/assets.extra/manifest.json"
    assert json.loads(manifest.read_text())["family"] == "cut"
    picture(tmp_path / "photo.png", (20, 31))
    command("translate", "saved_models/cut", "photo.png")
    with Image.open("photo-translated.png") as image:
        assert image.size == (31, 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--networks", "unet"], "the generator must be a residual network (resnet), got unet"),
        (["--patches", 1], "patches must be at least 2, got 1"),
        (["--crop", 8], "crop must be left out for the slanted digits"),
        (["--a", "grey", "--b", "colour", "--image-size", 16], "the domains of CUT must have imag"),
    ],
)
def test_bad_input_is_one_line(command, tmp_path, options, message):
    for index in range(8):
        picture(tmp_path / "grey" / f"{index}.png", (16, 16))
        picture(tmp_path / "colour" / f"{index}.png", (16, 16, 3))
    unet = "unet" in options
    tiny = [*TINY[:4], *TINY[6:]] if unet else TINY
    said = command("train", "cut", *tiny, *options, check=False)
    assert said.returncode == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
