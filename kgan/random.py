"""Random numbers as a pure function of (seed, purpose, step, position in the global batch).

Nothing here keeps a state, so a resumed run, a run on another number of replicas and a repeated
request draw what the original drew.
"""

import contextlib
import contextvars
import numbers
import zlib
from collections.abc import Iterator, Sequence

import tensorflow as tf

MAX_SEED = 2**31 - 1


def check_seed(seed: int) -> int:
    """Returns `seed` as an int, or raises `ValueError` when it is not in [0, 2**31 - 1]."""
    is_number = isinstance(seed, numbers.Real) or hasattr(seed, "__index__")
    if not is_number or isinstance(seed, bool) or seed % 1 != 0 or not 0 <= seed <= MAX_SEED:
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
    return tf.random.fold_in(base, tf.cast(step, tf.int32), alg="philox")


def stateless_uniform(seed: tf.Tensor, shape: Sequence) -> tf.Tensor:
    """A float32 draw from the open interval (0, 1), the same on every device and under XLA.

    TensorFlow's own float draws differ under XLA; its integers do not, so those are drawn.
    """
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")
    return uniform_of_bits(bits)


def uniform_of_bits(bits: tf.Tensor) -> tf.Tensor:
    """float32 numbers of the open interval (0, 1) of 32 random bits each, uint32."""
    # The upper 23 bits, and half a step so that 0 is never drawn.
    return (tf.cast(tf.bitwise.right_shift(bits, 9), tf.float32) + 0.5) * 2.0**-23


def stateless_normal(seed: tf.Tensor, shape: Sequence) -> tf.Tensor:
    """A float32 draw from N(0, 1) by the inverse distribution function of `stateless_uniform`."""
    return tf.math.ndtri(stateless_uniform(seed, shape))


def uniform_of(normal: tf.Tensor) -> tf.Tensor:
    """Draws from U(0, 1) of draws from N(0, 1), by its distribution function."""
    return 0.5 * tf.math.erfc(-normal * 2.0**-0.5)


def uniform(seed: tf.Tensor, shape: Sequence) -> tf.Tensor:
    """This replica's share of a draw from U(0, 1) for the global batch.

    Args:
        seed: From `step_seed`.
        shape: Shape of the share; the first axis is the local batch.

    Returns:
        A float32 tensor of that shape; the shares of all replicas together are the draw that one
        replica would have made for the whole batch.
    """
    return _share(stateless_uniform, seed, shape)


def normal(seed: tf.Tensor, shape: Sequence) -> tf.Tensor:
    """This replica's share of a draw from N(0, 1) for the global batch; see `uniform`."""
    return _share(stateless_normal, seed, shape)


def _share(draw, seed: tf.Tensor, shape: Sequence) -> tf.Tensor:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas == 1:
        return draw(seed, shape)
    batch = shape[0]
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return draw(seed, [batch * replicas, *shape[1:]])[replica * batch : (replica + 1) * batch]


_pass_seed: contextvars.ContextVar[tf.Tensor | None] = contextvars.ContextVar("pass", default=None)


@contextlib.contextmanager
def drawing(seed: tf.Tensor) -> Iterator[None]:
    """Within it, layers that draw take their seeds from `layer_seed`.

    A model does so around each pass of a network, so that what its layers draw is a function of
    the step, and no layer needs a state.

    Args:
        seed: From `step_seed`.
    """
    token = _pass_seed.set(seed)
    try:
        yield
    finally:
        _pass_seed.reset(token)


def layer_seed(name: str, own: int) -> tf.Tensor:
    """The seed of what a layer draws in this pass.

    Args:
        name: The layer's name, for an error.
        own: A number that no other layer of the network has.

    Raises:
        RuntimeError: Outside of `drawing`.
    """
    seed = _pass_seed.get()
    if seed is None:
        raise RuntimeError(
            f"{name} draws in training, and a draw is a function of the step: call the network "
            "within kgan.random.drawing(kgan.random.step_seed(seed, step, purpose)), as kgan's "
            "models do, or with training=False."
        )
    return tf.random.fold_in(seed, own, alg="philox")
