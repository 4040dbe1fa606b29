"""`kgan attack` with arrays beside the images: several labels an image, and other inputs."""

import json

import keras
import numpy as np
import pytest

import kgan.cli
from kgan.attacks import FGSM, MultiLabel, Victim

N, LABELS = 30, 3


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A linear model of two inputs, and images of 8 bits with rows of labels and of shifts."""
    folder = tmp_path_factory.mktemp("rows")
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 1), name="picture")
    shift = keras.Input((LABELS,), name="shift")
    scores = keras.layers.Dense(LABELS)(keras.layers.Flatten()(images))
    keras.Model(images, scores).save(folder / "one.keras")
    keras.Model([images, shift], keras.layers.Add()([scores, shift])).save(folder / "two.keras")
    arrays = {
        "images": rng.integers(0, 256, (N, 8, 8), "uint8"),
        "labels": rng.integers(0, 2, (N, LABELS)),
        "shift": rng.normal(size=(N, LABELS)).astype("float32"),
        "classes": rng.integers(0, LABELS, N),
    }
    np.savez(folder / "rows.npz", **arrays)
    classes = {"images": arrays["images"], "labels": arrays["classes"], "moved": arrays["shift"]}
    np.savez(folder / "classes.npz", **classes)
    np.savez(folder / "short.npz", images=arrays["images"], labels=arrays["labels"][:5])
    return folder, arrays


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def attack(folder, model, data, *more):
    paths = ["--model", f"{folder}/{model}.keras", "--data", f"{folder}/{data}.npz"]
    options = ["--attack", "fgsm", "--epsilon", "0.05"]
    return kgan.cli.main(["attack", *paths, *options, *map(str, more)])


def robust_by_report(here) -> tuple[float, float]:
    (path,) = here.glob("runs/*/report.json")
    report = json.loads(path.read_text())
    return report["clean"]["robust_accuracy"], report["rows"][0]["robust_accuracy"]


def robust_by_library(victim, images, truth) -> float:
    images = images[..., None].astype("float32") / 255
    return 1 - FGSM(0.05).run(victim, images, truth).success.mean()


def test_several_labels_an_image(files, here):
    folder, arrays = files
    assert attack(folder, "one", "rows", "--criterion", "multi-label:count=2") == 0
    clean, robust = robust_by_report(here)
    model = keras.models.load_model(folder / "one.keras")
    scores = model(arrays["images"][..., None].astype("float32") / 255).numpy()
    wrong = ((scores > 0) != arrays["labels"]).sum(axis=1)
    assert clean == pytest.approx(np.mean(wrong < 2))
    victim = Victim(model, criterion=MultiLabel(2))
    want = robust_by_library(victim, arrays["images"], arrays["labels"])
    assert robust == pytest.approx(want)
    assert 0 < robust < clean


def test_other_inputs_are_held_with_the_rows_of_the_images_drawn(files, here):
    folder, arrays = files
    assert attack(folder, "two", "classes", "--input", "picture", "--held", "shift=moved",
                  "--n", 20) == 0  # fmt: skip
    clean, robust = robust_by_report(here)
    drawn = np.sort(np.random.default_rng(0).permutation(N)[:20])
    model = keras.models.load_model(folder / "two.keras")
    images, shift = arrays["images"][drawn], arrays["shift"][drawn]
    scores = model([images[..., None].astype("float32") / 255, shift]).numpy()
    assert clean == pytest.approx(np.mean(scores.argmax(axis=1) == arrays["classes"][drawn]))
    victim = Victim(model, input="picture", held={"shift": shift})
    assert robust == pytest.approx(robust_by_library(victim, images, arrays["classes"][drawn]))


MULTI = ("--criterion", "multi-label")
MISTAKES = {
    "classes for rows": ("one", "classes", MULTI, "rows of 0 and 1, one for each label"),
    "rows for classes": ("one", "rows", (), "one-hot"),
    "rows missing": ("one", "short", MULTI, "got 5 rows for 30 samples"),
    "no array": (
        "two",
        "rows",
        ("--input", "picture", "--held", "shift=where", *MULTI),
        "no array where, where_test or test_where; it holds images, labels",
    ),
    "no input": ("two", "rows", ("--held", "shift", *MULTI), "held needs --input"),
    "not held": ("two", "rows", ("--input", "picture", *MULTI), "give all others, held="),
    "learns": ("one", "rows", (*MULTI, "--attack", "advgan"), "leave out advgan"),
    "corruptions": ("one", "rows", (*MULTI, "--corruptions"), "of images alone"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_a_line(files, here, capsys, name):
    model, data, options, said = MISTAKES[name]
    assert attack(files[0], model, data, *options) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors
