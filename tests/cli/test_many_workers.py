"""Training on two workers: the same result as on one, and nothing lost when one dies."""

import time

import numpy as np
import pytest

import kgan.models
from kgan.history import read_history
from tests.conftest import ROOT
from tests.workers import start_workers

ARGUMENTS = [
    *("--epochs", 3, "--steps-per-epoch", 30, "--batch-size", 16, "--evaluate-every", 30),
    *("--generator-width", 4, "--discriminator-width", 4, "--evaluate-samples", 100),
]
COMMAND = [ROOT / "train.py", *ARGUMENTS, "--strategy", "multi-worker", "--resume"]


def finish(processes, code=0):
    for process in processes:
        assert process.wait(timeout=280) == code


def assert_same_run(one, other):
    first, second = (
        kgan.models.load(folder / "checkpoints" / "last.keras").get_weights()
        for folder in (one, other)
    )
    for ours, theirs in zip(first, second, strict=True):
        # Adam divides small gradients by small ones.
        np.testing.assert_allclose(ours, theirs, atol=2e-4)
    tables = [read_history(folder / "metrics.csv") for folder in (one, other)]
    assert [row["step"] for row in tables[0]] == [row["step"] for row in tables[1]] == [30, 60, 90]
    for ours, theirs in zip(*tables, strict=True):
        assert ours["d_loss"] == pytest.approx(theirs["d_loss"], abs=1e-4)


@pytest.mark.slow
def test_two_workers_leave_the_run_of_one(run_python, tmp_path):
    run_python(ROOT / "train.py", *ARGUMENTS, "--name", "alone", cwd=tmp_path)
    with start_workers([*COMMAND, "--name", "pair"], cwd=tmp_path) as workers:
        finish(workers)
    assert_same_run(tmp_path / "runs" / "alone", tmp_path / "runs" / "pair")
    # Only the chief writes.
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"alone", "pair"}
    assert {path.name for path in (tmp_path / "saved_models" / "pair").iterdir()} == {"1"}


@pytest.mark.slow
def test_a_killed_worker_is_restarted_and_nothing_is_lost(run_python, tmp_path):
    run_python(ROOT / "train.py", *ARGUMENTS, "--name", "alone", cwd=tmp_path)
    command = [*COMMAND, "--name", "pair"]
    last = tmp_path / "runs" / "pair" / "checkpoints" / "last.keras"
    with start_workers(command, cwd=tmp_path) as (chief, worker):
        deadline = time.monotonic() + 200
        while not last.is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        worker.kill()
        # It must end, for the cluster to restart it, and not wait for ever.
        assert chief.wait(timeout=200) != 0
    done = int(kgan.models.load(last).step.numpy())
    assert done in (30, 60)
    with start_workers(command, cwd=tmp_path) as workers:
        finish(workers)
    assert_same_run(tmp_path / "runs" / "alone", tmp_path / "runs" / "pair")
