"""The manifests for clusters: read as their readers do, and their command as kgan does."""

import shlex

import pytest
import tyro
import yaml

from kgan.settings import PRESETS, GANSettings
from tests.conftest import ROOT


def command_of_kubernetes():
    job = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "tfjob.yaml").read_text())
    assert job["kind"] == "TFJob"
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    assert worker["restartPolicy"] == "OnFailure"
    # The operator looks for a container of this name.
    (container,) = worker["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow"
    return container["command"]


def command_of_slurm():
    text = (ROOT / "deploy" / "slurm" / "train.sbatch").read_text()
    assert "#SBATCH --requeue" in text
    words = shlex.split(text[text.index("srun ") :].replace("\\\n", " "))
    return words[words.index("kgan") :]


@pytest.mark.parametrize("command", [command_of_kubernetes, command_of_slurm])
def test_the_command_is_one_that_a_restarted_worker_can_repeat(command):
    kgan, train, name, *arguments = command()
    assert (kgan, train) == ("kgan", "train")
    config = tyro.cli(GANSettings, default=PRESETS[name], args=arguments)
    assert (config.strategy, config.resume, config.name) == ("multi-worker", True, "mnist")
    assert len({path.parent for path in (config.runs_dir, config.export_dir)}) == 1
