"""`kgan train pix2pix` and `restore`, and what the other commands do with what they leave."""

import io
import json
import os
import signal
import typing

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan.data
import kgan.models
from kgan.callbacks import read_history
from kgan.cli import main
from kgan.evaluation import load_scores
from kgan.metrics.image_quality import psnr, ssim
from kgan.recipes import PairedRecipe
from kgan.runs.run import Run
from kgan.settings.paired import PairedSettings, Task
from tests.cli.pictures import picture
from tests.conftest import slow_but
from tests.export.test_portable import run_litert, run_onnx
from tests.same_run import states

TINY = ["--generator-width", "4", "--discriminator-width", "4", "--batch-size", "4"]
TINY += ["--steps-per-epoch", "4", "--epochs", "2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of pairs and one of inpainting, with exports. Not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    places = ["--runs-dir", str(folder / "runs"), "--export-dir", str(folder / "saved_models")]
    assert main(["train", "pix2pix", *TINY, *places]) == 0
    random = ["--mask", "random", "--networks", "resnet", "--blocks", "1"]
    assert main(["train", "restore", *TINY, *random, *places]) == 0
    return folder


def test_the_settings_name_every_task():
    assert set(typing.get_args(Task)) == set(kgan.data.TASKS)


def test_a_run_leaves_pictures_and_errors(trained):
    run = trained / "runs" / "pix2pix"
    with Image.open(run / "samples" / "epoch-0002.png") as grid:
        # Ten columns of input, output and target.
        assert grid.size == (10 * 33 + 1, 3 * 33 + 1)
    rows = read_history(run / "metrics.csv")
    assert all({"d_loss", "g_loss", "reconstruction", "error", "psnr"} <= set(row) for row in rows)
    identity = json.loads((run / "config.json").read_text())
    assert (identity["family"], identity["preset"]) == ("paired", "pix2pix")
    assert (run / "checkpoints" / "last.keras").is_file()
    assert not (run / "checkpoints" / "best.keras").exists()


@pytest.mark.parametrize("preset", slow_but(["pix2pix", "restore"], "pix2pix"))
def test_stopped_and_resumed_is_bit_identical(trained, command, tmp_path, monkeypatch, preset):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 6:
                os.kill(os.getpid(), signal.SIGINT)

    more = ["--mask", "random", "--networks", "resnet", "--blocks", "1"]
    options = [*TINY, "--no-export", *(more if preset == "restore" else [])]
    with monkeypatch.context() as patch:
        patch.setattr(PairedRecipe, "doctor", lambda self, data, folder: [Stop()])
        assert command("train", preset, *options, check=False).returncode == 130
    last = tmp_path / "runs" / preset / "checkpoints" / "last.keras"
    assert "resuming at step 6" in command("train", "--name", preset, "--resume").stdout
    whole = states(trained / "runs" / preset / "checkpoints" / "last.keras")
    for one, other in zip(whole, states(last), strict=True):
        np.testing.assert_array_equal(one, other)


def own_scores(run, model, folder):
    """What `kgan evaluate` says of a run beside the scores of its samples, by name."""
    folder.mkdir(exist_ok=True)
    recipe = PairedRecipe(Run.open(run).settings(PairedSettings))
    scores = recipe.own_scores(model, folder)
    return {score.name.partition("@")[0]: score for score in scores}


def test_evaluation_measures_against_the_truth(trained, tmp_path):
    run = trained / "runs" / "pix2pix"
    gan = kgan.models.load(run / "checkpoints" / "last.keras")
    scores = own_scores(run, gan, tmp_path / "there")
    pairs = kgan.data.load_slanted_pairs()
    a, b = pairs.a.as_float(), pairs.b.as_float()
    made = gan.translate(a)
    assert scores["error"].value == pytest.approx(np.abs(made - b).mean(), abs=1e-6)
    assert scores["psnr"].value == pytest.approx(psnr(made, b).mean(), abs=1e-4)
    assert scores["ssim"].value == pytest.approx(ssim(made, b).mean(), abs=1e-5)
    assert scores["psnr"].baselines["inputs"] == pytest.approx(psnr(a, b).mean(), abs=1e-4)
    assert set(scores["ssim"].baselines) == {"inputs", "mean image", "mean colour"}
    assert (scores["error"].floor, scores["psnr"].floor, scores["ssim"].floor) == (0, 100, 1)
    assert (tmp_path / "there" / "translations.png").is_file()


def test_holes_are_measured_by_themselves(trained, tmp_path):
    run = trained / "runs" / "restore"
    gan = kgan.models.load(run / "checkpoints" / "last.keras")
    scores = own_scores(run, gan, tmp_path)
    test = kgan.data.load("digits", "test")
    task = kgan.data.task("inpaint", mask="random")
    pairs = kgan.data.damaged(test, task)
    inputs, truth = pairs.a.as_float(), test.as_float()
    made, known = gan.translate(inputs), inputs[..., 1:]
    # What was known comes back unchanged.
    np.testing.assert_array_equal(made * known, truth * known)
    holes = psnr(made, truth, 1 - known).mean()
    assert scores["psnr_in_holes"].value == pytest.approx(holes, abs=1e-4)
    assert holes < scores["psnr"].value
    assert set(scores["psnr"].baselines) == {"mean of the known", "mean image", "mean colour"}
    assert scores["perceptual[lenet-digits"].value > 0
    assert scores["accuracy[lenet-digits"].floor > 0.9


def test_files_folders_and_streams(trained, command, tmp_path, monkeypatch):
    run, export = trained / "runs" / "pix2pix", trained / "saved_models" / "pix2pix"
    for index, shape in enumerate([(16, 16), (40, 29), (33, 64)]):
        picture(tmp_path / "photos" / f"sub{index}" / f"{index}.png", shape)
    (tmp_path / "photos" / "bad.png").write_bytes(b"no image")
    said = command("translate", run, "photos", "--out", "done")
    assert "3 images in done" in said.stdout
    assert "skipped, as it cannot be read: photos/bad.png" in said.stderr
    gan = kgan.models.load(run / "checkpoints" / "last.keras")
    with Image.open("photos/sub0/0.png") as image:
        small = np.asarray(image)[None, ..., None]
    expected = np.round(gan.translate(small)[0, ..., 0] * 255)
    with Image.open("done/sub0/0.png") as image:
        assert np.abs(np.asarray(image) - expected).max() <= 1
    with Image.open("done/sub1/1.png") as image:
        assert image.size == (29, 40)
    # A file, from the export and with the direction named.
    command("translate", export, "photos/sub1/1.png", "--direction", "a-to-b")
    with Image.open("1-translated.png") as one, Image.open("done/sub1/1.png") as other:
        assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1
    # In tiles of which each is normalised by itself.
    command("translate", run, "photos/sub2/2.png", "--tile", 32, "--overlap", 8, "--out", "t.png")
    with Image.open("t.png") as image:
        assert image.size == (64, 33)
    content = (tmp_path / "photos/sub1/1.png").read_bytes()
    given, made = io.TextIOWrapper(io.BytesIO(content)), io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdin", given)
    monkeypatch.setattr("sys.stdout", made)
    assert main(["translate", str(export), "-"]) == 0
    with Image.open(made.buffer) as image:
        assert image.size == (29, 40)


def test_transparent_places_of_grey_images_are_filled(trained, command, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12), dtype=np.uint8)
    known = np.full((8, 12), 255, np.uint8)
    known[2:5, 3:8] = 0
    Image.fromarray(np.stack([pixels, known], axis=-1)).save("holes.png")
    command("translate", trained / "runs" / "restore", "holes.png", "--out", "filled.png")
    with Image.open("filled.png") as image:
        filled = np.asarray(image)
    assert filled.shape == (8, 12)
    np.testing.assert_array_equal(filled[known > 0], pixels[known > 0])
    assert (filled[known == 0] != pixels[known == 0]).any()
    Image.fromarray(pixels).save("whole.png")
    said = command("translate", trained / "runs" / "restore", "whole.png", "--out", "same.png")
    assert (
        "1 image has no holes (transparent pixels) to fill, and came out unchanged" in said.stderr
    )
    with Image.open("same.png") as image:
        np.testing.assert_array_equal(image, pixels)


