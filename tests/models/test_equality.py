"""One replica, two, or two workers train alike; in processes of their own."""

import numpy as np
import pytest

import kgan.models
from tests.models.equality import CASES
from tests.workers import start_workers

SCRIPT = ("-m", "tests.models.equality")
# What replicas must agree on in one step: labels, statistics of the batch, averages and a file;
# what is drawn and measured, in passes too that some steps skip, and the norm of all gradients
# together; and a pool of what all of them made.
FEW = ("conditional", "lazy", "cyclegan")


def differing(folder, other, cases):
    """The cases whose weights or logs differ, and a line for each case; all must have moved."""
    found = {}
    for case in cases:
        one, two = np.load(folder / f"{case}.npz"), np.load(other / f"{case}.npz")
        assert set(one) == set(two)
        weights = [name for name in one if name.startswith("weight ") and one[name].dtype != int]
        moved = max(np.abs(one[name][1] - one[name][0]).max() for name in weights)
        assert moved > 1e-4, case
        apart = max(np.abs(one[name] - two[name]).max() for name in weights)
        print(f"{case}: weights moved by {moved:.1g}; {other.name} differ by {apart:.1g}")
        for name in one:
            if not np.allclose(one[name], two[name], atol=1e-6, rtol=1e-5):
                found[case] = f"{name} differs by {np.abs(one[name] - two[name]).max():.1g}"
    return found


def assert_read_on_one(folder):
    """What several replicas saved is read here, on one."""
    saved = np.load(folder / "conditional.npz")
    for i, weight in enumerate(kgan.models.load(folder / "conditional.keras").get_weights()):
        np.testing.assert_array_equal(weight, saved[f"weight {i}"][1])


def test_two_replicas_train_as_one(tmp_path, run_python):
    cases = FEW
    for seed in (0, 1):  # What parts must do so for both; see below.
        folder = tmp_path / str(seed)
        folder.mkdir()
        run_python(*SCRIPT, "1+2", seed, folder, *cases)
        if "conditional" in cases:
            assert_read_on_one(folder / "2 replicas")
        parted = differing(folder / "1", folder / "2 replicas", cases)
        if not parted:
            break
        print(parted)
        cases = tuple(parted)
    assert not parted, parted


@pytest.mark.slow
def test_replicas_and_workers_train_as_one(tmp_path, run_python):
    cases = CASES
    # An activation may lie so near its kink that rounding chooses the side, and the runs part; so
    # do two of one replica whose weights differ by 1e-7. That does not happen for two seeds.
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        one, two, *workers = (folder / name for name in ("1", "2 replicas", "worker 0", "worker 1"))
        run_python(*SCRIPT, 1, seed, one, *cases, timeout=900)
        run_python(*SCRIPT, 2, seed, two, *cases, timeout=900)
        own = [[seed, worker, *cases] for worker in workers]
        with start_workers([*SCRIPT, 1], own) as processes:
            for process in processes:
                assert process.wait(timeout=900) == 0
        parted = {}
        for other in (two, *workers):
            parted |= differing(one, other, cases)
        assert_read_on_one(two)
        if not parted:
            break
        print(parted)
        cases = ("conditional", *(case for case in parted if case != "conditional"))
    assert not parted, parted
