"""`kgan train cyclegan` and what the other commands do with what it leaves, on a tiny budget."""

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
from kgan.cli import main
from kgan.evaluation import load_scores
from kgan.recipes import CycleGANRecipe
from tests.cli.pictures import picture
from tests.same_run import states

TINY = ["--generator-width", "4", "--discriminator-width", "4", "--blocks", "1"]
TINY += ["--steps-per-epoch", "6", "--epochs", "2", "--batch-size", "4", "--pool-size", "10"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole run and its export. Not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    places = ["--runs-dir", str(folder / "runs"), "--export-dir", str(folder / "saved_models")]
    assert main(["train", "cyclegan", *TINY, *places]) == 0
    return folder


def test_a_run_leaves_pictures_and_the_error(trained):
    run = trained / "runs" / "cyclegan"
    assert {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()} >= {
        "config.json",
        "metrics.csv",
        "losses.png",
        "differences.png",
        "samples/epoch-0002.png",
        "samples/animation.gif",
        "checkpoints/last.keras",
        "checkpoints/previous.keras",
        "checkpoints/best.keras",
    }
    with Image.open(run / "samples" / "epoch-0001.png") as grid:
        # Ten images; A, its translation, the truth, the way back; the same of B.
        assert grid.size == (10 * 33 + 1, 8 * 33 + 1)
    rows = read_history(run / "metrics.csv")
    assert all({"d_loss", "g_loss", "cycle", "identity", "error"} <= set(row) for row in rows)
    # The error is that of training images of A, whose slanted forms are not in B.
    gan = kgan.models.load(run / "checkpoints" / "last.keras")
    upright = kgan.data.load_slanted_digits().a
    truth = kgan.data.slanted(upright).as_float()
    error = np.abs(gan.translate(upright.samples) - truth).mean()
    assert rows[-1]["error"] == pytest.approx(error, abs=1e-6)
    identity = json.loads((run / "config.json").read_text())
    assert (identity["family"], identity["preset"]) == ("cyclegan", "cyclegan")
    assert identity["data"]["count"] == 1442


def test_stopped_and_resumed_is_bit_identical(trained, command, tmp_path, monkeypatch):
    class Stop(keras.callbacks.Callback):
        """Ctrl-C in the second epoch, when the pool is full."""

        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 8:
                os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(CycleGANRecipe, "doctor", lambda self, data, folder: [Stop()])
        said = command("train", "cyclegan", *TINY, "--no-export", check=False)
    assert said.returncode == 130
    last = tmp_path / "runs" / "cyclegan" / "checkpoints" / "last.keras"
    stopped = kgan.models.load(last)
    assert (int(stopped.step), int(stopped.pool_a.kept)) == (8, 10)
    assert "resuming at step 8" in command("train", "--name", "cyclegan", "--resume").stdout
    whole = states(trained / "runs" / "cyclegan" / "checkpoints" / "last.keras")
    for one, other in zip(whole, states(last), strict=True):
        np.testing.assert_array_equal(one, other)
    said = command("train", "cyclegan", "--resume", "--epochs", "3", check=False)
    assert "epochs cannot change when a run is resumed: it was 2, got 3" in said.stderr


def test_samples_are_translations_of_held_out_images(trained, command, tmp_path):
    run = trained / "runs" / "cyclegan"
    gan = kgan.models.load(run / "checkpoints" / "last.keras")
    pairs = kgan.data.load_slanted_pairs()
    for endpoint, side in (("a_to_b", pairs.a), ("b_to_a", pairs.b)):
        command("sample", run, "--n", 5, "--seed", 3, "--endpoint", endpoint, "--out", "s.npz")
        found = np.load("s.npz")
        known = {image.tobytes() for image in side.as_float()}
        assert all(image.tobytes() in known for image in found["inputs"])
        translated = gan.translate(found["inputs"], endpoint)
        np.testing.assert_allclose(found["images"], translated, atol=1e-6)
    command("sample", run, "--n", 4, "--out", "pairs.png")
    with Image.open("pairs.png") as grid:
        assert grid.size == (2 * 33 + 1, 4 * 33 + 1) or grid.size == (4 * 33 + 1, 2 * 33 + 1)
    command("sample", run, "--n", 3, "--out", "folder")
    assert len(list((tmp_path / "folder").glob("*/*.png"))) == 6
    # The other forms need to be shown images, and give the same for those.
    results = []
    for source in (run, run / "checkpoints" / "last.keras", trained / "saved_models" / "cyclegan"):
        command("sample", source, "--inputs", "folder/before", "--out", "s.npz")
        results.append(np.load("s.npz"))
        assert results[-1]["images"].shape == (3, 16, 16, 1)
        np.testing.assert_allclose(results[-1]["images"], results[0]["images"], atol=1e-5)
    after = np.asarray(Image.open("folder/after/00002.png")) / 255
    np.testing.assert_allclose(results[0]["images"][2, ..., 0], after, atol=0.51 / 255 + 0.005)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("runs/cyclegan", ["--n", 400], "n must be at most the 355 inputs of digits, got 400"),
        ("runs/cyclegan", ["--endpoint", "a_to_c"], "endpoint must be one of a_to_b, b_to_a, got"),
        (
            "runs/cyclegan/checkpoints/last.keras",
            [],
            "its endpoint a_to_b needs images of 16x16x1. Name a folder or file of them with --inp",
        ),
        (
            "saved_models/cyclegan",
            ["--endpoint", "b_to_a"],
            "its endpoint b_to_a needs images of 16x16x1",
        ),
        ("runs/cyclegan", ["--inputs", "colour"], "inputs of a_to_b must be images of 1 channel"),
    ],
)
def test_what_cannot_be_sampled(trained, command, tmp_path, source, options, message):
    for index in range(2):
        picture(tmp_path / "colour" / f"{index}.png", (16, 16, 3), 9)
    said = command("sample", trained / source, *options, check=False)
    assert said.returncode == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1