@pytest.mark.slow
def test_transparent_places_are_filled(trained, command, tmp_path):
    # Grey with holes has two channels, which no image file has; colour has four.
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "colour.npy", pixels)
    options = [*TINY, "--networks", "resnet", "--blocks", 1]
    command("train", "restore", "--data", "colour.npy", *options)
    holes = np.full((16, 16, 1), 255, np.uint8)
    holes[3:9, 5:12] = 0
    Image.fromarray(np.concatenate([pixels[0], holes], axis=-1)).save("holes.png")
    for source in ("runs/inpaint-colour", "saved_models/inpaint-colour"):
        command("translate", source, "holes.png", "--out", f"{source[:4]}.png")
    with Image.open("runs.png") as one, Image.open("save.png") as other:
        filled = np.asarray(one)
        assert np.abs(filled.astype(int) - np.asarray(other)).max() <= 1
    known = holes[..., 0] == 255
    np.testing.assert_array_equal(filled[known], pixels[0][known])
    assert (filled[~known] != pixels[0][~known]).any()


def test_the_export_serves_images_and_files(trained, command, tmp_path):
    version = trained / "saved_models" / "pix2pix" / "1"
    manifest = json.loads((version / "assets.extra/manifest.json").read_text())
    assert manifest["family"] == "paired"
    assert {name: one["role"] for name, one in manifest["endpoints"].items()} == {
        "translate": "translate",
        "translate_tile": "translate_tile",
        "translate_png": "translate_files",
    }
    exported = tf.saved_model.load(version)
    gan = kgan.models.load(trained / "runs" / "pix2pix" / "checkpoints" / "last.keras")
    images = np.random.default_rng(0).random((3, 16, 16, 1), dtype=np.float32)
    found = exported.signatures["translate"](images=tf.constant(images))["images"]
    np.testing.assert_allclose(found, gan.translate(images), atol=1e-5)
    larger = exported.signatures["serving_default"](images=tf.zeros([2, 37, 50, 1]))["images"]
    assert larger.shape == (2, 37, 50, 1)
    command("export", trained / "runs" / "pix2pix", "--out", "out", "--format", "litert", "onnx")
    for suffix, run in ((".tflite", run_litert), (".onnx", run_onnx)):
        made = run(tmp_path / "out" / f"pix2pix{suffix}", {"images": images})
        np.testing.assert_allclose(made, gan.translate(images), atol=1e-4)


