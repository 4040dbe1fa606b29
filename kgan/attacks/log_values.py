"""Logs of the positive values in a graph, from before float32 rounds these to 0 or 1."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# Operations that move values, and what they do to the logs of these. Those of `_JOINING` have
# several inputs of values, the others one.
_JOINING: dict[str, Callable[[tf.Operation, list[tf.Tensor]], tf.Tensor]] = {
    "ConcatV2": lambda op, logs: tf.concat(logs, op.inputs[-1]),
    "Pack": lambda op, logs: tf.stack(logs, axis=op.get_attr("axis")),
}
_MOVING: dict[str, Callable[[tf.Operation, tf.Tensor], tf.Tensor]] = {
    "BroadcastTo": lambda op, logs: tf.broadcast_to(logs, op.inputs[1]),
    "Cast": lambda op, logs: logs,
    "EnsureShape": lambda op, logs: logs,
    "ExpandDims": lambda op, logs: tf.expand_dims(logs, op.inputs[1]),
    "GatherV2": lambda op, logs: tf.gather(
        logs, op.inputs[1], axis=op.inputs[2], batch_dims=op.get_attr("batch_dims")
    ),
    "Identity": lambda op, logs: logs,
    "Reshape": lambda op, logs: tf.reshape(logs, op.inputs[1]),
    "Squeeze": lambda op, logs: tf.squeeze(logs, op.get_attr("squeeze_dims")),
    "StridedSlice": lambda op, logs: tf.strided_slice(
        logs,
        *op.inputs[1:],
        **{
            f"{name}_mask": op.get_attr(f"{name}_mask")
            for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
        },
    ),
    "Tile": lambda op, logs: tf.tile(logs, op.inputs[1]),
    "Transpose": lambda op, logs: tf.transpose(logs, op.inputs[1]),
}


def log_of(values: tf.Tensor) -> tf.Tensor | None:
    """The logs of positive values, computed from the logits that these are made of.

    Followed are sums, products, quotients and powers of softmaxes, sigmoids and exponentials, and
    what moves values: so the mean of an ensemble or of several views, a mixture of experts with
    weights of its own, or shares times priors over their sum.

    Args:
        values: A tensor, in graph mode.

    Returns:
        float32 of the same shape, or `None` for values that are made otherwise.
    """
    return _Follower().log(values, rest=False)


def log_of_rest(shares: tf.Tensor) -> tf.Tensor | None:
    """The same of what shares lack to 1: of sigmoids, and of the means of several."""
    return _Follower().log(shares, rest=True)


class _Follower:
    """Follows a graph from its end, each tensor once."""

    def __init__(self):
        self._found: dict[Any, tf.Tensor | None] = {}

    def log(self, values: tf.Tensor, *, rest: bool) -> tf.Tensor | None:
        """The log of values, or of the rest to 1; `None` where it is not known."""
        key = (values.ref(), rest)
        if key not in self._found:
            self._found[key] = self._log(values, rest)
        return self._found[key]

    def _log(self, values: tf.Tensor, rest: bool) -> tf.Tensor | None:
        op = values.op
        kind, inputs = op.type, list(op.inputs)
        if kind == "IdentityN":
            return self.log(inputs[values.value_index], rest=rest)
        if kind in _MOVING:
            return self._from(inputs[:1], rest, lambda logs: _MOVING[kind](op, *logs))
        if kind in _JOINING:
            numbers = [one for one in inputs if one.dtype.is_floating]
            return self._from(numbers, rest, lambda logs: _JOINING[kind](op, logs))
        if kind == "Sigmoid":
            return -tf.nn.softplus(_float32(inputs[0]) * (1.0 if rest else -1.0))
        if kind == "Sub" and number_of(inputs[0]) == 1.0:
            return self.log(inputs[1], rest=not rest)
        if kind == "Mean":
            return self._from(inputs[:1], rest, lambda logs: _REDUCING[kind](op, *logs))
        if rest:
            parts = _averaged(op)
            return self._from(parts, rest, lambda logs: _sum(op, logs) - float(np.log(len(logs))))
        return self._log_of_positive(op)

    def _log_of_positive(self, op: tf.Operation) -> tf.Tensor | None:
        kind, inputs = op.type, list(op.inputs)
        if kind in _MADE:
            return _MADE[kind](op)
        if kind in _REDUCING:
            return self._from(inputs[:1], False, lambda logs: _REDUCING[kind](op, *logs))
        if kind in _COMBINING:
            return self._from(inputs, False, lambda logs: _COMBINING[kind](op, logs))
        power = number_of(inputs[1]) if kind == "Pow" else _POWERS.get(kind)
        if power is None:
            return None
        return self._from(inputs[:1], False, lambda logs: power * logs[0])

    def _from(
        self,
        tensors: Sequence[tf.Tensor],
        rest: bool,
        make: Callable[[list[tf.Tensor]], tf.Tensor],
    ) -> tf.Tensor | None:
        """What is made of the logs of some tensors; `None` where there are none, or not of all."""
        found = []
        for tensor in tensors:
            if (logs := self.log(tensor, rest=rest)) is None:
                return None
            found.append(logs)
        return make(found) if found else None


def _averaged(op: tf.Operation) -> list[tf.Tensor]:
    """The tensors of which an operation takes the mean, as a sum over their number."""
    number = None if op.type not in ("Mul", "RealDiv") else number_of(op.inputs[1])
    if number is None:
        return []
    found = _summands(op.inputs[0])
    count = number if op.type == "RealDiv" else 1.0 / number
    return found if abs(len(found) - count) < 1e-3 else []


def _summands(tensor: tf.Tensor) -> list[tf.Tensor]:
    if tensor.op.type not in ("Add", "AddN", "AddV2"):
        return [tensor]
    return [part for one in tensor.op.inputs for part in _summands(one)]


def number_of(tensor: tf.Tensor) -> float | None:
    """The number that a constant holds, once or in all its places; `None` for others."""
    if tensor.op.type in ("ZerosLike", "OnesLike"):
        return float(tensor.op.type == "OnesLike")
    constant = tf.get_static_value(tensor)
    if constant is None or constant.size == 0 or np.ptp(constant) != 0:
        return None
    return float(constant.flat[0])


def _float32(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32)


def _constant(op: tf.Operation) -> tf.Tensor | None:
    constant = tf.get_static_value(op.outputs[0])
    if constant is None or not op.outputs[0].dtype.is_floating or not np.all(constant > 0):
        return None
    return tf.math.log(_float32(op.outputs[0]))


# What positive values are made from.
_MADE: dict[str, Callable[[tf.Operation], tf.Tensor | None]] = {
    "Const": _constant,
    "Exp": lambda op: _float32(op.inputs[0]),
    "Softmax": lambda op: tf.nn.log_softmax(_float32(op.inputs[0])),
}


def _reducing(reduce: Callable[..., tf.Tensor]) -> Callable[[tf.Operation, tf.Tensor], tf.Tensor]:
    return lambda op, logs: reduce(logs, axis=op.inputs[1], keepdims=op.get_attr("keep_dims"))


def _mean(op: tf.Operation, logs: tf.Tensor) -> tf.Tensor:
    count = tf.size(logs) / tf.size(op.outputs[0])
    return _REDUCING["Sum"](op, logs) - tf.math.log(_float32(count))


_REDUCING = {
    "Max": _reducing(tf.reduce_max),
    "Mean": _mean,
    "Min": _reducing(tf.reduce_min),
    "Prod": _reducing(tf.reduce_sum),
    "Sum": _reducing(tf.reduce_logsumexp),
}
_POWERS = {"Reciprocal": -1.0, "Rsqrt": -0.5, "Sqrt": 0.5, "Square": 2.0}


def _sum(op: tf.Operation, logs: Sequence[tf.Tensor]) -> tf.Tensor:
    shape = tf.shape(op.outputs[0])
    return tf.reduce_logsumexp(tf.stack([tf.broadcast_to(one, shape) for one in logs]), axis=0)


def _limited(op: tf.Operation, logs: Sequence[tf.Tensor]) -> tf.Tensor:
    """The larger or the smaller; within constant limits, with the slope from before them."""
    found = (tf.maximum if op.type == "Maximum" else tf.minimum)(*logs)
    if number_of(op.inputs[1]) is None:
        return found
    return logs[0] + tf.stop_gradient(found - logs[0])


_COMBINING: dict[str, Callable[[tf.Operation, Sequence[tf.Tensor]], tf.Tensor]] = {
    "Add": _sum,
    "AddN": _sum,
    "AddV2": _sum,
    "Maximum": _limited,
    "Minimum": _limited,
    "Mul": lambda op, logs: logs[0] + logs[1],
    "RealDiv": lambda op, logs: logs[0] - logs[1],
}
