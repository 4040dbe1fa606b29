import os
import signal

import keras
import numpy as np
import pytest

import kgan.cli
import kgan.data
import kgan.export
import kgan.runs.hardening
import kgan.runs.training
from kgan.callbacks import StopOnSignal


def main(arguments):
    return kgan.cli.main(["train-classifier", *arguments])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_digits_are_learnt_in_a_few_epochs_and_the_accuracy_is_the_files(here, capsys):
    assert main(["--epochs", "6"]) == 0
    said = capsys.readouterr().out
    model = keras.models.load_model(here / "saved_models" / "classifiers" / "digits.keras")
    test = kgan.data.load("digits", "test")
    logits = model.predict(test.as_float(), verbose=0)
    accuracy = np.mean(logits.argmax(axis=1) == test.labels)
    assert accuracy > 0.93
    assert f"test accuracy {accuracy:.2%} (355 images)" in said


@pytest.mark.parametrize(
    ("command", "count"),
    # A tenth is for tests, and a fifth of the others for the guard of hardening.
    [("train-classifier", 54), ("harden", 44)],
)
def test_the_batch_of_a_preset_fits_few_images(command, count, here, monkeypatch, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 12, 12, 1), dtype=np.uint8)
    np.savez("mine.npz", images=pixels, labels=np.arange(60) % 2)
    words = [command, "mnist", "--data", "mine.npz", "--width", "2", "--epochs", "1"]
    assert kgan.cli.main([*words, "--batch-size", "64"]) == 2
    wanted = f"batch_size must be between 1 and the {count} samples of mine.npz, got 64"
    assert wanted in capsys.readouterr().err
    # What hardening does at its end takes a minute, and is another test's.
    monkeypatch.setattr(kgan.runs.hardening, "_finish", lambda trained, **_: 0)
    assert kgan.cli.main(words) == 0
    assert f"batches of {count}, as there are {count} samples" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_seed_gives_the_same_classifier(here, capsys):
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        arguments = ["--epochs", "1", "--shift", "1", "--seed", str(seed), "--name", name]
        assert main(arguments) == 0
        model = keras.models.load_model(here / "saved_models" / "classifiers" / f"{name}.keras")
        weights.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-5)
    assert np.abs(weights[0] - weights[2]).max() > 0.01


