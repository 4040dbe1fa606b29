"""The configurations for TensorFlow Serving, read by the official messages; kgan's own pod."""

import asyncio
import re
import subprocess

import grpc
import httpx
import pytest
import tyro
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2

from kgan.serving import server
from kgan.serving.access import Access
from kgan.serving.signature import batch_sizes
from kgan.settings import ServeSettings
from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "serving"
_TYPES = {"int64": 3, "bool": 8, "string": 9, "message": 11}


@pytest.fixture(scope="module")
def messages():
    """BatchingParameters and MonitoringConfig, which the package of the other messages leaves out.

    Names, numbers and types as in session_bundle_config.proto and monitoring_config.proto.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="deploy.proto", package="deploy", syntax="proto3"
    )

    def message(name, *fields):
        made = file.message_type.add(name=name)
        for number, key, kind, of, repeated in fields:
            made.field.add(
                name=key,
                number=number,
                type=_TYPES[kind],
                type_name=of or None,
                label=3 if repeated else 1,
            )

    for wrapper, kind in (
        ("Int64Value", "int64"),
        ("BoolValue", "bool"),
        ("StringValue", "string"),
    ):
        message(wrapper, (1, "value", kind, "", False))
    message(
        "BatchingParameters",
        (1, "max_batch_size", "message", ".deploy.Int64Value", False),
        (2, "batch_timeout_micros", "message", ".deploy.Int64Value", False),
        (3, "max_enqueued_batches", "message", ".deploy.Int64Value", False),
        (4, "num_batch_threads", "message", ".deploy.Int64Value", False),
        (5, "thread_pool_name", "message", ".deploy.StringValue", False),
        (6, "allowed_batch_sizes", "int64", "", True),
        (7, "pad_variable_length_inputs", "bool", "", False),
        (8, "enable_large_batch_splitting", "message", ".deploy.BoolValue", False),
        (9, "max_execution_batch_size", "message", ".deploy.Int64Value", False),
    )
    message("PrometheusConfig", (1, "enable", "bool", "", False), (2, "path", "string", "", False))
    message(
        "MonitoringConfig",
        (1, "prometheus_config", "message", ".deploy.PrometheusConfig", False),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"deploy.{name}")
    )()


def read(name, message):
    return text_format.Parse((FOLDER / name).read_text(), message)


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((FOLDER / "docker-compose.yml").read_text())["services"]["serving"]


def test_models():
    config = read("models.config", model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert model.model_platform == "tensorflow"
    assert model.base_path == f"/models/{model.name}"
    # A label may only name a version that stays in memory.
    assert model.model_version_policy.latest.num_versions == 2
    assert dict(model.version_labels) == {"stable": 1}


def test_batching(messages):
    batching = read("batching.config", messages("BatchingParameters"))
    sizes = list(batching.allowed_batch_sizes)
    assert sizes[-1] == batching.max_batch_size.value
    assert tuple(sizes) == batch_sizes(sizes[-1])
    assert batching.num_batch_threads.value >= 1


def test_monitoring(messages):
    config = read("monitoring.config", messages("MonitoringConfig")).prometheus_config
    assert config.enable
    assert config.path == "/monitoring/prometheus/metrics"


def test_compose_mounts_what_its_flags_name(compose):
    flags = dict(flag.removeprefix("--").split("=") for flag in compose["command"])
    files = [value for value in flags.values() if value.startswith("/config/")]
    assert len(files) == 3
    for path in files:
        assert (FOLDER / path.removeprefix("/config/")).is_file()
    assert ".:/config:ro" in compose["volumes"]
    assert (FOLDER / "../../saved_models").resolve() == ROOT / "saved_models"
    # Nobody else's machine reaches it unless someone decides so.
    assert all(port.startswith("127.0.0.1:") for port in compose["ports"])


def test_the_health_check_asks_a_server(compose, serve):
    """As bash runs it, against `kgan serve`'s answer to the same path."""
    kind, *command = compose["healthcheck"]["test"]
    assert kind == "CMD"

    async def body(url, address):
        port = url.rpartition(":")[2]

        def healthy(model, port=port):
            asked = [
                re.sub("8501", port, part).replace("models/digits", f"models/{model}")
                for part in command
            ]
            return subprocess.run(asked, capture_output=True, timeout=60).returncode == 0

        assert await asyncio.to_thread(healthy, "toy")
        assert not await asyncio.to_thread(healthy, "missing")
        assert not await asyncio.to_thread(healthy, "toy", "9")

    serve(body)


