"""The distribution strategy by name."""

import tensorflow as tf

STRATEGIES = ("none", "auto", "mirrored")


def get(name: str) -> tf.distribute.Strategy:
    """A `tf.distribute` strategy.

    Args:
        name: "none" (one device), "mirrored" (all GPUs of this machine, or all logical CPUs where
            there is none), or "auto" (mirrored where there is more than one GPU).
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {name!r}.")
    gpus = tf.config.list_logical_devices("GPU")
    if name == "none" or (name == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    devices = gpus or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])
