"""Several workers on one port: started, told, started again and ended together."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import grpc
import httpx
import numpy as np
import pytest
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from kgan.serving.workers import Place, reserved
from tests.conftest import ROOT
from tests.serving.test_server import request_of

SERVE = ("-c", "import sys; from kgan.cli import main; sys.exit(main(sys.argv[1:]))", "serve")


@contextlib.contextmanager
def started(*arguments, until):
    """A process, and what it has said up to a word."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = ""
        for line in process.stdout:
            said += line
            if until in line:
                break
        yield process, said
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def asked(port, words):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(words.encode())
        return client.makefile().read()


def states(port, count=40):
    """What the workers tell of themselves, by process; the kernel chooses who is asked."""
    found = {}
    for _ in range(count):
        # One that has just ended may have been asked.
        with contextlib.suppress(OSError, ValueError):
            process, *state = json.loads(asked(port, "who"))
            found[process] = state
    return found


def eventually(check):
    for _ in range(600):
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about in 30 s")


def test_workers_share_a_port_and_take_the_place_of_one_that_ends():
    with started("-m", "tests.serving.small_worker", 2, "-", until="told") as (process, said):
        port = int(said.split()[0])
        before = states(port)
        assert list(before.values()) == [[False, ""]] * 2
        # A configuration reaches all, one that is refused nobody, and its sender hears why.
        assert asked(port, "reload one") == "taken"
        assert list(states(port).values()) == [[False, "one"]] * 2
        refused = "INVALID_ARGUMENT: bad is no configuration"
        assert asked(port, "reload bad") == refused
        assert list(states(port).values()) == [[False, "one"]] * 2
        # One that ends on its own has a successor, with the configuration that the others have.
        with contextlib.suppress(OSError):
            asked(port, "die")
        eventually(lambda: [True, "one"] in states(port).values())
        after = states(port)
        assert len(after) == 2
        assert len(set(after) & set(before)) == 1
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "stopped\n")
        assert "Traceback" not in errors
        for worker in after:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)


def test_workers_end_with_the_process_that_watches():
    with started("-m", "tests.serving.small_worker", 2, "-", until="told") as (_, said):
        workers = states(int(said.split()[0]))
        assert len(workers) == 2
    # It was killed, and could tell nobody.

    def gone(worker):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return True
        return False

    eventually(lambda: all(map(gone, workers)))


def test_a_mistake_is_told_once():
    with started("-m", "tests.serving.small_worker", 2, "mistaken", until="told") as (
        process,
        said,
    ):
        assert said == ""
        errors = process.stderr.read()
        assert process.wait(30) == 1
        assert errors.count("ValueError: what the caller did wrong") == 1


def test_a_port_is_not_shared_with_who_listens_already():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(OSError, match=f"port {port} on 127.0.0.1 cannot be used"),
            reserved(Place("127.0.0.1", port, None)),
        ):
            pass
    with reserved(Place("127.0.0.1", 0, 0)) as place:
        assert place.port
        assert place.grpc_port not in (0, place.port)


@pytest.mark.slow
def test_two_workers_of_the_command(exported, tmp_path):
    """REST and gRPC, counters that are sums, a crash, a new version, a new configuration."""
    folder = tmp_path / "toy"
    shutil.copytree(exported[0] / "1", folder / "1")
    config = tmp_path / "models.config"
    text = f'model_config_list {{ config {{ name: "toy" base_path: "{folder}" }} }}'
    config.write_text(text)
    options = ("--config", config, "--workers", 2, "--port", 0, "--grpc-port", 0, "--poll", 0.5)
    with started(*SERVE, *options, until="Ctrl-C") as (process, said):
        url = re.search(r"page +(http://\S+)/", said)[1]
        address = re.search(r"gRPC +(\S+)", said)[1]

        def ask(path, **body):
            # A connection each: the kernel chooses the worker.
            reply = httpx.request("POST" if body else "GET", url + path, timeout=60, **body)
            assert reply.status_code == 200, reply.text
            return reply

        def predict():
            return ask("/v1/models/toy:predict", json={"inputs": {"seeds": [1], "labels": [0]}})

        def metric(name):
            text = ask("/monitoring/prometheus/metrics").text
            found = re.search(rf"^{re.escape(name)} ([\d.]+)$", text, re.M)
            return None if found is None else float(found[1])

        wanted = predict().json()
        assert all(predict().json() == wanted for _ in range(19))
        options = [("grpc.use_local_subchannel_pool", 1)]
        for _ in range(10):
            with grpc.insecure_channel(address, options=options) as channel:
                stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                request = request_of(seeds=np.array([1]), labels=np.array([0]))
                assert len(stub.Predict(request, timeout=60).outputs) == 1
        counted = ':tensorflow:serving:request_count{model_name="toy",status="OK"}'
        assert metric(counted) == 30
        assert metric('kgan_serving_model_version{model="toy",version="1"}') == 2
        assert metric("kgan_serving_queue_requests") == 0
        # Hot reload in both.
        shutil.copytree(exported[0] / "1", tmp_path / "new")
        (tmp_path / "new").rename(folder / "2")
        eventually(lambda: metric('kgan_serving_model_version{model="toy",version="2"}') == 2)
        assert metric('kgan_serving_model_version{model="toy",version="1"}') == 0
        # A crash: what was counted stays, and nobody is turned away meanwhile.
        children = subprocess.check_output(["pgrep", "-P", str(process.pid), "-f", "spawn_main"])
        os.kill(int(children.split()[0]), signal.SIGKILL)
        time.sleep(0.5)
        assert predict().json() == wanted
        assert metric(counted) == 31
        eventually(lambda: metric("kgan_serving_worker_restarts_total") == 1)
        eventually(lambda: metric('kgan_serving_model_version{model="toy",version="2"}') == 2)
        # A configuration that a client sends reaches both.
        request = model_management_pb2.ReloadConfigRequest()
        new = request.config.model_config_list.config.add()
        new.name, new.base_path = "renamed", str(folder)
        with grpc.insecure_channel(address) as channel:
            models = model_service_pb2_grpc.ModelServiceStub(channel)
            reply = models.HandleReloadConfigRequest(request, timeout=120)
            assert reply.status.error_code == 0
            request.config.model_config_list.config[0].base_path = "/"
            with pytest.raises(grpc.RpcError) as caught:
                models.HandleReloadConfigRequest(request, timeout=120)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert all(ask("/v1/models/renamed") for _ in range(20))
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
        assert out == "stopped\n"
        assert "Traceback" not in errors