@pytest.mark.slow
def test_a_code_makes_many_outputs(command, tmp_path):
    codes = ["--latent-dim", 2, "--reconstruction-weight", 10, "--loss", "least_squares"]
    command("train", "pix2pix", *TINY, *codes)
    rows = read_history(tmp_path / "runs" / "pix2pix" / "metrics.csv")
    assert {"code", "divergence"} <= set(rows[-1])
    gan = kgan.models.load(tmp_path / "runs" / "pix2pix" / "checkpoints" / "last.keras")
    exported = tf.saved_model.load(tmp_path / "saved_models" / "pix2pix" / "1")
    images = np.random.default_rng(0).random((3, 16, 16, 1), dtype=np.float32)
    seeds = np.arange(3)
    found = exported.signatures["vary"](images=tf.constant(images), seeds=tf.constant(seeds))
    np.testing.assert_allclose(found["images"], gan.vary(images, seeds), atol=1e-5)
    command("evaluate", "runs/pix2pix", "--out", "there")
    [score] = [
        one for one in load_scores(tmp_path / "there" / "scores.json") if one.name == "diversity"
    ]
    held_out = kgan.data.load_slanted_pairs().a.as_float()
    both = [gan.vary(held_out, first + np.arange(355)) for first in (0, 355)]
    assert score.value == pytest.approx(np.abs(both[0] - both[1]).mean(), abs=1e-6)
    Image.fromarray(np.full((20, 30), 99, np.uint8)).save("grey.png")
    command("translate", "saved_models/pix2pix", "grey.png")
    with Image.open("grey-translated.png") as image:
        assert image.size == (30, 20)


def test_sampling_shows_held_out_images(trained, command):
    run = trained / "runs" / "pix2pix"
    command("sample", run, "--n", 3, "--out", "s.npz")
    found = np.load("s.npz")
    gan = kgan.models.load(run / "checkpoints" / "last.keras")
    np.testing.assert_allclose(found["images"], gan.translate(found["inputs"]), atol=1e-6)
    known = {image.tobytes() for image in kgan.data.load_slanted_pairs().a.as_float()}
    assert all(image.tobytes() in known for image in found["inputs"])


@pytest.mark.slow
def test_folders_of_pairs_and_larger_images(command, tmp_path):
    for index in range(10):
        picture(tmp_path / "pairs" / "a" / f"{index}.png", (16, 20))
        picture(tmp_path / "pairs" / "b" / f"{index}.png", (32, 40, 3))
    options = ["--image-size", 16, 20, "--factor", 2, "--crop", 12, "--flip", "--blocks", 1]
    said = command("train", "pix2pix", "--data", "pairs", *options, *TINY)
    assert "A: pairs/a: 8 images of 16x20x1" in said.stdout
    assert "B: pairs/b: 8 images of 32x40x3" in said.stdout
    assert "super-resolution, l1 and non_saturating" in said.stdout
    command("translate", "saved_models/pix2pix-pairs", "pairs/a/0.png", "--out", "out.png")
    with Image.open("out.png") as image:
        assert (image.size, image.mode) == ((40, 32), "RGB")
    command("evaluate", "runs/pix2pix-pairs", "--out", "there")
    names = [score.name for score in load_scores("there/scores.json")]
    assert names[:3] == ["error", "psnr", "ssim"]
    assert "sliced_wasserstein" in names


