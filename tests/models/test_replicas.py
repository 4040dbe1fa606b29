"""One replica or two give the same training; a process each, as strategies do not share one."""

from pathlib import Path

import numpy as np
import pytest

from tests.models.replicas import CASES

SCRIPT = Path(__file__).with_name("replicas.py")


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_train_as_one(case, tmp_path, run_python):
    results = []
    for replicas in (1, 2):
        out = tmp_path / f"{replicas}.npz"
        run_python(SCRIPT, replicas, out, case)
        results.append(np.load(out))
    one, two = results
    assert set(one) == set(two)
    moved = max(np.abs(one[name]).max() for name in one)
    assert moved > 0.1
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=1e-6, rtol=1e-5, err_msg=name)
