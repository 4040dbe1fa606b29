"""A classifier's file says which images of a set without splits it was not trained on."""

import shutil
import types
import zipfile

import keras
import numpy as np
import pytest

import kgan.cli
import kgan.cli.attack
import kgan.data
import kgan.runs.hardening
from kgan.robustness.report import Report
from kgan.runs import tested_on
from kgan.runs.attacked_data import attacked_data
from kgan.settings import HARDENING_PRESETS, AttackSettings


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with plain.npz, 100 images and no splits, and own.keras, trained on 90 by seed 3."""
    folder = tmp_path_factory.mktemp("trained")
    digits = kgan.data.load("digits")
    np.savez(folder / "plain.npz", images=digits.samples[:100], labels=digits.labels[:100])
    words = ["train-classifier", "--data", folder / "plain.npz", "--epochs", 1, "--seed", 3]
    places = ["--runs-dir", folder / "runs", "--classifiers-dir", folder, "--name", "own"]
    assert kgan.cli.main([*map(str, [*words, *places])]) == 0
    return folder


def attack(folder, data, *more):
    words = ["attack", "--model", "own.keras", "--data", data, "--attack", "fgsm", *more]
    assert kgan.cli.main([*words, "--epsilon", "0.1", "--name", "a"]) == 0
    newest = max((folder / "runs").glob("attack-a*"), key=lambda one: one.stat().st_mtime_ns)
    return Report.load(newest / "report.json")


def test_those_alone_are_attacked_whatever_the_file_is_called(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    shutil.copy("plain.npz", "moved.npz")
    # As `train_and_test` splits, written anew.
    rows = np.sort(np.random.default_rng(3).permutation(100)[:10])
    data = kgan.data.load("plain.npz").take(rows)
    logits = keras.models.load_model("own.keras").predict(data.as_float(), verbose=0)
    accuracy = (logits.argmax(axis=1) == data.labels).mean()
    for name in ("plain.npz", "moved.npz"):
        report = attack(trained, name)
        said = capsys.readouterr().out
        assert f"{name} has no images for tests: own.keras was not trained on 10 of them" in said
        assert report.clean.robust_accuracy == pytest.approx(accuracy)
        assert report.provenance["images"] == "10, all of them"
        assert report.provenance["split"].startswith("what the classifier was not trained on")
        assert not any("taken to have been trained" in text for text in report.assumptions)
    assert attack(trained, "plain.npz", "--n", "4").provenance["images"] == "4, drawn by seed 0"


def test_of_other_data_it_is_assumed_that_none_was_trained_on(trained, monkeypatch):
    monkeypatch.chdir(trained)
    plain = np.load("plain.npz")
    # The first and last lie in the tenth or not: other data in either.
    np.savez("other.npz", images=plain["images"][::-1], labels=plain["labels"][::-1])
    report = attack(trained, "other.npz")
    assert report.provenance["images"] == "100, all of them"
    assert any("taken to have been trained on none" in text for text in report.assumptions)


def test_a_file_from_elsewhere_says_nothing(trained, tmp_path):
    keras.models.load_model(trained / "own.keras").save(tmp_path / "again.keras")
    data = kgan.data.load(str(trained / "plain.npz"))
    assert len(tested_on.rows_of(trained / "own.keras", data)) == 10
    assert tested_on.rows_of(tmp_path / "again.keras", data) is None
    (tmp_path / "old.h5").write_bytes(b"no zip file")
    assert tested_on.rows_of(tmp_path / "old.h5", data) is None


def test_data_with_splits_need_no_record_and_with_fakes_nobody_knows():
    test = kgan.data.load("digits", "test")
    settings = types.SimpleNamespace(data="digits", fakes=None, seed=0)
    assert tested_on.of_training(settings, test) is None
    settings = types.SimpleNamespace(data=__file__, fakes=None, seed=0)
    assert tested_on.of_training(settings, test)["seed"] == 0
    settings.fakes = "runs/of-all-of-it"
    assert tested_on.of_training(settings, test) is None


@pytest.mark.parametrize("part", ["no JSON", "5", "{}", '{"tested_on": 5}', '{"tested_on": {}}'])
def test_a_part_of_another_tools_says_nothing(tmp_path, part):
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as file:
        file.writestr("kgan.json", part)
    assert tested_on.read(tmp_path / "other.keras") is None


def test_a_folder_of_training_images_alone_is_no_test(trained):
    """What an attack learns from is then what the classifier did; labels and pictures are kept."""
    plain = np.load(trained / "plain.npz")
    arrays = {"x_train": plain["images"], "y_train": plain["labels"]}
    np.savez(trained / "training.npz", **arrays)
    classifier = trained / "own.keras"
    found = attacked_data(str(trained / "training.npz"), "train", classifier=classifier, n=4)
    rows = np.sort(np.random.default_rng(3).permutation(100)[:10])
    assert found.untrained
    assert len(found.images) == 4
    assert set(map(bytes, found.images.samples)) <= set(map(bytes, plain["images"][rows]))
    others, told = found.others()
    assert told == "those that it was trained on"
    np.testing.assert_array_equal(others.samples, np.delete(plain["images"], rows, axis=0))
    shown = kgan.cli.attack._split(AttackSettings(data=str(trained / "training.npz")))
    assert shown == "train"


@pytest.mark.parametrize(
    ("model", "fresh", "seed", "known"),
    [
        (None, False, 3, True),
        ("own.keras", False, 3, True),
        # That one was trained on most of what the seed 0 holds out.
        ("own.keras", False, 0, False),
        ("own.keras", True, 0, True),
        ("again.keras", False, 3, False),
    ],
)
def test_a_hardened_classifier_knows_what_the_one_before_knew(trained, model, fresh, seed, known):
    keras.models.load_model(trained / "own.keras").save(trained / "again.keras")
    settings = types.SimpleNamespace(
        data=str(trained / "plain.npz"),
        model=None if model is None else trained / model,
        fresh=fresh,
        seed=seed,
        fakes=None,
    )
    test = kgan.data.train_and_test(settings.data, seed=seed)[1]
    recipe = types.SimpleNamespace(settings=settings, splits=(None, test))
    kept = kgan.runs.hardening._tested_on(recipe)
    assert kept == (tested_on.of_training(settings, test) if known else None)
    assert {"model", "fresh", "seed", "data", "fakes"} <= vars(
        next(iter(HARDENING_PRESETS.values()))
    ).keys()
