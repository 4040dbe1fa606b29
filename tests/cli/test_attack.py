import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import keras
import numpy as np
import pytest
from PIL import Image

import kgan.cli
import kgan.cli.attack
import kgan.data
from kgan.attacks import ATTACKS, AdvGAN
from kgan.models import PerturbationGAN
from kgan.robustness.report import Report
from kgan.settings import AttackSettings
from tests import model_server
from tests.attacks.test_black_boxes import write_onnx

ROOT = Path(__file__).parents[2]


def main(arguments):
    return kgan.cli.main(["attack", *arguments])


def command(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "attack.py"), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A weak digits classifier with a softmax head, as a user may have it, and its test images."""
    folder = tmp_path_factory.mktemp("files")
    train, test = kgan.data.load("digits"), kgan.data.load("digits", "test")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(train.as_float(), train.labels, epochs=8, batch_size=32, verbose=0)
    model.save(folder / "mine.keras")
    np.savez(folder / "mine.npz", x_test=test.samples[:200], y_test=test.labels[:200])
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mine(files, *more):
    return ["--model", f"{files}/mine.keras", "--data", f"{files}/mine.npz", *map(str, more)]


def test_a_report_of_a_model_of_ones_own_and_exit_code_1_below_the_threshold(files, here):
    arguments = ["--attack", "noise", "fgsm", "pgd:steps=4", "--epsilon", "8/255", "0.2"]
    arguments += ["--n", 60, "--min-robust", 0.8, "--junit", "junit.xml"]
    process = command(*mine(files, *arguments), cwd=here)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "is below the 80.0% asked for" in said
    assert re.search(r"PGD +│ +0.03137 ", said)
    assert "softmax probabilities; logits are taken from before the activation" in said
    assert "labels are class numbers" in said
    folder = here / "runs" / "attack-mine"
    report = Report.load(folder / "report.json")
    assert report.n == 60
    assert report.epsilons == pytest.approx([8 / 255, 0.2])
    assert report.attacks["PGD"]["steps"] == 4
    assert [row.attack for row in report.rows] == 2 * ["RandomNoise"] + 2 * ["FGSM"] + 2 * ["PGD"]
    assert report.lowest < 0.2 < 0.8 < report.clean.robust_accuracy
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4  # The curves, and three attacks' examples.
    assert "src=" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    for picture in ("curves.png", "examples-pgd.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "config.json").read_text())["config"]["n"] == 60
    facts = report.provenance
    assert facts["model SHA-256"] == hashlib.sha256((files / "mine.keras").read_bytes()).hexdigest()
    assert facts["images"] == "60, drawn by seed 0"
    assert facts["split"] == "test"
    assert not any("no splits" in text for text in report.assumptions)
    assert "--min-robust 0.8" in facts["command"]
    assert not report.verdict.passed
    assert "failed: the lowest robust accuracy" in page
    assert "failed: the lowest robust accuracy" in (folder / "summary.md").read_text()
    suite = ElementTree.parse(here / "junit.xml").getroot()
    # Clean, two radii of three attacks, two worst cases; all fail that are below 80%.
    low = [row for row in [*report.rows, *report.worst_case] if row.robust_accuracy < 0.8]
    assert suite.get("tests") == "9"
    assert suite.get("failures") == str(len(suite.findall(".//failure"))) == str(len(low))


def test_corruptions_and_sarif_of_a_command(files, here, capsys):
    arguments = ["--attack", "fgsm", "--epsilon", "0.1", "--n", 20, "--corruptions"]
    arguments += ["--baseline", f"{files}/mine.keras", "--sarif", "out.sarif"]
    assert main(mine(files, *arguments)) == 0
    report = Report.load(here / "runs" / "attack-mine" / "report.json")
    found = report.corruptions
    assert len(found.rows) == 75
    assert found.clean == report.clean.robust_accuracy
    # Its own baseline, by its file: networks' names are alike.
    assert report.corruptions.baseline.startswith(f"{files}/mine.keras (")
    assert found.mce == pytest.approx(1.0)
    said = capsys.readouterr().out
    assert f"{found.mean_accuracy:.1%} on average" in said
    assert "Common corruptions" in (here / "runs" / "attack-mine" / "report.html").read_text()
    results = json.loads((here / "out.sarif").read_text())["runs"][0]["results"]
    place = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == (files / "mine.keras").as_uri()
    assert main(mine(files, "--baseline", f"{files}/mine.keras")) == 2
    assert "without --corruptions" in capsys.readouterr().err


def test_exit_code_0_without_or_above_the_threshold(files, here, capsys):
    arguments = mine(files, "--attack", "fgsm", "--epsilon", 0.001, "--n", 30)
    assert main(arguments) == 0
    assert main([*arguments, "--min-robust", "0.5"]) == 0
    # Each run has a folder of its own.
    assert (here / "runs" / "attack-mine-2" / "report.json").is_file()


def test_a_model_of_another_range_is_stopped_until_it_is_declared(files, here, capsys):
    inner = keras.models.load_model(files / "mine.keras")
    scale = keras.layers.Rescaling(1 / 255)
    keras.Sequential([keras.Input((8, 8, 1)), scale, inner]).save(here / "wide.keras")
    arguments = ["--model", "wide.keras", "--data", f"{files}/mine.npz", "--attack", "fgsm"]
    arguments += ["--epsilon", "0.05", "--n", "60"]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "your model seems to take 0..255" in said
    assert "--input-range 0 255" in said
    # Before a run folder is made.
    assert not (here / "runs").exists()
    assert main([*arguments, "--input-range", "0", "255", "--head", "softmax"]) == 0
    assert main([*arguments, "--mean", "0", "--std", str(1 / 255)]) == 0
    plain = mine(files, "--attack", "fgsm", "--epsilon", "0.05", "--n", "60")
    assert main(plain) == 0
    one, other, last = (
        Report.load(here / "runs" / name / "report.json")
        for name in ("attack-wide", "attack-wide-2", "attack-mine")
    )
    for report in (one, other):
        assert [row[:3] for row in figures(report)] == [row[:3] for row in figures(last)]
    assert any("[0, 255]" in text for text in one.assumptions)


def figures(report):
    rows = [report.clean, *report.rows, *report.worst_case]
    return [(row.attack, row.epsilon, row.robust_accuracy, row.changes) for row in rows]


def test_broken_off_and_resumed_it_ends_as_if_it_had_not_been(files, here, capsys, monkeypatch):
    class End(BaseException):
        """What no command handles."""

    def save(target, **arrays):
        if len(before) == 5:
            Path(target).write_bytes(b"half of it")
            raise End
        savez(target, **arrays)
        before.append(target)

    savez, before = np.savez, []
    arguments = mine(files, "--attack", "fgsm", "pgd:steps=3", "--epsilon", 0.05, 0.1)
    arguments += ["--batch-size", "8"]
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", save)
        with pytest.raises(End):
            main(arguments)
    parts = here / "runs" / "attack-mine" / "parts"
    before = {path: path.stat().st_mtime_ns for path in parts.glob("[!.]*.npz")}
    assert len(before) == 5
    assert not (parts.parent / "report.json").exists()
    assert main(["--resume", "--name", "mine"]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert main(arguments) == 0
    resumed, straight = (
        Report.load(here / "runs" / name / "report.json")
        for name in ("attack-mine", "attack-mine-2")
    )
    assert figures(resumed) == figures(straight)


@pytest.mark.slow
def test_killed_and_resumed_it_ends_as_if_it_had_not_been(files, here, capsys):
    arguments = mine(files, "--attack", "fgsm", "pgd:steps=3", "--epsilon", 0.05, 0.1)
    arguments += ["--batch-size", "4"]
    process = command(*arguments, cwd=here)
    parts = here / "runs" / "attack-mine" / "parts"
    try:
        deadline = time.monotonic() + 120
        while len(list(parts.glob("[!.]*.npz"))) < 5:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.kill()
        process.communicate()
    before = {path: path.stat().st_mtime_ns for path in parts.glob("[!.]*.npz")}
    assert 5 <= len(before) < 13 * 4  # 200 images in chunks of 16, four trials.
    assert not (parts.parent / "report.json").exists()
    assert main(["--resume", "--name", "mine"]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    resumed = Report.load(parts.parent / "report.json")
    assert main(arguments) == 0
    straight = Report.load(here / "runs" / "attack-mine-2" / "report.json")
    assert figures(resumed) == figures(straight)


@pytest.mark.slow
def test_the_default_victim_is_trained_once(here, capsys):
    arguments = ["--attack", "fgsm", "--epsilon", "0.1", "--n", "50"]
    assert main(arguments) == 0
    assert "training small_cnn" in capsys.readouterr().out
    saved = here / "saved_models" / "classifiers" / "digits.keras"
    assert saved.is_file()
    assert main(arguments) == 0
    assert "training" not in capsys.readouterr().out


def test_a_file_that_only_answers(files, here, capsys):
    """The same classifier as an ONNX file of (channels, height, width)."""
    pytest.importorskip("onnx")
    model = keras.models.load_model(files / "mine.keras")
    write_onnx(model, here / "mine.onnx", (1, 8, 8))
    data = ["--data", f"{files}/mine.npz", "--epsilon", "0.3", "--n", "30"]
    how = ["--data-format", "channels_first", "--output", "shares", *data]
    assert main(["mine.onnx", *how]) == 0
    said = capsys.readouterr().out
    assert "mine.onnx only answers: attacks that follow gradients cannot be run" in said
    report = Report.load(here / "runs" / "attack-mine" / "report.json")
    assert list(report.attacks) == ["RandomNoise", "Square"]
    digest = hashlib.sha256(b"mine.onnx\0" + (here / "mine.onnx").read_bytes()).hexdigest()
    assert report.provenance["model SHA-256"] == digest
    attack = ["--attack", "square:steps=1000"]
    assert main([f"{files}/mine.keras", *data, *attack]) == 0
    twin = Report.load(here / "runs" / "attack-mine-2" / "report.json")
    assert report.clean.robust_accuracy == twin.clean.robust_accuracy
    assert report.rows[1].robust_accuracy == pytest.approx(twin.rows[0].robust_accuracy, abs=0.07)
    capsys.readouterr()
    assert main(["mine.onnx", *how, "--attack", "pgd"]) == 2
    assert "PGD follows gradients, and mine shows scores alone" in capsys.readouterr().err


def test_another_criterion(files, here, capsys):
    some = ["--attack", "fgsm", "--epsilon", "0.1", "--n", "60"]
    for criterion in ("misclassification", "top-k:k=3", "confidence:least=0.8"):
        assert main(mine(files, *some, "--criterion", criterion)) == 0
    folders = [here / "runs" / name for name in ("attack-mine", "attack-mine-2", "attack-mine-3")]
    plain, top, sure = (Report.load(folder / "report.json") for folder in folders)
    assert plain.rows[0].robust_accuracy < top.rows[0].robust_accuracy
    assert plain.rows[0].robust_accuracy < sure.rows[0].robust_accuracy
    assert any("TopK(k=3)" in text for text in top.assumptions)
    assert main(mine(files, *some, "--criterion", "top-k:k=10")) == 2
    assert "k must be below the 10 classes" in capsys.readouterr().err


def test_norms_minimal_and_spatial_attacks(files, here, capsys):
    attacks = ["fgsm", "deepfool", "spatial", "ead:steps=5,search_steps=2"]
    arguments = mine(files, "--attack", *attacks, "--norm", "l2", "--epsilon", "0.5", "--n", 20)
    assert main(arguments) == 0
    report = Report.load(here / "runs" / "attack-mine" / "report.json")
    assert report.norm == "l2"
    assert [(row.attack, row.epsilon) for row in report.rows] == [
        ("FGSM", 0.5),
        ("DeepFool", 0.5),
        ("DeepFool", None),
        ("Spatial", None),
        ("ElasticNet", 0.5),
        ("ElasticNet", None),
    ]
    assert report.attacks["DeepFool"]["norm"] == "l2"


@pytest.mark.slow
def test_l1_and_8_bits_need_no_other_option(files, here, capsys):
    assert main(mine(files, "--norm", "l1", "--eight-bit", "--epsilon", 2, "--n", 20)) == 0
    folder = here / "runs" / "attack-mine"
    report = Report.load(folder / "report.json")
    assert list(report.attacks) == ["RandomNoise", "FGSM", "APGD", "Square"]
    assert all(settings["quantize"] for settings in report.attacks.values())
    # What the files hold is what the model said of them.
    model = keras.saving.load_model(files / "mine.keras")
    paths = sorted((folder / "examples-apgd").glob("*.png"))
    assert len(paths) == 8
    images = np.stack([np.asarray(Image.open(path)) for path in paths])[..., None] / 255
    predicted = model.predict(images.astype("float32"), verbose=0).argmax(axis=1)
    names = [re.fullmatch(r"\d-label-(\d)-said-(\d)", path.stem) for path in paths]
    assert [int(name[2]) for name in names if name] == predicted.tolist()
    fooled = [name[1] != name[2] for name in names if name]
    assert sum(fooled) >= 4


def test_examples_that_fool_only_as_floats_are_counted(files, here, capsys):
    assert main(mine(files, "--attack", "deepfool", "--epsilon", 1, "--norm", "l2", "--n", 40)) == 0
    folder = here / "runs" / "attack-mine"
    kept = [name.split("-") for name in os.listdir(folder / "examples-deepfool")]
    lost = sum(said.removesuffix(".png") == label for _, _, label, _, said in kept)
    assert 0 < lost < 8
    page = (folder / "report.html").read_text()
    assert f"({lost} fool only before rounding to 8 bits: --eight-bit)" in page


def test_images_off_the_grid_are_refused_before_a_run_begins(files, here, capsys):
    images = np.load(files / "mine.npz")
    np.savez(
        "off.npz", x_test=images["x_test"][:20] / np.float32(256), y_test=images["y_test"][:20]
    )
    arguments = ["--model", f"{files}/mine.keras", "--data", "off.npz", "--eight-bit"]
    assert main([*arguments, "--epsilon", "0.1"]) == 2
    assert "need clean images of 8 bits" in capsys.readouterr().err
    assert not (here / "runs").exists()


def bad(files, name, tmp_path):
    """Arguments with a mistake, and what is said about it."""
    small = tmp_path / "small.npz"
    np.savez(small, x_test=np.zeros((9, 4, 4), "uint8"), y_test=np.arange(9))
    classes = tmp_path / "classes.npz"
    np.savez(classes, x_test=np.zeros((20, 8, 8), "uint8"), y_test=np.arange(20))
    plain = tmp_path / "plain.npz"
    np.savez(plain, x_test=np.zeros((20, 8, 8), "uint8"))
    exported = tmp_path / "exported"
    exported.mkdir()
    (exported / "saved_model.pb").touch()
    return {
        "attack": (mine(files, "--attack", "pdg"), "Did you mean 'pgd'?"),
        "setting": (mine(files, "--attack", "pgd:step=3"), "got 'step=3'"),
        "value": (mine(files, "--attack", "advgan:kappa=abc"), "of --attack advgan:kappa=abc"),
        "epsilon": (mine(files, "--epsilon", "8"), "Did you mean 8/255?"),
        "model": (["--model", "no.keras", "--data", "digits"], "which is not there"),
        "exported": (["--model", str(exported), "--data", "digits"], "is no SavedModel"),
        "no data": (["--model", f"{files}/mine.keras"], "--data FILE.npz"),
        "shape": (
            ["--model", f"{files}/mine.keras", "--data", str(small)],
            "shape (None, 8, 8, 1)",
        ),
        "classes": (
            ["--model", f"{files}/mine.keras", "--data", str(classes)],
            "has 10 classes",
        ),
        "labels": (["--model", f"{files}/mine.keras", "--data", str(plain)], "with labels"),
        "nothing to resume": (["--resume", "--name", "none"], "no run 'attack-none'"),
    }[name]


MISTAKES = ("attack", "setting", "value", "epsilon", "nothing to resume")
MISFITS = ("model", "exported", "no data", "shape", "classes", "labels")


@pytest.mark.parametrize("name", MISTAKES + MISFITS)
def test_a_mistake_is_told_in_a_line_with_exit_code_2(files, here, capsys, name):
    arguments, said = bad(files, name, here)
    assert main(arguments) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert said in errors[0]
    assert len(errors) <= 2
    # Nothing half-done is left.
    assert not (here / "runs").exists()


def test_a_value_out_of_range_is_told_with_exit_code_2(files, here, capsys):
    assert main(mine(files, "--min-robust", "80")) == 2
    assert "share in [0, 1], got 80" in capsys.readouterr().err


def test_help_does_not_wait_for_tensorflow():
    code = (
        "import sys; from kgan.cli import main\n"
        "try: main(['attack', '--help'])\n"
        "except SystemExit: print('tensorflow' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "--min-robust" in done.stdout
    names = set(re.findall(r"[\w-]+", done.stdout))
    assert set(ATTACKS) <= names
    assert done.stdout.strip().endswith("False False")


@pytest.fixture
def no_training(monkeypatch):
    """AdvGAN keeps its first weights: tracing its step takes longer than all else here."""

    def fit(*_, **__):
        history = keras.callbacks.History()
        history.history = {"success": [0.0]}
        return history

    def begin():
        monkeypatch.setattr(PerturbationGAN, "fit", fit)

    return begin


@pytest.mark.slow
def test_an_attack_that_learns_is_fitted_once_and_kept(files, here, capsys, no_training):
    arguments = mine(files, "--attack", "advgan:steps=4,width=4,blocks=1", "--epsilons", 0.1, 0.2)
    assert main([*arguments, "--n", "10"]) == 0
    said = capsys.readouterr().out
    # The file holds test images alone.
    assert "fitting AdvGAN on 190 images: those that --n leaves out" in said
    folder = here / "runs" / "attack-mine"
    (path,) = folder.glob("advgan-*.keras")
    kept = AdvGAN.load(path)
    assert (kept.epsilon, kept.least_epsilon) == (0.2, 0.1)
    report = Report.load(folder / "report.json")
    assert [row.epsilon for row in report.rows] == [0.1, 0.2]
    assert main(["--resume", "--name", "mine"]) == 0
    assert "fitting" not in capsys.readouterr().out
    # A larger radius, or another classifier, is not what it learnt.
    no_training()
    assert main(["--resume", "--name", "mine", "--epsilons", "0.3"]) == 0
    assert "fitting" in capsys.readouterr().out
    assert len(list(folder.glob("advgan-*.keras"))) == 2


def test_without_splits_an_attack_learns_from_what_it_attacks_and_says_so(
    files, here, capsys, no_training
):
    no_training()
    images = np.load(files / "mine.npz")
    np.savez("plain.npz", images=images["x_test"][:20], labels=images["y_test"][:20])
    model = f"{files}/mine.keras"
    arguments = ["--model", model, "--data", "plain.npz", "--attack", "advgan:steps=2,width=4"]
    assert main([*arguments, "--split", "val"]) == 2
    assert "split must be left out for plain.npz" in capsys.readouterr().err
    # A folder of a known set's name does not change the split that is taken of the set.
    (here / "digits" / "train").mkdir(parents=True)
    assert kgan.cli.attack._split(AttackSettings()) == "test"
    assert main([*arguments, "--epsilon", "0.1"]) == 0
    assert "20 images: the images to be attacked themselves" in capsys.readouterr().out
    report = Report.load(here / "runs" / "attack-mine" / "report.json")
    # That none of them was trained on is an assumption.
    assert report.provenance["split"] == "none: the data have no splits"
    assert any("plain.npz has no splits" in text for text in report.assumptions)


def test_a_training_split_is_what_an_attack_learns_from(files, here, capsys, no_training):
    no_training()
    test = kgan.data.load("digits", "test")
    np.savez("both.npz", x_test=test.samples[:9], y_test=test.labels[:9], x_train=test.samples[9:],
             y_train=test.labels[9:])  # fmt: skip
    model = f"{files}/mine.keras"
    arguments = ["--model", model, "--data", "both.npz", "--attack", "advgan:steps=2,width=4"]
    assert main([*arguments, "--epsilon", "0.1"]) == 0
    said = capsys.readouterr().out
    assert f"fitting AdvGAN on {len(test) - 9} images: the training split" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_runs_from_its_name(files, here, capsys, name):
    ball = ("l0", 8) if name == "sparse-rs" else ("l2", 0.5)
    flags = ("--attack", name, "--norm", ball[0], "--epsilon", ball[1], "--n", 10)
    assert main(mine(files, *flags)) == 0


def test_what_belongs_to_a_black_box_is_refused_elsewhere(files, here, capsys):
    for given in (["--signature", "classify"], ["--token-file", "token"]):
        assert main(mine(files, "--attack", "noise", *given)) == 2
        assert "must be left out for" in capsys.readouterr().err


def test_a_preset_is_no_folder_of_its_name(here):
    (here / "digits" / "1").mkdir(parents=True)
    (here / "digits" / "1" / "saved_model.pb").touch()
    assert "apgd:steps=40" in kgan.cli.attack._usual_attacks(AttackSettings())
    assert "apgd:steps=40" not in kgan.cli.attack._usual_attacks(AttackSettings(model="./digits"))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("http://host:8501/v1/models/mine", "mine"),
        ("http://host:8501/v1/models/mine/versions/3/", "mine"),
        ("folder/mine.keras", "mine"),
        ("mine/", "mine"),
    ],
)
def test_a_run_is_called_as_its_model(model, name):
    assert AttackSettings(model=model).default_name(None, AttackSettings()) == name


def test_a_server_that_dies_midway_is_a_fault_and_what_is_done_is_kept(files, here, capsys):
    model = keras.models.load_model(files / "mine.keras")
    with model_server.serve(model, (8, 8, 1)) as server:
        _dies_midway(server, files, here, capsys)


def _dies_midway(server, files, here, capsys):
    attacks = ["--attack", "noise", "square:steps=60", "--epsilons", "0.05", "0.1"]
    data = ["--data", f"{files}/mine.npz", "--n", "40"]
    arguments = ["--model", server.address, *data, *attacks]
    assert main([*arguments, "--name", "whole"]) == 0
    enough = len(server.asked)
    capsys.readouterr()
    server.left = enough * 2 // 3
    dying = [*arguments, "--name", "mine", "--junit", "out.xml", "--sarif", "out.sarif"]
    assert main(dying) == 3
    said = capsys.readouterr().err
    folder = here / "runs" / "attack-mine"
    assert "fault of the connection: ConnectionError" in said
    assert re.search(r"(50|75)% of the attacks' work is done and kept in ", said)
    assert "did not answer" in (folder / "error.txt").read_text()
    assert not (folder / "report.json").exists()
    # Nothing green is left for CI.
    suite = ElementTree.parse(here / "out.xml").getroot()
    assert suite.get("errors") == "1"
    assert "ConnectionError" in suite.find("testcase/error").get("message")
    invocation = json.loads((here / "out.sarif").read_text())["runs"][0]["invocations"][0]
    assert not invocation["executionSuccessful"]
    server.left = None
    server.asked.clear()
    resume = re.search(r"not done again by kgan attack (.*)", said)[1]
    assert main(shlex.split(resume)) == 0
    assert len(server.asked) < 0.7 * enough
    one, other = (
        Report.load(here / "runs" / f"attack-{name}" / "report.json") for name in ("whole", "mine")
    )
    assert [row.robust_accuracy for row in one.rows] == [row.robust_accuracy for row in other.rows]
    assert one.provenance["model SHA-256"] == "none: a server's model may change"


def test_what_is_wrong_with_a_command_is_told_to_ci_too(files, here, capsys):
    (here / "out.xml").write_text("<testsuite tests='9' failures='0'/>")
    assert main(mine(files, "--split", "nonsense", "--junit", "out.xml")) == 2
    suite = ElementTree.parse(here / "out.xml").getroot()
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_a_change_of_any_size_fails_no_check(files, here):
    arguments = ["--attack", "fgsm", "deepfool", "--epsilons", "0.01", "--n", "30"]
    assert main(mine(files, *arguments, "--min-robust", "0.3", "--junit", "out.xml")) == 0
    report = Report.load(here / "runs" / "attack-mine" / "report.json")
    assert report.rows[-1].epsilon is None
    assert report.rows[-1].robust_accuracy < 0.3
    assert report.verdict.passed


@pytest.mark.parametrize("name", [b"caf\xe9", b"x\n# Passed", b"<b>|`*$x$ @you", b"y" * 240])
def test_any_file_name_gets_its_report(files, here, name):
    path = os.fsdecode(bytes(here) + b"/" + name + b".keras")
    Path(path).write_bytes((files / "mine.keras").read_bytes())
    arguments = ["--attack", "fgsm", "--epsilon", "0.1", "--n", "20"]
    arguments += ["--junit", "out.xml", "--sarif", "out.sarif", "--data", f"{files}/mine.npz"]
    arguments += ["--name", "any"]
    assert main(["--model", path, *arguments]) == 0
    folder = here / "runs" / "attack-any"
    for file in ("report.json", "report.html", "summary.md"):
        (folder / file).read_text(encoding="utf-8")
    assert ElementTree.parse(here / "out.xml").getroot().get("errors") == "0"
    assert len((folder / "summary.md").read_text().splitlines()[0]) > 20
