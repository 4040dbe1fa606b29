"""The distribution strategy by name: one device, all of this machine, or many machines."""

import os

import tensorflow as tf

STRATEGIES = ("none", "auto", "mirrored", "multi-worker")


def get(name: str) -> tf.distribute.Strategy:
    """A `tf.distribute` strategy.

    "multi-worker" must be made before TensorFlow is used for anything else. It finds the other
    workers in `TF_CONFIG` (which Kubernetes's TFJob sets), else in the variables that Slurm sets.

    Args:
        name: "none" (one device), "mirrored" (all GPUs of this machine, or all logical CPUs where
            there is none), "multi-worker" (all devices of all workers), or "auto" (multi-worker
            where `TF_CONFIG` is set, mirrored where there is more than one GPU).

    Raises:
        ValueError: For another name, or where no workers can be found.
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {name!r}.")
    if name == "multi-worker" or (name == "auto" and os.environ.get("TF_CONFIG")):
        return tf.distribute.MultiWorkerMirroredStrategy(_workers())
    gpus = tf.config.list_logical_devices("GPU")
    if name == "none" or (name == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    devices = gpus or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def spans_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether it has replicas in other processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files: the chief, or else the first worker."""
    if not spans_workers(strategy):
        return True
    workers = strategy.cluster_resolver
    if "chief" in workers.cluster_spec().jobs:
        return workers.task_type == "chief"
    return workers.task_id in (None, 0)


def _workers() -> tf.distribute.cluster_resolver.ClusterResolver:
    if os.environ.get("TF_CONFIG"):
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if os.environ.get("SLURM_PROCID"):
        # Slurm itself binds GPUs to tasks; the resolver's own count must only not run out.
        return tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=1024, gpus_per_task=1, auto_set_gpu=False
        )
    raise ValueError(
        "strategy multi-worker found no workers: set TF_CONFIG in every process, or start it by "
        "Slurm's srun (see deploy/)."
    )
