"""`kgan train table` and what the other commands do with what it leaves, on a tiny budget."""

import csv
import json
import os
import signal

import keras
import numpy as np
import pytest
from PIL import Image

import kgan.data
import kgan.kinds
import kgan.models
from kgan.callbacks import read_history
from kgan.cli import main
from kgan.data.table_files import write_csv
from kgan.evaluation import load_scores
from kgan.recipes import TableRecipe
from tests.models.people import people
from tests.same_run import states

pytest.importorskip("pandas")

TINY = ["--generator-width", "8", "--discriminator-width", "8", "--latent-dim", "6"]
TINY += ["--steps-per-epoch", "5", "--epochs", "2", "--batch-size", "20", "--packing", "2"]
TINY += ["--evaluate-every", "1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file, a whole run on it and its export. Not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    write_csv(people().samples, folder / "people.csv")
    places = ["--runs-dir", folder / "runs", "--export-dir", folder / "saved_models"]
    data = ["--data", folder / "people.csv", "--target", "sex"]
    assert main(["train", "table", *TINY, *map(str, data + places)]) == 0
    return folder


def test_a_run_leaves_pictures_and_scores(trained):
    run = trained / "runs" / "people"
    assert {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()} >= {
        "config.json",
        "metrics.csv",
        "losses.png",
        "quality.png",
        "samples/epoch-0002.png",
        "samples/animation.gif",
        "checkpoints/last.keras",
        "checkpoints/previous.keras",
        "checkpoints/best.keras",
    }
    rows = read_history(run / "metrics.csv")
    wanted = {"d_loss", "g_loss", "penalty", "condition_loss"}
    assert all(wanted | {"quality", "column_shapes", "pair_trends"} <= set(row) for row in rows)
    assert rows[-1]["quality"] == pytest.approx(
        (rows[-1]["column_shapes"] + rows[-1]["pair_trends"]) / 2
    )
    identity = json.loads((run / "config.json").read_text())
    assert (identity["family"], identity["preset"]) == ("table", "table")
    assert identity["data"]["count"] == 192  # Four fifths.


def test_the_columns_are_told_before_training(command):
    said = command("train", "table", *TINY, "--no-export", "--epochs", 1)
    assert "mean radius              number    6.981 to 28.11, 3 decimals" in said.stdout
    assert "diagnosis                category  2 values: 'benign', 'malignant'" in said.stdout
    assert "breast-cancer: 427 rows of 31 columns" in said.stdout


def test_stopped_and_resumed_is_bit_identical(trained, command, tmp_path, monkeypatch):
    class Stop(keras.callbacks.Callback):
        """Ctrl-C in the second epoch."""

        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 7:
                os.kill(os.getpid(), signal.SIGINT)

    data = ["--data", trained / "people.csv"]
    with monkeypatch.context() as patch:
        patch.setattr(TableRecipe, "doctor", lambda self, data, folder: [Stop()])
        said = command("train", "table", *TINY, *data, "--no-export", check=False)
    assert said.returncode == 130
    last = tmp_path / "runs" / "people" / "checkpoints" / "last.keras"
    assert int(kgan.models.load(last).step) == 7
    assert "resuming at step 7" in command("train", "--name", "people", "--resume").stdout
    whole = states(trained / "runs" / "people" / "checkpoints" / "last.keras")
    for one, other in zip(whole, states(last), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_conditions_on_modes_and_a_loss_of_the_target_resume_and_export(trained, command, tmp_path):
    own = [*TINY, "--data", trained / "people.csv", "--target", "sex"]
    own += ["--conditions", "modes", "--target-loss", 1]
    command("train", "table", *own, "--name", "whole")
    command("train", "table", *own, "--name", "part", "--epochs", 1, "--no-export")
    command("train", "--name", "part", "--resume", "--epochs", 2)
    last = [tmp_path / "runs" / name / "checkpoints" / "last.keras" for name in ("whole", "part")]
    for one, other in zip(*map(states, last), strict=True):
        np.testing.assert_array_equal(one, other)
    history = read_history(tmp_path / "runs" / "whole" / "metrics.csv")
    assert {"classifier_loss", "target_loss"} <= set(history[0])
    for source, out in (("runs/whole", "run.csv"), ("saved_models/whole", "export.csv")):
        command("sample", source, "--n", 9, "--where", "sex=male", "--out", out)
    assert (tmp_path / "run.csv").read_text() == (tmp_path / "export.csv").read_text()
    said = command("train", "--name", "part", "--resume", "--target", "level", check=False)
    assert "target" in said.stderr
    refused = command("train", "table", *own, "--epsilon", 3, "--model", "gan", check=False)
    assert refused.returncode == 2


@pytest.mark.slow
def test_killed_and_resumed_is_bit_identical(trained, command, run_python, tmp_path):
    script = """
import os, signal, sys
import kgan.callbacks, kgan.cli
def kill(self, batch, logs=None):
    if int(self.model.step.numpy()) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
kgan.callbacks.StopOnSignal.on_train_batch_end = kill
kgan.cli.main(["train", "table", *sys.argv[1:]])
"""
    own = [*TINY, "--data", str(trained / "people.csv"), "--no-export"]
    said = run_python("-c", script, *own, check=False, cwd=tmp_path)
    assert said.returncode == -signal.SIGKILL, said.stderr
    last = tmp_path / "runs" / "people" / "checkpoints" / "last.keras"
    assert int(kgan.models.load(last).step) == 5
    command("train", "table", *own, "--resume")
    whole = states(trained / "runs" / "people" / "checkpoints" / "last.keras")
    for one, other in zip(whole, states(last), strict=True):
        np.testing.assert_array_equal(one, other)


def test_samples_are_the_same_rows_from_every_source(trained, command, tmp_path):
    run = trained / "runs" / "people"
    gan = kgan.models.load(run / "checkpoints" / "best.keras")
    expected = gan.generate(70, seed=3)
    best = run / "checkpoints" / "best.keras"
    for source in (run, best, trained / "saved_models" / "people"):
        said = command("sample", source, "--n", 70, "--seed", 3)
        assert "70 samples in samples.csv" in said.stdout
        with open("samples.csv", newline="") as file:
            names, *lines = csv.reader(file)
        assert names == ["weight", "visits", "sex", "level"]
        columns = dict(zip(names, zip(*lines, strict=True), strict=True))
        np.testing.assert_array_equal(np.array(columns["weight"], np.float32), expected["weight"])
        assert [int(one) for one in columns["visits"]] == expected["visits"].tolist()
        assert list(columns["sex"]) == expected["sex"].tolist()
    command("sample", run, "--n", 70, "--seed", 3, "--out", "rows.parquet")
    again = kgan.data.load("rows.parquet", "all")
    np.testing.assert_array_equal(again.samples["weight"], expected["weight"])
    command("sample", run, "--n", 70, "--seed", 3, "--out", "rows.npz")
    with np.load("rows.npz", allow_pickle=False) as content:
        assert content["sex"].tolist() == expected["sex"].tolist()
    command("sample", run, "--out", "rows.png")
    with Image.open("rows.png") as picture:
        assert picture.size[0] > 400
    said = command("sample", run, "--out", "folder", check=False)
    assert "out must end in .csv or .parquet or .png or .npz for rows, got folder" in said.stderr
    # Real rows are drawn beside generated ones while the file is there.
    command("sample", best, "--out", "alone.png")
    assert (tmp_path / "alone.png").read_bytes() != (tmp_path / "rows.png").read_bytes()


def test_evaluation_has_a_floor_a_baseline_and_a_ceiling(trained, command, tmp_path):
    run = trained / "runs" / "people"
    said = command("evaluate", run, "--out", "there", "--seeds", 3)
    assert "independent" in said.stdout
    assert "copula" in said.stdout
    scores = {score.name: score for score in load_scores("there/scores.json")}
    assert list(scores) == [
        "quality",
        "column_shapes",
        "pair_trends",
        "undetected",
        "undetected_logistic",
        "closer_to_train",
        "membership_auc",
        "copies",
        "utility",
        "utility_logistic",
        "utility_auc",
        "utility_f1",
        "utility_auprc",
    ]
    for name, score in scores.items():
        assert set(score.baselines) == {
            "independent columns",
            "Gaussian copula",
            "copula by class",
        }
        assert all(0 <= value <= 1 for value in score.baselines.values())
        if name in ("closer_to_train", "membership_auc", "copies"):
            assert score.floor is None
        else:
            assert 0 <= score.value <= 1
            assert 0 < score.floor <= 1, name
    assert scores["utility_auc"].value < scores["utility_auc"].floor
    # The negative control has the columns and not the pairs, and tells nothing of sex.
    shuffled = {name: score.baselines["independent columns"] for name, score in scores.items()}
    assert shuffled["column_shapes"] > 0.9 > shuffled["pair_trends"]
    assert shuffled["utility_auc"] < 0.75 < scores["utility_auc"].floor
    page = (tmp_path / "there" / "report.html").read_text()
    for word in ("membership_auc", "Gaussian copula", "weight", "data:image/png;base64,"):
        assert word in page
    # Rows in a file are scored as those of a model, once it is said what they are like.
    command("sample", run, "--n", 60, "--out", "rows.parquet")
    (tmp_path / "real.csv").write_text((trained / "people.csv").read_text())
    command("evaluate", "rows.parquet", "--data", "real.csv", "--out", "rows", "--metrics",
            "table_quality")  # fmt: skip
    assert load_scores("rows/scores.json")[0].protocol.n_fake == 60
    (tmp_path / "bad.csv").write_text("weight,visits,sex\n1.0,2,male\n")
    said = command("evaluate", "bad.csv", "--data", "real.csv", check=False)
    assert "bad.csv must have the column 'level'" in said.stderr
    # Sex decides the weight, so classifiers that learnt on real rows tell it.
    assert scores["utility"].floor > 0.9
    assert scores["utility"].protocol.settings == {"target": "sex"}
    assert (tmp_path / "there" / "rows.png").is_file()
    said = command("evaluate", run, "--target", "weight", "--out", "x", check=False)
    assert "target must be a category, got 'weight' of the type number" in said.stderr
    said = command("evaluate", run, "--metrics", "sliced_wasserstein", check=False)
    assert "metric sliced_wasserstein needs images or points; leave it out" in said.stderr
    said = command("evaluate", run, "--columns", "sex=id", check=False)
    assert "columns must be left out without --data" in said.stderr
    said = command("evaluate", run, "--extractor", "lenet-digits", check=False)
    assert "extractor and layer must be left out for rows, got lenet-digits" in said.stderr


def test_an_export_tells_its_columns(trained):
    version = trained / "saved_models" / "people" / "1"
    manifest = json.loads((version / "assets.extra" / "manifest.json").read_text())
    assert (manifest["family"], manifest["kind"]["kind"]) == ("table", "table")
    gan = kgan.models.load(trained / "runs" / "people" / "checkpoints" / "best.keras")
    assert kgan.kinds.from_config(manifest["kind"]) == gan.kind
    assert {name: one["role"] for name, one in manifest["endpoints"].items()} == {
        "generate": "generate",
        "latents": "latents",
        "decode": "decode",
        "interpolate": "interpolate",
        "generate_where": "generate_where",
    }


def test_rows_are_asked_for_from_every_source_and_in_every_file(trained, command):
    run, where = trained / "runs" / "people", ["--where", "sex=male", "level=1"]
    found = []
    for source in (run, run / "checkpoints" / "best.keras", trained / "saved_models" / "people"):
        command("sample", source, "--n", 300, "--out", "rows.csv", *where)
        with open("rows.csv", newline="") as file:
            found.append(list(csv.DictReader(file)))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 300
    assert {(row["sex"], row["level"]) for row in found[0]} == {("male", "1")}
    for words, said in {
        ("sex=mail",): "one of the 2 categories of 'sex', got 'mail'. Did you mean 'male'",
        ("sxe=male",): "column of categories must be one of sex, level",
        ("weight=70",): "where must ask for a category, and 'weight' holds number values",
        ("sex",): "where must be COLUMN=CATEGORY, got 'sex'",
        ("sex=male", "sex=female"): "where must ask for one category of 'sex'",
    }.items():
        for source in (run, trained / "saved_models" / "people"):
            told = command("sample", source, "--where", *words, check=False)
            assert told.returncode == 2
            assert said in told.stderr or said.startswith("where must ask for a category")


def test_rows_are_scored_against_a_table_that_needs_a_declaration(trained, command, tmp_path):
    header, *lines = (trained / "people.csv").read_text().splitlines()
    ids = [f"u{number};{line.replace(',', ';')}" for number, line in enumerate(lines)]
    (tmp_path / "ids.csv").write_text("\n".join([f"id;{header.replace(',', ';')}", *ids]))
    given = ("evaluate", trained / "people.csv", "--data", "ids.csv", "--metrics", "table_quality")
    refused = command(*given, "--separator", ";", check=False)
    assert "Leave it out: --drop 'id'" in refused.stderr
    said = command(*given, "--separator", ";", "--drop", "id", "--seeds", 1, "--out", "scores")
    assert "column_shapes" in said.stdout
    # Rows may be written as the data are.
    lines = [line.replace(",", ";").replace(".", ",") for line in [header, *lines]]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    own = ["--data", "rows.csv", "--metrics", "table_quality", "--seeds", 1, "--out", "again"]
    said = command("evaluate", "rows.csv", *own, "--separator", ";", "--decimal", ",")
    assert "column_shapes" in said.stdout
    refused = command("evaluate", "rows.csv", *own[:1], trained / "people.csv", check=False)
    assert "separated by ';'. Say so, --separator ';'" in refused.stderr
    refused = command(*given[:2], "--data", "digits", "--drop", "id", check=False)
    assert "flags of tables must be left out for digits" in refused.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere.csv"], "no file nowhere.csv"),
        (["--data", "people.csv", "--drop", "wieght"], "Did you mean 'weight'"),
        (["--data", "people.csv", "--integer", "sex"], "column 'sex' of people.csv is declared"),
        (["--data", "people.csv", "--columns", "sex=numbr"], "Did you mean 'number'"),
        (["--data", "people.csv", "--columns", "sex"], "columns must be declared as NAME=KIND"),
        (["--data", "people.csv", "--encoding", "utf-9"], "encoding must be one that Python knows"),
        (["--data", "ids.csv"], "column 'id' of ids.csv is another text in each of its 240 rows"),
        (["--data", "people.csv", "--target", "sexx"], "column must be one of"),
        (["--data", "people.csv", "--target", "weight"], "target must be a category, got 'weight'"),
        (["--batch-size", 21], "packing must divide batch_size (21), got 2"),
        (["--data", "people.csv", "--held-out", 1.5], "held_out must be in [0, 1), got 1.5"),
        (["--batch-size", 500], "batch_size must be between 1 and the 427 samples"),
        (["--networks", "dens"], "networks must be one of dense, got 'dens'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(trained, command, tmp_path, options, message):
    text = (trained / "people.csv").read_text()
    (tmp_path / "people.csv").write_text(text)
    lines = text.splitlines()
    ids = [f"u{number},{line}" for number, line in enumerate(lines[1:])]
    (tmp_path / "ids.csv").write_text("\n".join([f"id,{lines[0]}", *ids]))
    said = command("train", "table", *TINY, *options, check=False)
    assert said.returncode == 2
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
