"""Two trainings that start together under one name are two runs, as if one came after the other."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.faults.conftest import TINY
from tests.same_run import assert_same_run, assert_whole


@pytest.mark.slow
def test_each_has_its_own_folder_seed_and_export(tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), *TINY]
    seeds = ("2", "3")
    together = [
        subprocess.Popen([*command, "--seed", seed, "--name", "run"], cwd=tmp_path, text=True)
        for seed in seeds
    ]
    assert [process.wait(timeout=600) for process in together] == [0, 0]
    assert_whole(tmp_path)
    for seed in seeds:
        alone = [*command, "--seed", seed, "--name", f"alone-{seed}", "--no-export"]
        subprocess.run(alone, cwd=tmp_path, check=True, timeout=600)
    found = {}
    for name in ("run", "run-2"):
        config = json.loads((tmp_path / "runs" / name / "config.json").read_text())
        found[str(config["config"]["seed"])] = config
        assert_same_run(
            tmp_path / "runs" / f"alone-{config['config']['seed']}", tmp_path / "runs" / name
        )
    assert set(found) == set(seeds)
    versions = list((tmp_path / "saved_models").glob("*/*"))
    manifests = [
        json.loads((one / "assets.extra" / "manifest.json").read_text()) for one in versions
    ]
    assert len({manifest["run"] for manifest in manifests}) == 2
    for manifest in manifests:
        (seed,) = (seed for seed, one in found.items() if one["id"] == manifest["run"])
        assert str(manifest["config"]["seed"]) == seed