@pytest.mark.parametrize(
    "task", slow_but(["colourise", "denoise", "super-resolve", "edges"], "denoise")
)
def test_each_task_trains(command, tmp_path, task):
    np.save(tmp_path / "some.npy", np.random.default_rng(0).random((12, 16, 16, 3), np.float32))
    options = [*TINY, "--epochs", 1, "--steps-per-epoch", 1, "--no-export"]
    weights = ["--adversarial-weight", 0] if task == "denoise" else ["--discriminator", "patch"]
    command("train", "restore", "--task", task, "--data", "some.npy", *options, *weights)
    gan = kgan.models.load(tmp_path / "runs" / f"{task}-some" / "checkpoints" / "last.keras")
    assert (gan.discriminator is None) == (task == "denoise")
    assert gan.kinds[1].shape == (16, 16, 3)


@pytest.mark.slow
def test_an_encoder_decoder_has_one_size(command, tmp_path):
    command("train", "encoder-decoder", *TINY, "--epochs", 1, "--bottleneck", 6)
    gan = kgan.models.load(tmp_path / "runs" / "encoder-decoder" / "checkpoints" / "last.keras")
    assert (gan.distance, gan.reconstruction_weight, gan.conditional) == ("mse", 0.999, False)
    assert gan.endpoints().endpoints["translate"].least_side is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "no such folder or file of pairs: nowhere"),
        (["--data", "alone"], "without a partner: alone/b/1.png. Remove them"),
        (["--b", "alone"], "b must be left out without --data"),
        (["--mask", "random"], "mask must be left out without a task, got random"),
        (["--task", "denoise", "--mask", "random"], "mask must be left out for the task denoise"),
        (["--task", "denoise", "--direction", "b-to-a"], "direction must be a-to-b for a task"),
        (["--task", "colourise"], "colourise needs colour images, got 1 channel"),
        (["--crop", "9", "--task", "inpaint"], "crop must be at most the size of the images, 8x8"),
        (["--networks", "vnet"], "networks must be one of resnet, unet, encoder-decoder, super-"),
        (["--blocks", "3"], "blocks must be left out for the networks unet, got 3"),
        (["--discriminator", "pixel"], "discriminator must be one of patch, multiscale, got 'pixe"),
        (["--distance", "l3"], "distance must be one of l1, mse, charbonnier, got 'l3'"),
        (
            ["--feature-weight", "1"],
            "--features FILE and a --feature-weight above 0 belong together",
        ),
        (["--image-size", "32"], "image_size must be left out for the slanted digits"),
        (["--flip"], "flip must be left out for the slanted digits"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(command, tmp_path, options, message):
    picture(tmp_path / "alone" / "a" / "0.png", (16, 16))
    for index in range(2):
        picture(tmp_path / "alone" / "b" / f"{index}.png", (16, 16))
    said = command("train", "pix2pix", *TINY, *options, check=False)
    assert said.returncode == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ("nowhere.png", [], "no such image or folder: nowhere.png"),
        ("empty", [], "no image in empty"),
        ("text.png", [], "text.png cannot be read as an image"),
        ("tiny.png", [], "images must have sides of at least 16 for this model, got 16x9 in tiny"),
        ("colour.png", [], "images must have 1 channel for this model, got 3 in colour.png. Conve"),
        ("grey.png", ["--direction", "b-to-a"], "direction must be one of a-to-b, got 'b-to-a'"),
        ("grey.png", ["--out", "grey.png"], "grey.png exists; choose another --out or remove it"),
        ("grey.png", ["--out", "somewhere"], "out must be an image file for one image, such as"),
        ("grey.png", ["--overlap", 600], "overlap must be at most half of the tile (1024)"),
        ("grey.png", ["--value-range", "auto"], "value_range must be two values here"),
        ("folder", ["--out", "-"], "out must be a folder for a folder of images"),
    ],
)
def test_what_cannot_be_translated(trained, command, tmp_path, inputs, options, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no image")
    picture(tmp_path / "tiny.png", (16, 9))
    picture(tmp_path / "grey.png", (16, 16))
    picture(tmp_path / "folder" / "grey.png", (16, 16))
    picture(tmp_path / "colour.png", (16, 16, 3))
    before = sorted(tmp_path.iterdir())
    run = trained / "runs" / "pix2pix"
    said = command("translate", run, inputs, *options, check=False)
    assert said.returncode == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