def test_stopped_and_resumed_it_ends_with_the_same_weights(here, capsys, monkeypatch):
    arguments = ["--epochs", "3", "--steps-per-epoch", "6", "--shift", "1", "--rotate", "5"]

    def press(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == 9:
            os.kill(os.getpid(), signal.SIGINT)

    assert main([*arguments, "--name", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_train_batch_end", press)
        assert main([*arguments, "--name", "stopped"]) == 130
    assert main([*arguments, "--name", "stopped", "--resume"]) == 0
    assert "resuming at step 9" in capsys.readouterr().out
    folder = here / "saved_models" / "classifiers"
    weights = [
        keras.models.load_model(folder / f"{name}.keras").get_weights()
        for name in ("whole", "stopped")
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # Its length shapes its learning rate from the first step on.
    assert main([*arguments, "--name", "stopped", "--resume", "--epochs", "9"]) == 2
    assert "epochs cannot change when a run is resumed" in capsys.readouterr().err


def test_rare_classes_are_weighed_adjusted_and_sampled(here, capsys, monkeypatch):
    """What the settings ask for reaches the loss and the batches; the file is a plain model."""
    digits = kgan.data.load("digits")
    few = np.concatenate([np.flatnonzero(digits.labels == 0)[:90],
                          np.flatnonzero(digits.labels == 1)[:30]])  # fmt: skip
    np.savez(here / "few.npz", images=digits.samples[few], labels=digits.labels[few])
    seen = {}

    def fit(model, recipe, data, steps, callbacks):
        seen["loss"] = model.loss.get_config()
        model.optimizer.build(model.trainable_variables)
        batches = recipe.feed(data).take(40).as_numpy_iterator()
        seen["share"] = np.mean([labels.mean() for _, labels in batches])
        return True

    monkeypatch.setattr(kgan.runs.training, "fit", fit)
    command = ["--data", "few.npz", "--batch-size", "10"]
    flags = ["--class-weights", "balanced", "--logit-adjustment", "1", "--sampling", "balanced"]
    assert main([*command, *flags]) == 0
    counts = np.array(seen["loss"]["counts"])
    np.testing.assert_allclose(seen["loss"]["weights"], 2 / counts / (1 / counts).sum())
    assert (seen["loss"]["adjustment"], seen["share"]) == (1.0, 0.5)
    model = keras.models.load_model(here / "saved_models" / "classifiers" / "few.keras")
    assert type(model.loss) is keras.losses.SparseCategoricalCrossentropy
    # With beta 0 an image counts as one, whatever its class.
    assert main([*command, "--sampling", "effective", "--effective-beta", "0"]) == 0
    assert seen["share"] == pytest.approx(0.25, abs=0.1)
    assert main([*command, "--effective-beta", "1"]) == 2
    assert "effective_beta must be in [0, 1), got 1.0" in capsys.readouterr().err


def test_a_file_has_a_tenth_held_out(here, capsys):
    data = kgan.data.load("digits")
    np.savez(here / "mine.npz", images=data.samples[:500], labels=data.labels[:500])
    assert main(["--data", "mine.npz", "--epochs", "1"]) == 0
    assert "(50 images)" in capsys.readouterr().out
    assert (here / "saved_models" / "classifiers" / "mine.keras").is_file()


def test_fakes_of_a_run_a_model_and_a_file_fill_the_classes(here, capsys, make_gan, monkeypatch):
    small = kgan.data.labelled_share(kgan.data.load("digits"), 0.1)
    np.savez(here / "small.npz", images=small.samples, labels=small.labels)
    gan = make_gan(num_classes=10)
    gan.save(here / "gan.keras")
    kgan.export.export(gan, here / "exported")
    fakes = kgan.data.fill(small, lambda n, labels, seed: gan.generate(n, labels, seed=seed),
                           per_class=60).take(np.arange(len(small), 600))  # fmt: skip
    np.savez(here / "fakes.npz", images=fakes.as_float(), labels=fakes.labels)
    command = ["--data", "small.npz", "--epochs", "1", "--rotate", "10", "--batch-size", "16"]
    for source in ("gan.keras", "exported", "fakes.npz"):
        assert main([*command, "--fakes", source, "--fakes-per-class", "30"]) == 0
        # A tenth of the small set is held out, and stays real.
        said = capsys.readouterr().out
        assert f"129 images and 171 fakes from {source}" in said
        assert "(14 images)" in said
        # Trained once: what follows differs in its data alone.
        monkeypatch.setattr(kgan.runs.training, "fit", lambda *_: True)
    assert main([*command, "--fakes", "gan.keras"]) == 0
    assert main([*command, "--fakes", "fakes.npz", "--fakes-per-class", "90"]) == 2
    assert "fakes.npz must hold at least" in capsys.readouterr().err
    assert main([*command, "--fakes-per-class", "90"]) == 2
    assert "must be left out without --fakes" in capsys.readouterr().err
    make_gan(num_classes=None).save(here / "unconditional.keras")
    assert main([*command, "--fakes", "unconditional.keras"]) == 2
    assert "need a generator of the 10 classes" in capsys.readouterr().err


def test_mistakes_are_told_with_exit_code_2(here, capsys):
    assert main(["minst"]) == 2
    assert "Did you mean 'mnist'?" in capsys.readouterr().err
    assert main(["--network", "vgg"]) == 2
    said = capsys.readouterr().err
    assert "network must be one of small_cnn, strided_cnn, lenet, resnet" in said
    assert main(["--data", "ring"]) == 2
    assert "images with labels" in capsys.readouterr().err
    for option in ("--learning-rate=-1", "--epochs=0", "--shift=-2"):
        assert main([option]) == 2
    assert not (here / "saved_models").exists()
