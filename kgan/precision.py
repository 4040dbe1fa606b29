"""The arithmetic of a training run by name."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}
"""Keras's policy of each precision. Weights, last layers and losses are float32 in all of them."""

_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
_FIRST_GPU = (8, 0)


def policy(name: str) -> str:
    """The Keras policy of a precision.

    Args:
        name: "float32", "bfloat16", "float16" (whose losses must be scaled), or "auto": bfloat16
            where the hardware multiplies such numbers, else float32.
    """
    if name == "auto":
        name = "bfloat16" if _multiplies_bfloat16() else "float32"
    if name not in POLICIES:
        raise ValueError(f"precision must be one of {', '.join(POLICIES)}, auto, got {name!r}.")
    return POLICIES[name]


@contextlib.contextmanager
def under(name: str) -> Iterator[None]:
    """Within it, layers are made with the policy of that precision."""
    outside = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy(name))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(outside)


def scaled(optimizer: keras.optimizers.Optimizer, name: str) -> keras.optimizers.Optimizer:
    """The optimizer, with the scaling of losses that float16 needs."""
    return keras.optimizers.LossScaleOptimizer(optimizer) if name == "float16" else optimizer


def _multiplies_bfloat16() -> bool:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(one.get("compute_capability", (0, 0)) >= _FIRST_GPU for one in details)
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(flag in flags for flag in _CPU_FLAGS)
