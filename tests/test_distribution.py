"""Strategies by name, and the workers that an environment describes."""

import pytest
import tensorflow as tf

import kgan.distribution


def test_names():
    assert kgan.distribution.get("none") is tf.distribute.get_strategy()
    with pytest.raises(ValueError, match=r"strategy must be one of none, auto, .* got 'all'"):
        kgan.distribution.get("all")


def test_without_workers_it_says_what_to_set(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="multi-worker found no workers: set TF_CONFIG"):
        kgan.distribution.get("multi-worker")


@pytest.mark.parametrize("tasks", ["2(x2)", "3,1"])
def test_the_workers_of_slurm(monkeypatch, tasks):
    variables = {
        "PROCID": "3",
        "STEP_NUM_TASKS": "4",
        "STEP_NODELIST": "node[01-02]",
        "STEP_TASKS_PER_NODE": tasks,
    }
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    workers = kgan.distribution._workers()
    first = 2 if tasks == "2(x2)" else 3
    addresses = [f"node01:{8888 + i}" for i in range(first)]
    addresses += [f"node02:{8888 + i}" for i in range(4 - first)]
    assert workers.cluster_spec().as_dict() == {"worker": addresses}
    assert (workers.task_type, workers.task_id) == ("worker", 3)
