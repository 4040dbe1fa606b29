"""One replica, two, or two workers train alike; in processes of their own."""

import numpy as np
import pytest

from tests.models.equality import CASES
from tests.workers import start_workers

SCRIPT = ("-m", "tests.models.equality")
# A process of TensorFlow takes longer to start than these cases take.
FEW = ("clipping", "gradient penalty", "conditional", "dropout and noise", "any target")


def differences(folder, other, cases):
    """Prints, and returns, the largest difference of a weight in each case; all must have moved."""
    found = {}
    for case in cases:
        one, two = np.load(folder / f"{case}.npz"), np.load(other / f"{case}.npz")
        assert set(one) == set(two)
        weights = [name for name in one if name.startswith("weight ") and one[name].dtype != int]
        moved = max(np.abs(one[name][1] - one[name][0]).max() for name in weights)
        assert moved > 1e-4, case
        found[case] = max(np.abs(one[name] - two[name]).max() for name in weights)
        print(f"{case}: moved by {moved:.1g}, {other.name} differ by {found[case]:.1g}")
        for name in one:
            np.testing.assert_allclose(
                one[name], two[name], atol=1e-6, rtol=1e-5, err_msg=f"{case}: {name}"
            )
    return found


@pytest.mark.parametrize("cases", [FEW, pytest.param(CASES, marks=pytest.mark.slow)])
def test_replicas_and_workers_train_as_one(cases, tmp_path, run_python):
    one, two, *workers = (tmp_path / name for name in ("1", "2 replicas", "worker 0", "worker 1"))
    run_python(*SCRIPT, 1, one, *cases, timeout=900)
    run_python(*SCRIPT, 2, two, *cases, timeout=900)
    differences(one, two, cases)
    with start_workers([*SCRIPT, 1], [[worker, *cases] for worker in workers]) as processes:
        for process in processes:
            assert process.wait(timeout=900) == 0
    for worker in workers:
        differences(one, worker, cases)
