"""The serve command, as a process."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kgan.cli import main
from kgan.client import Client, ServerError
from tests.conftest import ROOT

COMMAND = "import sys; from kgan.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Says 1 where the left half is brighter, with certainty that grows with the difference."""
    weights = np.zeros((8, 8, 1, 2), np.float32)
    weights[:, :4, :, 1] = weights[:, 4:, :, 0] = 0.5
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.set_weights([weights.reshape(64, 2), np.zeros(2)])
    path = tmp_path_factory.mktemp("classifier") / "halves.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def running(exported, classifier):
    folder, _ = exported
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", COMMAND, "serve", folder, "--port", "0", "--grpc-port", "0"),
            *("--classifier", classifier, "--class-names", "right", "left"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    said = "".join(lines)
    assert "REST" in said, process.stderr.read()
    yield SimpleNamespace(
        process=process,
        rest=re.search(r"page +(http://\S+)/", said)[1],
        grpc="grpc://" + re.search(r"gRPC +(\S+)", said)[1],
    )
    process.kill()
    process.wait()


def ask(url, body):
    import json
    import urllib.request

    with urllib.request.urlopen(url, body and json.dumps(body).encode(), timeout=120) as reply:
        return json.load(reply)


def test_rest_and_grpc_agree(running):
    by_rest = Client(running.rest, "toy").generate([5, 6], [0, 2])
    by_grpc = Client(running.grpc, "toy").generate([5, 6], [0, 2])
    np.testing.assert_allclose(by_rest, by_grpc, atol=1e-6)


def test_the_page_can_fool_the_classifier(running):
    """The gradient's sign is known: the left half darkens and the right one brightens."""
    image = np.full((8, 8, 1), 0.4)
    image[:, :4] = 0.45
    assert ask(running.rest + "/kgan/models", None)["classifier"]["class_names"] == [
        "right",
        "left",
    ]
    reply = ask(running.rest + "/kgan/attack", {"image": image.tolist(), "epsilon": 0.1})
    changed = image.copy()
    changed[:, :4] -= 0.1
    changed[:, 4:] += 0.1
    np.testing.assert_allclose(reply["image"], changed, atol=1e-6)
    # Logits are half the sums of each half.
    for key, pixels in (("before", image), ("after", changed)):
        gap = 0.5 * (pixels[:, :4].sum() - pixels[:, 4:].sum())
        np.testing.assert_allclose(
            reply[key], [1 / (1 + np.exp(gap)), 1 / (1 + np.exp(-gap))], 1e-4
        )
    assert np.argmax(reply["before"]) == 1
    assert np.argmax(reply["after"]) == 0


DARK = np.zeros((8, 8, 1)).tolist()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"image": [[1]], "epsilon": 0.1}, "must have the shape [8, 8, 1], got [1, 1]"),
        ({"image": np.full((8, 8, 1), 2).tolist(), "epsilon": 0.1}, "must be in [0, 1]"),
        ({"image": DARK, "epsilon": 8}, "epsilon must be in [0, 1]"),
        ({"epsilon": 0.1}, 'image must be in the body, got the names ["epsilon"]'),
        ({"image": DARK}, 'epsilon must be in the body, got the names ["image"]'),
        ({"image": DARK, "epsilon": True}, "epsilon must be a number, got true"),
        ({"image": DARK, "epsilon": "much"}, 'epsilon must be a number, got "much"'),
        ({"image": DARK, "epsilon": float("nan")}, "epsilon must be in [0, 1] in linf"),
        ({"image": [[0.0], [0.0, 1.0]], "epsilon": 0.1}, "got lists of several lengths"),
        ({"image": np.full((8, 8, 1), "a").tolist(), "epsilon": 0.1}, "image must be numbers"),
        ({"image": np.full((8, 8, 1), np.nan).tolist(), "epsilon": 0.1}, "must be in [0, 1]"),
        ([1], "Is not object"),
    ],
)
def test_bad_questions(running, body, message):
    import json
    import urllib.error

    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(running.rest + "/kgan/attack", body)
    with caught.value as error:
        assert error.code == 400
        assert message in json.load(error)["error"]


def test_sigterm_under_load(running):
    """Every request is answered, or its connection was refused; then the exit code is 0."""
    answers, failures = [], []

    def load():
        client = Client(running.rest, "toy")
        while not failures:
            try:
                answers.append(client.generate([1] * 20, [0] * 20).shape)
            except ServerError as error:
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(answers) < 20 and not failures:
        time.sleep(0.05)
    running.process.send_signal(signal.SIGTERM)
    out, errors = running.process.communicate(timeout=120)
    for thread in threads:
        thread.join()
    assert running.process.returncode == 0, errors
    assert out.endswith("stopped\n")
    assert set(answers) == {(20, 8, 8, 1)}
    # No answer was cut off and none was an error: what failed never reached the server.
    assert {error.code for error in failures} == {0}
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give the folders of exported models"),
        (("nowhere",), "has no numbered versions"),
        (("FOLDER/1",), "is one version; give the folder of all versions"),
        (("FOLDER", "FOLDER"), "two models are called toy"),
        (("FOLDER", "--versions", "9"), "no version of toy"),
        (("FOLDER", "--labels", "stable=2"), "labels must be NAME=VERSION"),
        (("FOLDER", "--max-batch", "0"), "max_batch must be at least 1, got 0"),
        (("FOLDER", "--timeout", "0"), "timeout must be above 0"),
        (("FOLDER", "--classifier", "x.keras"), "which is not there"),
    ],
)
def test_mistakes(exported, arguments, message, capsys):
    filled = [argument.replace("FOLDER", str(exported[0])) for argument in arguments]
    try:
        code = main(["serve", *filled])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_help_imports_nothing_heavy(run_python):
    script = (
        "import sys; from kgan.cli import main\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'tensorflow', 'keras', 'starlette', 'grpc', 'uvicorn'} & set(sys.modules)"
    )
    assert "--batch-timeout-ms" in run_python("-c", script).stdout


def test_what_is_loaded_is_said_before_it_takes_its_time(tmp_path, capsys):
    assert main(["serve", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"loading {tmp_path / 'none'} ..."
    assert "has no numbered versions" in said[1]
