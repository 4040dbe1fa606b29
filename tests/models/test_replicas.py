"""One replica, two, or two workers train alike; in processes of their own."""

from pathlib import Path

import numpy as np
import pytest

from tests.models.replicas import CASES
from tests.workers import start_workers

SCRIPT = Path(__file__).with_name("replicas.py")


def assert_equal_training(path, other, case):
    one, two = np.load(path), np.load(other)
    assert set(one) == set(two)
    moved = max(np.abs(one[name]).max() for name in one)
    assert moved > 0.1
    for name in one:
        np.testing.assert_allclose(
            one[name], two[name], atol=1e-6, rtol=1e-5, err_msg=f"{case}: {name}"
        )


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow)
        if case in ("adam", "dragan", "packing")
        else case
        for case in CASES
    ],
)
def test_two_replicas_train_as_one(case, tmp_path, run_python):
    for replicas in (1, 2):
        run_python(SCRIPT, replicas, tmp_path / f"{replicas}.npz", case)
    assert_equal_training(tmp_path / "1.npz", tmp_path / "2.npz", case)


@pytest.mark.parametrize(
    "case",
    [
        "conditional",
        pytest.param("plain", marks=pytest.mark.slow),
        pytest.param("gradient_penalty", marks=pytest.mark.slow),
    ],
)
def test_two_workers_train_as_one(case, tmp_path, run_python):
    run_python(SCRIPT, 1, tmp_path / "1.npz", case)
    with start_workers([SCRIPT, 1], [[tmp_path / f"worker{i}.npz", case] for i in (0, 1)]) as pair:
        for process in pair:
            assert process.wait(timeout=240) == 0
    for worker in (0, 1):
        assert_equal_training(tmp_path / "1.npz", tmp_path / f"worker{worker}.npz", case)
