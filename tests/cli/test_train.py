"""The train command on a tiny budget; in a process of its own where that matters."""

import dataclasses
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import kgan.cli
import kgan.models
from kgan.callbacks import StopOnSignal, read_history
from tests.conftest import ROOT
from tests.same_run import assert_same_run, states

TINY = ["--generator-width", "4", "--discriminator-width", "4"]
TINY += ["--steps-per-epoch", "8", "--batch-size", "16"]


@pytest.fixture
def train(command):
    """`kgan train` in this process."""
    return functools.partial(command, "train")


def test_a_run_leaves_what_the_readme_says(train, run_python, tmp_path):
    said = run_python(ROOT / "train.py", "--epochs", 2, *TINY, cwd=tmp_path)
    assert said.stderr == ""
    assert "epoch 2/2" in said.stdout
    assert "runs/digits" in said.stdout
    assert "saved_models/digits/1" in said.stdout
    run = tmp_path / "runs" / "digits"
    assert {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()} == {
        "config.json",
        "metrics.csv",
        "losses.png",
        "probabilities.png",
        "samples/epoch-0001.png",
        "samples/epoch-0002.png",
        "samples/animation.gif",
        "checkpoints/last.keras",
        "checkpoints/previous.keras",
        "checkpoints/best.keras",
    }
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["generator_width"] == 4
    assert set(config["versions"]) == {"tensorflow", "keras", "numpy", "kgan"}
    assert len(read_history(run / "metrics.csv")) == 2
    assert (tmp_path / "saved_models" / "digits" / "1" / "saved_model.pb").is_file()
    # A second run keeps the first one.
    train("--epochs", 1, "--no-export", *TINY)
    assert (tmp_path / "runs" / "digits-2").is_dir()
    assert not (tmp_path / "saved_models" / "digits" / "2").exists()


# The best state by a score that is taken in every other epoch, and counted across the break.
BROKEN_OFF = ["--epochs", "4", "--no-export", *TINY, "--steps-per-execution", "2"]
BROKEN_OFF += ["--evaluate-every", "16", "--evaluate-samples", "100", "--patience", "9"]


