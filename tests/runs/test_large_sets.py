"""No command takes a set on disk into memory as a whole, and none makes floats of all of it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kgan.data.folder
import kgan.data.stored
import kgan.metrics.feature_extractor
import kgan.metrics.sample_set
import kgan.metrics.spectrum
import kgan.models
import kgan.portions
import kgan.recipes.latent
from kgan.cli import main
from kgan.decoding.array_file import ArrayFile
from tests.conftest import ROOT

MAIN = "import sys, kgan.cli; sys.exit(kgan.cli.main())"
COUNT, MOST = 128, 40
SIZE = ["--image-size", "8"]
TINY = ["--generator-width", "4", "--discriminator-width", "4", "--latent-dim", "4"]


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for number in range(COUNT):
        path = tmp_path / "set" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(path)
    return tmp_path / "set"


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Sets are on disk; the numbers of rows that were read at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kgan.data.folder, "FEW_FILE_BYTES", 0)
    monkeypatch.setattr(kgan.data.stored, "IN_MEMORY", 0)
    # What is bounded in bytes is bounded in fewer.
    monkeypatch.setattr(kgan.portions, "_BYTES", 20 * 8 * 8 * 3)
    monkeypatch.setattr(kgan.metrics.feature_extractor, "_BATCH", 20)
    monkeypatch.setattr(kgan.metrics.sample_set, "_MOST_VALUES", 0)
    # The function of that name hides its module.
    module = sys.modules["kgan.metrics.sliced_wasserstein"]
    monkeypatch.setattr(module, "VALUES", 20 * 8 * 8 * 3)
    monkeypatch.setattr(kgan.metrics.spectrum, "_VALUES", 20 * 8 * 8 * 3)
    monkeypatch.setattr(kgan.evaluation.score_pictures, "_VALUES", 20 * 8 * 8 * 3)
    monkeypatch.setattr(kgan.recipes.latent, "_REFERENCE", 20)
    found, whole = [], ArrayFile.read

    def counted(self, rows):
        found.append(len(rows))
        assert len(rows) <= MOST, "too much came into memory"
        return whole(self, rows)

    monkeypatch.setattr(ArrayFile, "read", counted)
    return found


def test_training_sampling_and_scores_read_portions(folder, read, tmp_path):
    data = ["--data", str(folder), *SIZE]
    arguments = ["train", *data, "--name", "own", "--epochs", "1", "--batch-size", "16", *TINY]
    arguments += ["--steps-per-epoch", "8"]
    assert main([*arguments, "--no-doctor", "--no-export", "--evaluate-every", "4"]) == 0
    assert max(read) == 20
    metrics = ["--metrics", "sliced_wasserstein", "spectrum", "fid", "authenticity"]
    scores = [*metrics, "--n", "20", "--seeds", "1", "--extractor", "discriminator"]
    assert main(["evaluate", "runs/own", *scores]) == 0


@pytest.mark.slow
def test_a_classifier_reads_portions(folder, read):
    data = ["--data", str(folder), *SIZE, "--name", "own"]
    arguments = ["train-classifier", *data, "--epochs", "1", "--width", "4", "--batch-size", "16"]
    assert main(arguments) == 0
    assert max(read) <= 20


@pytest.mark.slow
def test_a_run_killed_while_it_prepares_and_trains_ends_as_an_undisturbed_one(tmp_path):
    count = int(os.environ.get("KGAN_TEST_IMAGES", "3000"))
    files = Path(os.environ["KGAN_TEST_FOLDER"]) if "KGAN_TEST_FOLDER" in os.environ else None
    if files is None:
        files = tmp_path / "set"
        files.mkdir()
        random = np.random.default_rng(0)
        for number in range(count):
            values = random.integers(0, 256, (64, 64, 3)).astype(np.uint8)
            Image.fromarray(values).save(files / f"{number}.jpg")
    command = [
        *("train", "--data", str(files), "--image-size", "256" if count > 3000 else "96"),
        *("--networks", "dcgan", "--batch-size", "4", "--epochs", "4", "--steps-per-epoch", "8"),
        *(*TINY, "--no-doctor", "--no-export", "--no-conditional"),
    ]

    def start(name, cache, *more):
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *command, "--name", name, *more],
            cwd=tmp_path,
            env={**os.environ, "KGAN_CACHE": str(cache), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )

    def until(there, seconds=900):
        deadline = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    cache = tmp_path / "cache"
    first = start("killed", cache)
    # Once some of the work is on the disk.
    until(lambda: any(path.stat().st_size > 100 for path in cache.glob("sets/*/journal.jsonl")))
    first.send_signal(signal.SIGKILL)
    first.wait()
    [journal] = cache.glob("sets/*/journal.jsonl")
    lines = len(journal.read_text().splitlines())
    assert lines > 1
    second = start("killed", cache)
    table = tmp_path / "runs" / "killed" / "checkpoints" / "last.keras"
    until(table.is_file)
    second.send_signal(signal.SIGKILL)
    second.wait()
    assert start("killed", cache, "--resume").wait() == 0
    other = tmp_path / "other" if files.parent == tmp_path else cache
    assert start("undisturbed", other).wait() == 0
    weights = [
        kgan.models.load(tmp_path / "runs" / name / "checkpoints" / "last.keras").get_weights()
        for name in ("killed", "undisturbed")
    ]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    shutil.rmtree(cache)