def test_evaluation_measures_against_the_truth(trained, command, tmp_path):
    run = trained / "runs" / "cyclegan"
    command("evaluate", run, "--out", "there")
    scores = {score.name: score for score in load_scores("there/scores.json")}
    gan = kgan.models.load(run / "checkpoints" / "last.keras")
    pairs = kgan.data.load_slanted_pairs()
    a, b = pairs.a.as_float(), pairs.b.as_float()
    error = scores["error[a_to_b]"]
    assert error.value == pytest.approx(np.abs(gan.translate(a) - b).mean(), abs=1e-6)
    assert error.low < error.value < error.high
    assert error.baselines["inputs"] == pytest.approx(np.abs(a - b).mean(), abs=1e-6)
    assert error.floor < 0.5 / 255 + 1e-6
    back = scores["error[b_to_a]"]
    assert back.value == pytest.approx(np.abs(gan.translate(b, "b_to_a") - a).mean(), abs=1e-6)
    assert scores["recognised[a_to_b]"].floor == 1.0
    # Of the pixels, where no extractor reads such images; untranslated ones stand beside.
    distance = scores["sliced_wasserstein"]
    assert (distance.protocol.n_fake, distance.protocol.interval) == (355, "halves")
    assert distance.floor < distance.baselines["inputs"]
    assert (tmp_path / "there" / "translations.png").is_file()


def test_the_export_translates_both_ways(trained, command, tmp_path):
    import tensorflow as tf

    command("export", trained / "runs" / "cyclegan", "--out", "out", "--format", "saved_model")
    manifest = json.loads((tmp_path / "out/cyclegan/1/assets.extra/manifest.json").read_text())
    assert manifest["family"] == "cyclegan"
    assert {name: one["role"] for name, one in manifest["endpoints"].items()} == {
        "a_to_b": "translate",
        "b_to_a": "translate",
        "a_to_b_tile": "translate_tile",
        "b_to_a_tile": "translate_tile",
        "a_to_b_png": "translate_files",
        "b_to_a_png": "translate_files",
    }
    exported = tf.saved_model.load(tmp_path / "out" / "cyclegan" / "1")
    gan = kgan.models.load(trained / "runs" / "cyclegan" / "checkpoints" / "last.keras")
    images = np.random.default_rng(0).random((3, 16, 16, 1), dtype=np.float32)
    for name in ("a_to_b", "b_to_a"):
        found = exported.signatures[name](images=tf.constant(images))["images"]
        np.testing.assert_allclose(found, gan.translate(images, name), atol=1e-5)


def test_folders_of_two_domains(command, tmp_path):
    for index in range(13):
        picture(tmp_path / "summer" / f"{index}.png", (20, 30 + index, 3), 100)
    for index in range(9):
        picture(tmp_path / "winter" / f"{index}.jpg", (40, 20), 200)
    folders = ["--a", "summer", "--b", "winter", "--image-size", 16, "--identity-weight", 0]
    said = command("train", "cyclegan", *folders, *TINY)
    assert "A: summer, 11 images of 16x16x3" in said.stdout
    assert "B: winter, 7 images of 16x16x1" in said.stdout
    run = tmp_path / "runs" / "summer-to-winter"
    with Image.open(run / "samples" / "epoch-0001.png") as grid:
        assert grid.size == (2 * 33 + 1, 6 * 33 + 1)
    assert (tmp_path / "saved_models" / "summer-to-winter" / "1").is_dir()
    command("sample", run, "--endpoint", "b_to_a", "--out", "s.npz")
    assert np.load("s.npz")["images"].shape == (2, 16, 16, 3)
    command("sample", run, "--inputs", "summer", "--out", "s.png")
    said = command("train", "cyclegan", *folders, *TINY, "--seed", 1, "--flip", "--no-export")
    assert "runs/summer-to-winter-2" in said.stdout
    (tmp_path / "summer" / "0.png").unlink()
    said = command("train", "--name", "summer-to-winter", "--resume", check=False)
    assert "the data changed since" in said.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--a", "grey"], "give both domains or neither: --a needs --b too"),
        (["--b", "grey"], "give both domains or neither: --b needs --a too"),
        (
            ["--a", "grey", "--b", "nowhere/at/all"],
            "no such folder or file: 'nowhere/at/all'; data must be",
        ),
        (
            ["--a", "grey", "--b", "colour", "--image-size", 16],
            "identity_weight must be 0 where the domains have different shapes",
        ),
        (["--a", "grey", "--b", "grey", "--image-size", 4], "sides of at least 6 for a patch"),
        (["--a", "grey", "--b", "grey", "--image-size", 15], "divisible by 2 for a generator"),
        (["--a", "grey", "--b", "small.npy"], "samples of one size, got 64x64x1 in grey and 16x16"),
        (["--image-size", 32], "image_size must be left out for the slanted digits"),
        (["--flip"], "flip must be off for the slanted digits"),
        (["--networks", "vnet"], "networks must be one of resnet, unet, encoder-decoder, super-re"),
        (["--falling-share", 2], "falling_share must be in [0, 1], got 2.0"),
        (["--batch-size", 5000], "batch_size must be between 1 and the 721 samples of digits and"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(command, tmp_path, options, message):
    for index in range(8):
        picture(tmp_path / "grey" / f"{index}.png", (16, 16), 9)
        picture(tmp_path / "colour" / f"{index}.png", (16, 16, 3), 9)
    np.save(tmp_path / "small.npy", np.zeros((6, 16, 16, 1), np.uint8))
    said = command("train", "cyclegan", *TINY, *options, check=False)
    assert said.returncode == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
