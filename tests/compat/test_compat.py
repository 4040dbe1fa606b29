"""What version 0.1.0 left behind is still read, goes on and gives the same; see make.py.

Bits are compared only where what computed them (`make.platform`) is what computes now: another
processor, or another number of its cores, rounds differently. Everywhere else weights and outputs
are close.
"""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import keras
import numpy as np
import pytest

from kgan.cli import main
from tests.compat import make
from tests.conftest import ROOT, slow_but

EXPECTED = json.loads((make.FILES / "expected.json").read_text())
# An epoch more, from the state of another processor, stays within 2e-6.
TOLERANCE = {"half": 1e-3}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A copy of the files, in the present folder."""
    shutil.copytree(make.FILES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module")
def arrays():
    with np.load(make.FILES / "expected.npz") as content:
        return dict(content)


def close(found, wanted, name=""):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=TOLERANCE.get(name, 1e-5))


def check_weights(path, name, arrays):
    """The weights are those of the run after one epoch more."""
    found = make.states(path)
    close(found["weights"], arrays[f"weights of {name}"], name)
    if make.platform() == EXPECTED["platform"]:
        assert make.digest(found) == EXPECTED["resumed"][name]


def table_of(path):
    # Columns that came with a later version are empty in earlier rows.
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: float(value) for key, value in row.items() if value} for row in rows]


def scores(path):
    return {row["name"]: row for row in json.loads(path.read_text())["scores"]}


@pytest.mark.parametrize("name", make.RUNS)
def test_a_run_samples_and_goes_on(name, arrays, capsys):
    run = Path("runs", name)
    close(make.samples(run), arrays[f"samples of {name}"], name)
    # Nothing but the name says what the run is like: all else is in its folder.
    assert main(["train", "--resume", "--name", name, "--epochs", "3", "--no-export"]) == 0
    assert "resuming at step 6" in capsys.readouterr().out
    check_weights(run / "checkpoints" / "last.keras", name, arrays)
    kept, table = (table_of(folder / "metrics.csv") for folder in (make.FILES / run, run))
    assert table[:-1] == kept
    assert (table[-1]["epoch"], table[-1]["step"]) == (3, 9)


@pytest.mark.parametrize("name", slow_but(make.RUNS, "digits"))
def test_a_run_that_never_stopped_has_the_same_weights(name, arrays):
    # What the preset of points has had since is what its run of then had not.
    before = {"ring": ["--networks", "mlp", "--n-critic", 1, "--beta-1", 0.5]}
    more = ["--no-export", "--runs-dir", "anew", *before.get(name, ())]
    make.train(name, "--epochs", make.EPOCHS + 1, *more)
    check_weights(Path("anew", name, "checkpoints", "last.keras"), name, arrays)


@pytest.mark.parametrize("name", make.SCORED)
def test_a_run_is_scored_as_it_was(name):
    kept = scores(Path("runs", name, "scores.json"))
    make.command("evaluate", f"runs/{name}", *make.SCORES)
    found = scores(Path("runs", name, "scores.json"))
    assert set(found) == set(kept)
    for key, score in found.items():
        assert score["value"] == pytest.approx(kept[key]["value"], rel=1e-3)
        assert score["protocol"] == kept[key]["protocol"]


def test_kept_scores_are_compared(capsys):
    folders = [Path("runs", name) for name in make.SCORED]
    before = [(folder / "scores.json").stat().st_mtime_ns for folder in folders]
    make.command("evaluate", "--compare", *folders)
    assert "difference" in capsys.readouterr().out
    assert [(folder / "scores.json").stat().st_mtime_ns for folder in folders] == before


@pytest.mark.parametrize("name", slow_but(make.RUNS, "best"))
def test_a_run_is_exported(name, arrays):
    make.command("export", f"runs/{name}", "--out", "exported")
    close(make.samples(f"exported/{name}"), arrays[f"samples of {name}"], name)


def test_an_export_answers(arrays):
    close(make.served(), arrays["served"])
    close(make.samples("saved_models/digits"), arrays["samples of digits"])


def test_an_export_is_served(arrays):
    code = "import sys; from kgan.cli import main; sys.exit(main(sys.argv[1:]))"
    options = ["--port", "0", "--grpc-port", "None"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "saved_models/digits", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        body = json.dumps({"inputs": {"seeds": make.SEEDS, "labels": make.LABELS}}).encode()
        url = re.search(r"REST +(http://\S+:predict)", said)[1]
        with urllib.request.urlopen(url, body, timeout=120) as reply:
            close(json.load(reply)["outputs"], arrays["served"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def test_an_attack_goes_on_with_what_it_learnt(capsys):
    report = Path("runs/attack-small/report.json")
    before = make.rows(report)
    report.unlink()
    assert main(["attack", "--resume", "--name", "small"]) == 0
    # The network of AdvGAN is the kept one.
    assert "fitting" not in capsys.readouterr().out
    assert make.rows(report) == before


def test_an_advgan_attacks_and_goes_on_learning(arrays):
    close(make.perturbed(), arrays["perturbed"])
    (path,) = Path("runs/attack-small").glob("advgan-*.keras")
    attack = make.kgan.attacks.AdvGAN.load(path)
    model = keras.models.load_model(make.CLASSIFIERS / "small.keras")
    history = attack.fit(model, *make.four(), epochs=1).history
    assert np.isfinite(history["g_loss"]).all()
    assert int(attack.network.step.numpy()) == 41


def test_a_hardened_classifier_is_attacked(arrays):
    close(make.logits("small"), arrays["logits of small"])
    close(make.logits("small-fast"), arrays["logits of small-fast"])
    assert make.attack_hardened() == EXPECTED["hardened"]


@pytest.mark.slow
def test_a_classifier_is_hardened_again():
    make.command(*make.HARDEN)
    folders = (Path("runs/harden-small-fast"), Path("runs/harden-small-fast-2"))
    kept, found = (json.loads((path / "robustness.json").read_text())["table"] for path in folders)
    assert {row: found["before"][row] for row in kept["before"]} == kept["before"]
    # Its dropout is drawn anew each time.
    assert set(kept["after"]) <= set(found["after"])


def test_layers_of_networks_of_ones_own(arrays):
    close(make.of_layers(), arrays["of layers"])


def test_names_in_files_are_known():
    assert set(EXPECTED["registered"]) <= set(make.registered())
