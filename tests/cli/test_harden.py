import contextlib
import hashlib
import html
import json
import os
import signal
import subprocess
import sys
import types

import keras
import numpy as np
import pytest

import kgan.cli
import kgan.data
import kgan.runs.hardening
from kgan.callbacks import StopOnSignal
from kgan.robustness.comparison import Comparison
from kgan.robustness.report import Report
from kgan.robustness.report_schema import HARDENING_SCHEMA
from tests.conftest import ROOT


def main(arguments):
    return kgan.cli.main(["harden", *arguments])


TINY = ("--epochs", "2", "--n", "20", "--autoattack-n", "0")


def command(*arguments, cwd):
    code = "import sys; from kgan.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, "harden", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets what it starts in the background ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A digits classifier with a softmax head, as a user may have it."""
    train = kgan.data.load("digits")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(train.as_float(), train.labels, epochs=8, batch_size=32, verbose=0)
    path = tmp_path_factory.mktemp("mine") / "mine.keras"
    model.save(path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_model_of_ones_own_becomes_robust_and_stays_what_it_was(mine, here):
    arguments = ["--model", mine, "--data", "digits", "--epsilon", "0.1", "--epochs", "20"]
    process = command(*arguments, "--n", 100, "--autoattack-n", 0, cwd=here)
    said, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    hardened = keras.models.load_model(here / "saved_models" / "classifiers" / "mine-fast.keras")
    original = keras.models.load_model(mine, compile=False)
    assert hardened.get_config()["layers"] == original.get_config()["layers"]
    folder = here / "runs" / "harden-mine-fast"
    content = json.loads((folder / "robustness.json").read_text())
    before, after = content["table"]["before"], content["table"]["after"]
    assert list(after) == ["clean", "FGSM", "PGD-40", "certified"]
    assert after["certified"]["accuracy"] <= after["PGD-40"]["accuracy"]
    page = (folder / "report.html").read_text()
    for name in ("clean", "PGD-40", "certified"):
        shares = [f"{table[name]['accuracy']:.1%}" for table in (before, after)]
        assert f"<b>{' → '.join(shares)}</b>" in page
    facts = content["provenance"]
    assert facts["SHA-256 of before"] == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert "--autoattack-n 0" in facts["command"]
    for fact in ("SHA-256 of before", "SHA-256 of after", "command"):
        assert facts[fact] in html.unescape(page)
    # Signs of masking are looked for in both, and what was not looked for is said.
    for when in ("before", "after"):
        assert f"<h2>Signs of gradient masking {when}</h2>" in page
        assert content["reports"][when]["unchecked"]
    count = content["reports"]["after"]["class_counts"][3]
    hits = round(content["reports"]["after"]["clean"]["per_class"][3] * count)
    assert f"({hits} of {count})" in page
    with contextlib.suppress(ImportError):
        import jsonschema

        jsonschema.validate(content, HARDENING_SCHEMA)
    assert after["PGD-40"]["accuracy"] > before["PGD-40"]["accuracy"] + 0.1
    assert f"{after['PGD-40']['accuracy']:.1%}" in said
    report = Report.from_dict(content["reports"]["after"])
    assert 0.1 in report.epsilons
    assert len(report.epsilons) == 8
    test = kgan.data.load("digits", "test")
    rows = np.sort(np.random.default_rng(0).permutation(len(test))[:100])
    predicted = hardened.predict(test.as_float()[rows], verbose=0).argmax(axis=1)
    assert np.mean(predicted == test.labels[rows]) == pytest.approx(after["clean"]["accuracy"])
    assert (folder / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "config.json").read_text())["config"]["method"] == "fast"


