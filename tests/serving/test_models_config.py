"""models.config, as TensorFlow Serving takes it: from a file, and from a client."""

import shutil
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from kgan.cli import main
from kgan.serving import models_config
from kgan.serving.errors import ServingError
from kgan.serving.repository import Repository, load_servable
from tests.conftest import ROOT
from tests.serving.in_thread import running
from tests.serving.test_repository import load, put


def config_of(*models):
    """A ModelServerConfig of texts."""
    text = "model_config_list {" + "".join(f"config {{ {one} }}" for one in models) + "}"
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


@pytest.fixture
def folder(tmp_path):
    for version in (1, 2, 3):
        put(tmp_path / "m", version)
    return tmp_path / "m"


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", [3]),
        ("model_version_policy { latest { num_versions: 2 } }", [2, 3]),
        ("model_version_policy { latest { } }", [3]),
        ("model_version_policy { all { } }", [1, 2, 3]),
        ("model_version_policy { specific { versions: 1 versions: 3 } }", [1, 3]),
    ],
)
def test_versions(folder, policy, served):
    config = config_of(f'name: "m" base_path: "{folder}" model_platform: "tensorflow" {policy}')
    (model,) = models_config.models_of(config, load)
    model.poll()
    states = {number: state.state for number, state in model.states.items()}
    assert [number for number in sorted(states) if states[number] == "AVAILABLE"] == served
    assert model.get().version == 3


def test_labels(folder):
    text = f'name: "m" base_path: "{folder}" model_version_policy {{ all {{ }} }}'
    labels = 'version_labels { key: "stable" value: 1 } version_labels { key: "new" value: 3 }'
    (model,) = models_config.models_of(config_of(f"{text} {labels}"), load)
    model.poll()
    assert (model.get(label="stable").version, model.get(label="new").version) == (1, 3)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ((), "must have a model"),
        (('name: "" base_path: "/x"',), "plain names of models, got ''"),
        (('name: "a/b" base_path: "/x"',), "plain names of models, got 'a/b'"),
        (('name: "a:b" base_path: "/x"',), "plain names of models, got 'a:b'"),
        (('name: "a" base_path: "/models/x"',) * 2, "two models of the name 'a'"),
        (('name: "a" base_path: "x"',), "must be absolute, got 'x'"),
        (('name: "a"',), "must be absolute, got ''"),
        (('name: "a" base_path: "s3://bucket/a"',), "must be absolute, got 's3://bucket/a'"),
        (('name: "a" base_path: "/x" model_platform: "torch"',), "must be tensorflow, got 'torch'"),
        (('name: "a" base_path: "/models/../etc"',), "must lie in /models, got"),
    ],
)
def test_what_is_refused(models, message):
    with pytest.raises(ServingError, match=message) as caught:
        models_config.models_of(config_of(*models), load, within=[Path("/models")])
    assert caught.value.code == "INVALID_ARGUMENT"


def test_other_configurations_than_lists():
    config = model_server_config_pb2.ModelServerConfig()
    with pytest.raises(ServingError, match="give a model_config_list"):
        models_config.models_of(config, load)


def test_a_replacement_keeps_what_is_in_memory_and_is_whole_or_nothing(folder, tmp_path):
    put(tmp_path / "other", 7)
    first = models_config.models_of(config_of(f'name: "m" base_path: "{folder}"'), load)
    repository = Repository(first)
    repository.poll()
    loaded = repository.model("m").get()
    second = f'name: "m" base_path: "{folder}"', f'name: "o" base_path: "{tmp_path}/other"'
    repository.replace(models_config.models_of(config_of(*second), load))
    assert repository.model("m").get() is loaded
    assert repository.model("o").get().version == 7
    absent = f'name: "gone" base_path: "{tmp_path}/gone"'
    label = f'{second[0]} version_labels {{ key: "x" value: 9 }}'
    # What is in memory of it must not stand in for the version that was chosen.
    chosen = f"{second[0]} model_version_policy {{ specific {{ versions: 9 }} }}"
    partly = f"{second[0]} model_version_policy {{ specific {{ versions: 3 versions: 9 }} }}"
    for wrong, code in (
        (absent, "INVALID_ARGUMENT"),
        (label, "FAILED_PRECONDITION"),
        (chosen, "INVALID_ARGUMENT"),
        (partly, "INVALID_ARGUMENT"),
    ):
        with pytest.raises(ServingError) as caught:
            repository.replace(models_config.models_of(config_of(second[1], wrong), load))
        assert caught.value.code == code
        assert set(repository.models) == {"m", "o"}


def test_a_client_sends_another(exported, tmp_path):
    folder = tmp_path / "toy"
    shutil.copytree(exported[0] / "1", folder / "1")

    repository = Repository(
        models_config.models_of(config_of(f'name: "toy" base_path: "{folder}"'), load_servable)
    )
    repository.poll()
    within = models_config.places(list(repository.models.values()))

    def reload(config):
        repository.replace(models_config.models_of(config, load_servable, within=within))

    with (
        running(repository, reload=reload) as (_, port),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)

        def send(*models):
            request = model_management_pb2.ReloadConfigRequest(config=config_of(*models))
            return stub.HandleReloadConfigRequest(request, timeout=60).status.error_code

        assert send(f'name: "renamed" base_path: "{folder}"') == 0
        assert set(repository.models) == {"renamed"}
        # A SavedModel is code: a client cannot choose any folder.
        with pytest.raises(grpc.RpcError) as caught:
            send('name: "toy" base_path: "/tmp"')
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert set(repository.models) == {"renamed"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no config", "is no models.config"),
        ("model_config_list { }", "must have a model"),
        ('model_config_list { config { name: "a" base_path: "b" } }', "must be absolute"),
    ],
)
def test_the_commands_file(tmp_path, capsys, text, message):
    path = tmp_path / "models.config"
    path.write_text(text)
    assert main(["serve", "--config", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_the_example_of_the_repository():
    config = models_config.read(ROOT / "deploy" / "serving" / "models.config")
    (model,) = models_config.models_of(config, load)
    assert (model.name, model.latest, model.labels) == ("digits", 2, {"stable": 1})
