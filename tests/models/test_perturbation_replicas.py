"""One replica or two train the same generator; a process each, as for the GAN."""

from pathlib import Path

import numpy as np
import pytest

from tests.models.perturbation_replicas import CASES

SCRIPT = Path(__file__).with_name("perturbation_replicas.py")


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_train_as_one(case, tmp_path, run_python):
    results = []
    for replicas in (1, 2):
        out = tmp_path / f"{replicas}.npz"
        run_python(SCRIPT, replicas, out, case)
        results.append(np.load(out))
    one, two = results
    assert set(one) == set(two)
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=2e-5, rtol=1e-4, err_msg=name)