def test_broken_off_in_the_comparison_nothing_is_lost_and_no_classifier_replaced(
    mine, here, capsys, monkeypatch
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(kgan.runs.training, "fit", lambda *_: True)
    monkeypatch.setattr(kgan.runs.hardening, "compare", interrupted)
    for number in ("", "-2"):
        assert main(["--model", str(mine), "--no-guard", *TINY]) == 130
        said = capsys.readouterr()
        assert f"make it with kgan harden --resume --name mine-fast{number}" in said.err
        assert (here / "saved_models" / "classifiers" / f"mine-fast{number}.keras").is_file()
    assert "mine-fast.keras is kept" in said.out
    # The latest run of that name, whose file is its own.
    assert main(["--resume", "--name", "mine-fast", "--no-guard"]) == 130
    assert "saved as saved_models/classifiers/mine-fast-2.keras" in capsys.readouterr().out


@pytest.mark.slow
def test_a_new_network_is_compared_with_its_plain_training(here, capsys):
    assert main(["digits", *TINY, "--method", "pgd", "--steps", "2", "--no-guard"]) == 0
    said = capsys.readouterr().out
    assert said.index("hardening small_cnn by pgd") < said.index("training small_cnn")
    assert "guard accuracy" not in said
    assert (here / "saved_models" / "classifiers" / "digits-pgd.keras").is_file()


@pytest.mark.slow
def test_stopped_and_resumed_it_ends_with_the_same_weights(here, capsys, monkeypatch):
    arguments = ["digits", "--epochs", "3", "--steps-per-epoch", "6", *TINY[2:], "--shift", "1"]

    def press(self, batch, logs=None):
        if int(self.model.step.numpy()) == 9:
            os.kill(os.getpid(), signal.SIGINT)

    assert main([*arguments, "--name", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_train_batch_end", press)
        assert main([*arguments, "--name", "stopped"]) == 130
    assert "continue with the same command and --resume" in capsys.readouterr().out
    classifiers = here / "saved_models" / "classifiers"
    assert not (classifiers / "stopped.keras").exists()
    assert main([*arguments, "--name", "stopped", "--resume"]) == 0
    assert "resuming at step 9" in capsys.readouterr().out
    weights = [
        keras.models.load_model(classifiers / f"{name}.keras", compile=False).get_weights()
        for name in ("whole", "stopped")
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # The guard's best look is of the whole training, not of what came after the break.
    looks = [
        np.load(here / "runs" / f"harden-{name}" / "guard.npz") for name in ("whole", "stopped")
    ]
    assert looks[0]["best"] == looks[1]["best"]


@pytest.mark.slow
def test_the_curve_of_l2_goes_beyond_the_radius_trained_for(mine, here):
    arguments = ("--model", str(mine), "--norm", "l2", "--epsilon", "2", *TINY)
    assert main(arguments) == 0
    found = json.loads((here / "runs" / "harden-mine-fast" / "robustness.json").read_text())
    wanted = [2 * share / 6 for share in range(1, 9)]
    assert found["reports"]["after"]["epsilons"] == pytest.approx(wanted)


@pytest.mark.slow
def test_a_generator_may_be_what_it_is_hardened_against(mine, here, capsys):
    assert main(["--model", str(mine), "--method", "gat", *TINY]) == 0
    assert "by gat, linf" in capsys.readouterr().out
    found = json.loads((here / "runs" / "harden-mine-gat" / "robustness.json").read_text())
    assert found["method"] == "gat"
    assert (here / "saved_models" / "classifiers" / "mine-gat.keras").is_file()


@pytest.mark.slow
def test_a_preset_may_run_on_other_data(mine, here, capsys):
    arguments = ("mnist-trades", "--data", "digits", "--model", str(mine), *TINY)
    assert main(arguments) == 0
    config = json.loads((here / "runs" / "harden-mine-trades" / "config.json").read_text())[
        "config"
    ]
    assert (config["method"], config["steps"], config["beta"]) == ("trades", 5, 1.0)
    assert "no better than chance" not in capsys.readouterr().out


@pytest.mark.parametrize(("low", "told"), [(0.65, True), (0.71, False)])
def test_no_better_than_the_commonest_class_is_chance(low, told):
    clean = types.SimpleNamespace(interval=(low, 0.9))
    after = types.SimpleNamespace(class_counts=[3, 7], n=10, clean=clean)
    comparison = Comparison("mart", 0.3, 1.0, False, {"after": after}, {})
    assert ("--warmup 2" in comparison.hint) == told


@pytest.mark.slow
def test_a_hardening_that_learnt_nothing_is_told_so(mine, here, capsys):
    arguments = ("mnist-mart", "--data", "digits", "--model", str(mine), "--fresh")
    assert main([*arguments, *TINY, "--steps-per-epoch", "2", "--learning-rate", "0"]) == 0
    assert "no better than chance" in capsys.readouterr().out
    folder = here / "runs" / "harden-mine-mart"
    assert "no better than chance" in (folder / "report.html").read_text()
    config = json.loads((folder / "config.json").read_text())["config"]
    assert (config["method"], config["steps"], config["warmup"]) == ("mart", 5, 2)


def mistakes(mine, here):
    small = here / "small.npz"
    np.savez(small, images=np.zeros((40, 4, 4), "uint8"), labels=np.arange(40) % 4)
    bytes_of = mine.with_name("bytes.keras")
    if not bytes_of.is_file():
        inner = keras.models.load_model(mine, compile=False)
        rescaling = keras.layers.Rescaling(1 / 255, dtype="float32")
        for path, dtype in ((bytes_of, "float32"), (mine.with_name("whole.keras"), "uint8")):
            images = keras.Input((8, 8, 1), dtype=dtype)
            keras.Model(images, inner(rescaling(images))).save(path)
        inner.trainable = False
        inner.save(mine.with_name("frozen.keras"))
    return {
        "preset": (["minst"], "Did you mean 'mnist'?"),
        "method": (["--method", "madry"], "trades, mart, gat, got 'madry'"),
        "epsilon": (["--epsilon", "8"], "Did you mean 8/255?"),
        "network": (["--network", "vgg"], "network must be one of small_cnn, strided_cnn"),
        "steps": (["--steps", "3"], "steps must be left out for the method fast"),
        "beta": (["--beta", "3"], "beta must be None for the method fast"),
        "gat": (["--method", "gat", "--steps", "3"], "steps must be left out for the method gat"),
        "no file": (["--model", "no.keras"], "which is not there"),
        "shape": (["--model", str(mine), "--data", str(small)], "do not fit"),
        "overwrite": (
            ["--model", str(mine), "--name", "mine", "--classifiers-dir", str(mine.parent)],
            "would be overwritten",
        ),
        "data": (["--data", "ring"], "images with labels"),
        "range": (["--model", str(bytes_of)], "seems to take 0..255"),
        "range, anew": (["--model", str(bytes_of), "--fresh"], "seems to take 0..255"),
        "whole": (["--model", str(mine.with_name("whole.keras"))], "takes whole numbers"),
        "frozen": (["--model", str(mine.with_name("frozen.keras"))], "set trainable = True"),
        "preset's name": (["--name", "digits"], "kgan attack keeps a plain classifier"),
    }


@pytest.mark.parametrize(
    "name",
    ["preset", "method", "epsilon", "network", "steps", "beta", "gat", "no file",
     "shape", "overwrite", "data", "range", "range, anew", "whole", "frozen",
     "preset's name"],
)  # fmt: skip
def test_a_mistake_is_told_in_a_line_with_exit_code_2(mine, here, capsys, name):
    arguments, said = mistakes(mine, here)[name]
    before = mine.read_bytes()
    assert main(arguments) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert said in errors[0]
    assert len(errors) <= 2
    assert mine.read_bytes() == before
    assert [path.name for path in here.iterdir()] == ["small.npz"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--epochs=0", "at least 1, got 0"),
        ("--fresh", "off without --model"),
        ("--epsilon=0", "epsilon must be above 0"),
        ("--warmup=-1", "warmup must be at least 0"),
        ("--learning-rate=-1", "learning_rate must be at least 0"),
    ],
)
def test_a_value_out_of_range_is_told_with_exit_code_2(here, capsys, option, said):
    assert main([option]) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_number_is_told_by_the_parser(here, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--epsilon=8/0"])
    assert "a radius such as 8/255" in capsys.readouterr().err


def test_help_does_not_wait_for_tensorflow(here):
    code = (
        "import sys; from kgan.cli import main\n"
        "try: main(['harden', '--help'])\n"
        "except SystemExit: print('tensorflow' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith("False False")


@pytest.mark.slow
def test_the_readmes_example_with_autoattack(here, capsys):
    assert main(["digits"]) == 0
    content = json.loads((here / "runs" / "harden-digits-fast" / "robustness.json").read_text())
    before, after = content["table"]["before"], content["table"]["after"]
    assert after["clean"]["accuracy"] > 0.93
    assert after["AutoAttack"]["accuracy"] > before["AutoAttack"]["accuracy"] + 0.25


def test_a_radius_of_linf_is_no_default_of_another_norm(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert kgan.cli.main(["harden", "digits", "--norm", "l2"]) == 2
    assert "epsilon must be given for the norm l2" in capsys.readouterr().err