@pytest.fixture(scope="module")
def kubernetes():
    text = (ROOT / "deploy" / "kubernetes" / "serving.yaml").read_text()
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


@pytest.fixture(scope="module")
def pod(kubernetes):
    return kubernetes["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def pod_settings(pod):
    """The container's command, read as kgan reads it."""
    (container,) = pod["containers"]
    assert container["command"] == ["kgan"]
    command, *arguments = container["args"]
    assert command == "serve"
    settings = tyro.cli(ServeSettings, args=arguments)
    settings.check()
    return settings


def test_a_pod_listens_where_it_is_asked(kubernetes, pod, pod_settings):
    (container,) = pod["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports == {"rest": pod_settings.port, "grpc": pod_settings.grpc_port}
    service = kubernetes["Service"]
    assert {one["targetPort"]: one["port"] for one in service["spec"]["ports"]} == ports
    # Its own name, by which others ask it, is one that it answers to.
    assert service["metadata"]["name"] in pod_settings.allowed_hosts
    labels = kubernetes["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        service["spec"]["selector"],
        kubernetes["Deployment"]["spec"]["selector"]["matchLabels"],
        kubernetes["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ]
    assert selectors == [labels] * 3
    (path,) = pod_settings.models
    (mount,) = (one for one in container["volumeMounts"] if one["name"] == "models")
    assert path.is_relative_to(mount["mountPath"])
    assert mount["readOnly"]


def test_a_pod_ends_after_what_is_in_flight(pod, pod_settings):
    (container,) = pod["containers"]
    word, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert word == "sleep"
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + pod_settings.grace
    assert pod_settings.grace >= pod_settings.timeout


def test_a_new_version_never_takes_places_away(kubernetes, pod, pod_settings):
    spec = kubernetes["Deployment"]["spec"]
    assert spec["strategy"]["type"] == "RollingUpdate"
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert spec["replicas"] > kubernetes["PodDisruptionBudget"]["spec"]["minAvailable"]
    # By number, so that an earlier one can be brought back.
    assert len(pod_settings.versions) == 1
    resources = pod["containers"][0]["resources"]
    assert set(resources["limits"]) == set(resources["requests"]) == {"cpu", "memory"}


def test_the_probes_ask_a_server(kubernetes, pod, repository):
    """As kubelet asks: by the pod's address, without a token."""
    (container,) = pod["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert container["startupProbe"]["grpc"] == container["readinessProbe"]["grpc"]
    assert container["readinessProbe"]["grpc"] == {"port": ports["grpc"]}
    liveness = container["livenessProbe"]["httpGet"]
    assert liveness["port"] in ports
    notes = kubernetes["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert int(notes["prometheus.io/port"]) == ports["rest"]

    async def inside():
        access = Access.of("0.0.0.0", hosts=("kgan-digits",), token="secret")
        running = server.running(repository, server.Limits(poll=0), access=access)
        async with running as (port, grpc_port), httpx.AsyncClient() as client:
            url = f"http://127.0.0.1:{port}"
            host = {"Host": f"10.1.2.3:{ports['rest']}"}
            alive = await client.get(url + liveness["path"], headers=host)
            token = {"Authorization": "Bearer secret"}
            metrics = await client.get(url + notes["prometheus.io/path"], headers=host | token)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
                ready = await channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        return alive.status_code, metrics.status_code, ready

    # 1 is SERVING.
    assert asyncio.run(inside()) == (200, 200, b"\x08\x01")
