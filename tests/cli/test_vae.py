"""`kgan train vae` and what the other commands do with what it leaves, on a tiny budget."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

import kgan.models
from kgan.callbacks import StopOnSignal, read_history
from kgan.cli import main
from kgan.runs.run import Run

TINY = ["train", "vae", "--epochs", "2", "--steps-per-epoch", "6", "--batch-size", "16"]
TINY += ["--latent-dim", "4", "--width", "4"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder in which a run was trained that nothing broke off."""
    folder = tmp_path_factory.mktemp("vae")
    options = ["--runs-dir", str(folder / "runs"), "--export-dir", str(folder / "saved_models")]
    assert main([*TINY, *options]) == 0
    return folder


def states(path):
    model = kgan.models.load(path)
    return [np.asarray(value) for value in (*model.variables, *model.optimizer.variables)]


def test_a_run_has_an_identity_a_table_and_pictures(whole):
    run = Run.open(whole / "runs" / "vae")
    assert (run.family, run.preset, run.model) == ("vae", "vae", "vae")
    rows = read_history(run.table)
    assert [row["step"] for row in rows] == [6, 12]
    assert {"reconstruction", "kl", "bits_per_dimension", "active_units"} <= set(rows[0])
    assert (run.folder / "samples" / "epoch-0002.png").is_file()
    manifest = whole / "saved_models" / "vae" / "1" / "assets.extra" / "manifest.json"
    content = json.loads(manifest.read_text())
    assert content["family"] == "vae"
    assert {"generate", "encode", "reconstruct"} <= set(content["endpoints"])


def test_stopped_and_resumed_it_ends_with_the_same_state(whole, tmp_path, monkeypatch):
    def press(self, batch, logs=None):
        if int(self.model.step.numpy()) == 9:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_train_batch_end", press)
        assert main([*TINY, "--no-export"]) == 130
    assert main([*TINY, "--no-export", "--resume"]) == 0
    ours, theirs = (
        states(folder / "runs" / "vae" / "checkpoints" / "last.keras")
        for folder in (whole, tmp_path)
    )
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_is_sampled_scored_and_exported(whole, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = str(whole / "runs" / "vae")
    for number, source in enumerate((run, str(whole / "saved_models" / "vae"))):
        arguments = ["sample", source, "--n", "6", "--seed", "2", "--out", f"{number}.npz"]
        assert main(arguments) == 0
    samples = [np.load(f"{number}.npz")["images"] for number in (0, 1)]
    assert samples[0].shape == (6, 8, 8, 1)
    np.testing.assert_allclose(*samples, atol=1e-5)
    assert main(["sample", run, "--n", "6", "--out", "grid.png"]) == 0
    with Image.open("grid.png") as picture:
        assert picture.size[0] > 100
    options = ["--n", "40", "--seeds", "3", "--out", str(tmp_path / "scores")]
    assert main(["evaluate", run, "--metrics", "fid", "bits_per_dimension", *options]) == 0
    said = capsys.readouterr().out
    assert "bits_per_dimension" in said
    assert "uniform" in said
    assert main(["export", run, "--out", str(tmp_path / "again"), "--name", "mine"]) == 0
    assert (tmp_path / "again" / "mine" / "1" / "saved_model.pb").is_file()