def test_a_damaged_checkpoint_is_told_and_passed_over(train, whole, tmp_path):
    """The one before it leads to the same end."""
    shutil.copytree(whole.parent, tmp_path / "runs")
    run = tmp_path / "runs" / "whole"
    last = run / "checkpoints" / "last.keras"
    last.write_bytes(last.read_bytes()[:-1000])
    (run / "checkpoints" / ".tmp-left-last.keras").write_bytes(b"left")
    with open(run / "metrics.csv", "a") as table:
        table.write("4,3")
    said = train("--resume", "--name", "whole")
    told = "last.keras is damaged"
    assert told in said.stderr
    assert "the run went on from previous.keras, of step 24" in said.stderr.splitlines()[-1]
    assert_same_run(whole, run)
    assert not list(run.rglob(".tmp-*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nothing broke off."""
    runs = tmp_path_factory.mktemp("whole")
    assert kgan.cli.main(["train", *BROKEN_OFF, "--runs-dir", str(runs), "--name", "whole"]) == 0
    return runs / "whole"


def test_a_start_as_an_autoencoder_is_made_once(train, tmp_path):
    words = ["--autoencoder-steps", 3, "--sampling", "balanced", "--no-export", *TINY]
    said = train(*words, "--epochs", 2, "--name", "at-once")
    assert "starting as an autoencoder of 3 steps: mean squared error" in said.stdout
    train(*words, "--epochs", 1, "--name", "in-two")
    said = train(*words, "--epochs", 2, "--name", "in-two", "--resume")
    assert "autoencoder" not in said.stdout
    assert_same_run(tmp_path / "runs" / "at-once", tmp_path / "runs" / "in-two")


def test_killed_and_resumed_is_bit_identical(train, whole, run_python, tmp_path):
    script = """
import os, signal, sys
import kgan.callbacks, kgan.cli
def kill(self, batch, logs=None):
    if int(self.model.step.numpy()) == 20:
        os.kill(os.getpid(), signal.SIGKILL)
kgan.callbacks.StopOnSignal.on_train_batch_end = kill
kgan.cli.main(["train", *sys.argv[1:]])
"""
    said = run_python("-c", script, *BROKEN_OFF, "--name", "killed", check=False, cwd=tmp_path)
    assert said.returncode == -signal.SIGKILL, said.stderr
    killed = tmp_path / "runs" / "killed"
    # Some way into the third epoch.
    assert int(kgan.models.load(killed / "checkpoints" / "last.keras").step.numpy()) == 16
    train(*BROKEN_OFF, "--name", "killed", "--resume")
    assert_same_run(whole, killed)


def test_ctrl_c_saves_inside_an_epoch_and_resume_is_bit_identical(
    train, whole, tmp_path, monkeypatch
):
    def press(self, batch, logs=None):
        if int(self.model.step.numpy()) == 10:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_train_batch_end", press)
        said = train(*BROKEN_OFF, "--name", "stopped", check=False)
    assert said.returncode == 130, said
    assert "continue with the same command and --resume" in said.stdout
    stopped = tmp_path / "runs" / "stopped"
    assert int(kgan.models.load(stopped / "checkpoints" / "last.keras").step.numpy()) == 10
    train(*BROKEN_OFF, "--name", "stopped", "--resume")
    last = [states(run / "checkpoints" / "last.keras") for run in (whole, stopped)]
    for one, other in zip(*last, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_is_bit_identical(train, tmp_path):
    arguments = ["wgan-gp", "--epochs", "4", "--no-export", *TINY[:4], "--steps-per-epoch", "60"]
    arguments += ["--batch-size", "8", "--n-critic", "2", "--spectral", "--minibatch-stddev"]
    # The best state by a score that is taken in every other epoch, and counted across the kill.
    arguments += ["--evaluate-every", "120", "--evaluate-samples", "200", "--patience", "9"]
    train(*arguments, "--name", "whole")
    process = subprocess.Popen(
        [sys.executable, ROOT / "train.py", *arguments, "--name", "killed"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    last = tmp_path / "runs" / "killed" / "checkpoints" / "last.keras"
    deadline = time.monotonic() + 600
    while not last.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    # Some way into the next epoch.
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = int(kgan.models.load(last).step.numpy())
    assert 0 < done < 240
    train(*arguments, "--name", "killed", "--resume")
    assert_same_run(tmp_path / "runs" / "whole", tmp_path / "runs" / "killed")


@pytest.mark.slow
def test_ctrl_c_at_any_moment_and_resume_is_bit_identical(train, tmp_path):
    arguments = ["--epochs", "2", "--no-export", *TINY[:4], "--steps-per-epoch", "500"]
    arguments += ["--batch-size", "8"]
    train(*arguments, "--name", "whole")
    process = subprocess.Popen(
        [sys.executable, "-u", ROOT / "train.py", *arguments, "--name", "stopped"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = tmp_path / "runs" / "stopped" / "checkpoints" / "last.keras"
    while not last.is_file():
        assert process.poll() is None
        time.sleep(0.02)
    # Into the second epoch, which takes a second or more.
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "continue with the same command and --resume" in said
    done = int(kgan.models.load(last).step.numpy())
    assert 500 <= done < 1000
    train(*arguments, "--name", "stopped", "--resume")
    first = states(tmp_path / "runs" / "whole" / "checkpoints" / "last.keras")
    for one, other in zip(first, states(last), strict=True):
        np.testing.assert_array_equal(one, other)


def test_resuming_refuses_another_configuration(train, tmp_path):
    train("--epochs", 1, "--no-export", *TINY)
    said = train("--epochs", 2, "--resume", *TINY[:-1], 32, check=False)
    assert said.returncode == 2
    told = "batch_size cannot change when a run is resumed: it was 16, got 32"
    assert f"ValueError: runs/digits: {told}" in said.stderr
    said = train("--epochs", 2, "--resume", "--no-export")
    assert "resuming at step 8" in said.stdout
    said = train("--resume", "--name", "never", check=False)
    assert said.returncode == 2
    assert "no run 'never' in runs to resume" in said.stderr


def test_a_folder_of_images_trains(train, tmp_path):
    random = np.random.default_rng(0)
    for index in range(20):
        shape = (*random.integers(20, 60, 2), 3)
        picture = Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))
        picture.save(tmp_path / f"{index}.{'png' if index % 2 else 'jpg'}")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    arguments = ["--data", ".", "--name", "mine", "--image-size", 16, "24", "--epochs", 1]
    with pytest.warns(UserWarning, match="skipped 1 unreadable of 21 files"):
        said = train(*arguments, *TINY)
    assert "20 images of 16x24x3, 1 unreadable (broken.jpg)" in said.stdout
    assert (tmp_path / "saved_models" / "mine" / "1").is_dir()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digitz",), "preset must be one of .* Did you mean 'digits'?"),
        (("--data", "nowhere.npz"), "FileNotFoundError: no file nowhere.npz"),
        (("--loss", "bce"), "loss must be one of"),
        (("--batch-size", "5000"), "batch_size must be between 1 and the 1442 samples of digits"),
        (("--networks", "unet"), "networks must be one of .*dcgan, .*got 'unet'"),
        (("--precision", "float8"), "precision must be one of"),
        (("--autoencoder-steps", 5, "--no-conditional"), "got 5: there are no classes"),
        (("stylegan2", "--data", "digits", "--autoencoder-steps", 5), "are mapped to styles"),
        (("progan", "--data", "digits", "--autoencoder-steps", 5), "begins with small images"),
        (("--autoencoder-steps", 5, "--init-from", "x"), "both say what the training starts"),
        (("--epochs", "many"), "many"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(train, arguments, message, tmp_path):
    import re

    said = train(*arguments, check=False)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    assert re.search(message, said.stderr)
    assert not (tmp_path / "runs").exists()


def test_debug_shows_the_traceback(train):
    with pytest.raises(ValueError, match="loss must be one of"):
        train("--loss", "bce", "--debug")


def test_diverging_training_says_what_to_try(train, tmp_path):
    said = train(
        "--loss", "wasserstein", "--d-learning-rate", "1e30", "--epochs", 3, *TINY, check=False
    )
    assert said.returncode == 2
    assert "is not finite; checkpoints of before stay. Try a lower learning" in said.stderr
    assert not (tmp_path / "saved_models").exists()


def test_help_names_every_field_without_tensorflow(run_python):
    script = "import sys; from kgan.cli import main\ntry: main(['train', '--help'])\n"
    script += "finally: assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    said = run_python("-c", script)

    from kgan.settings import GANSettings

    for field in dataclasses.fields(GANSettings):
        assert f"--{field.name.replace('_', '-')}" in said.stdout


@pytest.mark.slow
def test_a_training_starts_from_a_run_a_file_or_an_export(train, tmp_path):
    train("digits", "--epochs", 1, *TINY, "--no-doctor", "--name", "first")
    more = ("digits", "--epochs", 1, *TINY, "--no-doctor", "--no-export", "--name", "next")
    sources = ("runs/first", "runs/first/checkpoints/last.keras", "saved_models/first")
    for number, source in enumerate(sources, 1):
        said = train(*more, "--init-from", source, "--freeze-discriminator", 1)
        assert f"starting from {source}: " in said.stdout
        name = "next" if number == 1 else f"next-{number}"
        found = kgan.models.load(tmp_path / "runs" / name / "checkpoints" / "last.keras")
        first = kgan.models.load(tmp_path / "runs/first/checkpoints/last.keras")
        frozen, trained = (
            [np.array_equal(*pair) for pair in zip(*weights, strict=True)]
            for weights in (
                [one.discriminator.layers[1].get_weights() for one in (found, first)],
                [one.discriminator.layers[-2].get_weights() for one in (found, first)],
            )
        )
        assert all(frozen)
        assert not all(trained)
        assert int(found.step.numpy()) == 8
    # What images of one's own are trained with follows the run, also in the size of its images.
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(20):
        pixels = np.full((20, 20, 3), 12 * number, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    own = ("--data", folder, "--epochs", 1, *TINY, "--no-doctor", "--no-export", "--name", "own")
    said = train(*own, "--init-from", "runs/first", "--freeze-discriminator", 2)
    assert "auto goes on from runs/first" in said.stdout
    assert "starting from runs/first: " in said.stdout
    said = train(*more, "--init-from", "nowhere", check=False)
    assert said.returncode == 2
    assert "init_from must be a run folder, a .keras file or an exported model" in said.stderr


def test_what_could_fail_at_the_end_is_told_before_the_work(train, tmp_path):
    (tmp_path / "saved_models").write_text("in the way")
    said = train("digits", *TINY, check=False)
    assert said.returncode == 2
    assert "export_dir must be a folder" in said.stderr
    assert not (tmp_path / "runs").exists()
