"""Random numbers as a pure function of (seed, purpose, step, position in the global batch).

Nothing here keeps a state, so a resumed run, a run on another number of replicas and a repeated
request draw what the original drew.
"""

import zlib
from collections.abc import Sequence

import tensorflow as tf

MAX_SEED = 2**31 - 1
ALGORITHM = "philox"
"""Named, since TensorFlow's own choice differs between devices and under XLA."""


def check_seed(seed: int) -> int:
    """Returns `seed` as an int, or raises `ValueError` when it is not in [0, 2**31 - 1]."""
    if isinstance(seed, bool) or int(seed) != seed or not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed must be a whole number in [0, {MAX_SEED}], got {seed!r}.")
    return int(seed)


def step_seed(seed: int, step: tf.Tensor | int, purpose: str) -> tf.Tensor:
    """The seed of one draw: equal arguments give equal seeds, different ones independent seeds.

    Args:
        seed: The run's seed.
        step: Training step, a scalar integer tensor.
        purpose: What is drawn ("latents", "interpolation"), so that two draws of a step differ.

    Returns:
        An int32 tensor of shape (2,).
    """
    base = tf.constant([seed, zlib.crc32(purpose.encode()) & MAX_SEED], tf.int32)
    return tf.random.fold_in(base, tf.cast(step, tf.int32), alg=ALGORITHM)


def _replica_slice(global_draw, local_batch: tf.Tensor, replicas: int):
    if replicas == 1:
        return global_draw
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return global_draw[replica * local_batch : (replica + 1) * local_batch]


def _replicas() -> int:
    return tf.distribute.get_strategy().num_replicas_in_sync


def normal(seed: tf.Tensor, shape: Sequence) -> tf.Tensor:
    """This replica's share of a standard normal draw for the global batch.

    Args:
        seed: From `step_seed`.
        shape: Shape of the share; the first axis is the local batch.

    Returns:
        A float32 tensor of that shape; the shares of all replicas together are the draw that one
        replica would have made for the whole batch.
    """
    replicas = _replicas()
    draw = tf.random.stateless_normal([shape[0] * replicas, *shape[1:]], seed, alg=ALGORITHM)
    return _replica_slice(draw, shape[0], replicas)


def uniform(seed: tf.Tensor, shape: Sequence) -> tf.Tensor:
    """This replica's share of a draw from U[0, 1) for the global batch; see `normal`."""
    replicas = _replicas()
    draw = tf.random.stateless_uniform([shape[0] * replicas, *shape[1:]], seed, alg=ALGORITHM)
    return _replica_slice(draw, shape[0], replicas)
