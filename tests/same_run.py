"""Whether two runs are the same to the bit, and whether a folder holds nothing half-written."""

import json

import numpy as np
from PIL import Image

import kgan.models
from kgan.callbacks import read_history


def states(path):
    """Every number in a checkpoint: weights, averages, step, both optimizers."""
    gan = kgan.models.load(path)
    variables = [*gan.variables, *gan.g_optimizer.variables, *gan.d_optimizer.variables]
    return [np.asarray(variable) for variable in variables]


def assert_same_run(one, other):
    """To the bit: all checkpoints, and the table but for its timing."""
    names = sorted(path.name for path in (one / "checkpoints").glob("*.keras"))
    assert "last.keras" in names
    assert names == sorted(path.name for path in (other / "checkpoints").glob("*.keras"))
    for name in names:
        first, second = (states(run / "checkpoints" / name) for run in (one, other))
        assert len(first) == len(second)
        for ours, theirs in zip(first, second, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    tables = [read_history(run / "metrics.csv") for run in (one, other)]
    timing = ("seconds", "samples_per_second")
    for ours, theirs in zip(*tables, strict=True):
        assert {k: v for k, v in ours.items() if k not in timing} == {
            k: v for k, v in theirs.items() if k not in timing
        }


def assert_whole(folder):
    """No file is half-written, none is left that was to be renamed."""
    assert not list(folder.rglob(".tmp-*"))
    for path in folder.rglob("*"):
        if path.suffix in (".png", ".gif"):
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".csv":
            text = path.read_text()
            assert text.endswith("\n")
            assert len({line.count(",") for line in text.splitlines()}) == 1
        elif path.suffix == ".keras":
            kgan.models.load(path)
