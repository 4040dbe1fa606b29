"""The export command: of a run, a GAN's file and a classifier; and what it refuses."""

import importlib.util
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.export
import kgan.models
import kgan.networks
from kgan.attacks import AdvGAN
from kgan.cli import main
from kgan.networks.classifiers import small_cnn
from kgan.runs.run import Run
from kgan.settings import ClassifierSettings, HardeningSettings
from tests.conftest import build_gan


def test_a_run_in_every_format(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs" / "toy", build_gan(num_classes=3), data="toys")
    formats = ["--format", "saved_model", "onnx", "litert"]
    assert main(["export", "runs/toy", *formats, "--class-names", "a", "b", "c"]) == 0
    out = tmp_path / "saved_models"
    assert {path.name for path in out.iterdir()} == {"toy", "toy.onnx", "toy.tflite"}
    manifest = kgan.export.manifest.read(out / "toy" / "1")
    assert (manifest["data"], manifest["step"]) == ("toys", 0)
    assert manifest.class_names == ("a", "b", "c")
    model = tf.saved_model.load(out / "toy" / "1")
    seeds, labels = tf.constant([5, 6], tf.int64), tf.constant([0, 2], tf.int64)
    assert model.signatures["generate"](seeds=seeds, labels=labels)["images"].shape == (2, 8, 8, 1)


@pytest.mark.parametrize("head", ["logits", "softmax", "sigmoid"])
def test_a_classifier_answers_with_probabilities(tmp_path, head):
    keras.utils.set_random_seed(0)
    if head == "sigmoid":
        layers = [keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
        model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    else:
        model = small_cnn((8, 8, 1), 10, width=4)
    if head == "softmax":
        model = keras.Sequential([model, keras.layers.Softmax()])
        model.build((None, 8, 8, 1))
    model.save(tmp_path / "mine.keras")
    assert main(["export", str(tmp_path / "mine.keras"), "--out", str(tmp_path / "out")]) == 0
    folder = tmp_path / "out" / "mine" / "1"
    images = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)
    answer = tf.saved_model.load(folder).signatures["classify"](images=tf.constant(images))
    outputs = np.asarray(model(images))
    if head == "sigmoid":
        wanted = np.concatenate([1 - outputs, outputs], axis=1)
    else:
        wanted = outputs if head == "softmax" else np.asarray(keras.ops.softmax(outputs))
    np.testing.assert_allclose(answer["probabilities"], wanted, atol=1e-5)
    np.testing.assert_array_equal(answer["classes"], wanted.argmax(axis=1))
    assert kgan.export.manifest.read(folder)["image_shape"] == [8, 8, 1]


@pytest.mark.parametrize(
    "settings",
    [ClassifierSettings(resize="pad", background="navy"), HardeningSettings(resize="pad")],
)
def test_of_a_classifiers_run_its_file_is_exported(tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    run = Run.new(tmp_path / "runs", "classifier-mine", settings, model="mine")
    (tmp_path / settings.classifiers_dir).mkdir(parents=True)
    small_cnn((8, 8, 1), 3, width=4).save(settings.classifiers_dir / "mine.keras")
    assert main(["export", str(run.folder)]) == 0
    version = tmp_path / "saved_models" / "mine" / "1"
    assert (version / "saved_model.pb").is_file()
    reading = kgan.export.manifest.read(version).reading
    assert (reading.resize, reading.background) == (settings.resize, settings.background)


def test_an_advgan(tmp_path, capsys):
    images = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
    attack = AdvGAN(0.2, width=4, blocks=1, steps=1)
    attack.fit(small_cnn((8, 8, 1), 10, width=4), images)
    source = str(attack.save(tmp_path / "attack.keras"))
    assert main(["export", source, "--out", str(tmp_path / "out")]) == 0
    model = tf.saved_model.load(tmp_path / "out" / "attack" / "1")
    epsilon = tf.fill([8], 0.1)
    moved = model.signatures["perturb"](images=tf.constant(images), epsilon=epsilon)["images"]
    assert 0 < np.abs(moved - images).max() <= 0.1 + 1e-6
    assert main(["export", source, "--format", "onnx"]) == 2
    said = capsys.readouterr().err
    assert "format of a model of the family 'advgan' must be saved_model, got onnx" in said


def make_run(folder, gan, **settings):
    (folder / "checkpoints").mkdir(parents=True)
    gan.save(folder / "checkpoints" / "last.keras")
    (folder / "config.json").write_text(json.dumps({"config": settings}))


def test_the_class_names_of_a_run_travel(tmp_path, capsys):
    gan = build_gan(num_classes=10)
    make_run(tmp_path / "named", gan, data="digits")
    assert main(["export", str(tmp_path / "named"), "--out", str(tmp_path)]) == 0
    folder = tmp_path / "named" / "1"
    assert kgan.export.manifest.read(folder).class_names == tuple("0123456789")
    assert (folder / "assets" / "class_names.txt").read_text().split() == list("0123456789")
    # Data that is gone costs the names, and says so.
    make_run(tmp_path / "gone", gan, data=str(tmp_path / "gone.npz"))
    assert main(["export", str(tmp_path / "gone"), "--out", str(tmp_path / "out")]) == 0
    assert "note: the classes have no names, as the run's data" in capsys.readouterr().err
    assert kgan.export.manifest.read(tmp_path / "out" / "gone" / "1").class_names is None


def test_a_network_that_is_no_classifier(tmp_path, capsys):
    path = tmp_path / "generator.keras"
    build_gan().ema_generator.save(path)
    assert main(["export", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "holds neither a model of kgan's nor a classifier" in said
    assert not (tmp_path / "out").exists()


def test_names_of_classes_that_nothing_would_keep_are_refused(tmp_path, capsys):
    build_gan().save(tmp_path / "plain.keras")
    build_gan(num_classes=2).save(tmp_path / "two.keras")
    for name, form in (("plain", "saved_model"), ("two", "litert")):
        arguments = [
            str(tmp_path / f"{name}.keras"),
            "--format",
            form,
            "--out",
            str(tmp_path / "x"),
        ]
        assert main(["export", *arguments, "--class-names", "a", "b"]) == 2
        assert "class_names must be left out" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_only_a_run_has_checkpoints(tmp_path, capsys):
    path = tmp_path / "gan.keras"
    path.write_bytes(b"never opened")
    assert main(["export", str(path), "--checkpoint", "best"]) == 2
    assert "gan.keras is no run, got 'best'" in capsys.readouterr().err


def make_progan(folder):
    shape = (8, 8, 1)
    gan = kgan.models.GAN(
        kgan.networks.progan_generator(shape, 6, width=2),
        kgan.networks.progan_discriminator(shape, width=2),
    )
    return gan.save(folder / "gan.keras")


FORMATS = ["--format", "litert", "saved_model", "onnx"]


def test_one_format_that_cannot_be_leaves_no_other(tmp_path, monkeypatch, capsys):
    make_progan(tmp_path)
    arguments = ["export", str(tmp_path / "gan.keras"), "--out", str(tmp_path / "out")]
    assert main([*arguments, *FORMATS]) == 2
    assert "networks that grow cannot be written as onnx" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    build_gan().save(tmp_path / "gan.keras")
    (tmp_path / "out" / "gan.onnx").mkdir(parents=True)
    assert main([*arguments, *FORMATS]) == 2
    assert "out must" in capsys.readouterr().err
    (tmp_path / "out" / "gan.onnx").rmdir()
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "onnx" else find(name, *rest),
    )
    assert main([*arguments, *FORMATS]) == 2
    assert "ONNX needs onnx: pip install" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_converter_refuses_leaves_no_other_file(tmp_path, capsys):
    given = keras.Input((8, 8, 1))
    found = keras.layers.Dense(2)(keras.layers.Flatten()(keras.ops.erf(given)))
    keras.Model(given, found).save(tmp_path / "odd.keras")
    out = tmp_path / "out"
    formats = ["--format", "saved_model", "onnx", "litert"]
    assert main(["export", str(tmp_path / "odd.keras"), "--out", str(out), *formats]) == 2
    assert "whose runtime lacks Erf of TensorFlow's" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_a_damaged_file(tmp_path, capsys):
    (tmp_path / "bad.keras").write_bytes(b"PK but no archive")
    assert main(["export", str(tmp_path / "bad.keras")]) == 2
    assert "bad.keras cannot be loaded" in capsys.readouterr().err


def test_a_source_that_is_none(tmp_path, capsys):
    assert main(["export", str(tmp_path / "none.keras")]) == 2
    assert "source must be a run folder or a .keras file" in capsys.readouterr().err
