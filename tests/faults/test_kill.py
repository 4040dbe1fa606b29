"""SIGKILL at random moments: the end is the same to the bit, and nothing half-written is left."""

import os

import pytest

from tests.same_run import assert_same_run, assert_whole


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("preset", "rounds"), [("digits", 5), ("cyclegan", 3), ("pix2pix", 3), ("cut", 3)]
)
def test_killed_again_and_again(run_python, tmp_path, preset, rounds):
    said = run_python(
        *("-m", "tests.faults.kill_rounds", tmp_path, "--preset", preset),
        *("--rounds", rounds, "--epochs", 12),
        timeout=1800,
    )
    assert said.stdout.count("kill ") == rounds
    runs = tmp_path / "runs"
    names = sorted(path.name for path in runs.iterdir() if path.name != "whole")
    for name in names:
        assert_same_run(runs / "whole", runs / name)
    assert_whole(tmp_path)
    # Each exported once.
    exported = sorted(path.parent.name for path in tmp_path.glob("saved_models/*/*"))
    assert exported == [*names, "whole"]
