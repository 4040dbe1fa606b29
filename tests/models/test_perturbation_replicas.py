"""One replica or two train the same generator; a process each, as for the GAN."""

import pytest

from tests.models.perturbation_replicas import CASES
from tests.models.test_replicas import assert_equal_training


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_train_as_one(case, tmp_path, run_python):
    for replicas in (1, 2):
        out = tmp_path / f"{replicas}.npz"
        run_python("-m", "tests.models.perturbation_replicas", replicas, out, case)
    assert_equal_training(tmp_path / "1.npz", tmp_path / "2.npz", case)
