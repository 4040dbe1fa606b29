"""How a model's graph ends, and what its class scores rise with from before the end."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from kgan.attacks.log_values import log_of, log_of_rest, number_of

# Operations that pass values through, between a model's last activation and its output.
_TRANSPARENT = {"Identity", "IdentityN", "Cast", "Reshape", "Squeeze", "ExpandDims", "EnsureShape"}
# Those that mix values by sums and shares, so that what goes in decides what may come out.
_MIXING = {
    "Add", "AddN", "AddV2", "BiasAdd", "ConcatV2", "GatherV2", "Mean", "Mul", "Neg", "Pack",
    "RealDiv", "Slice", "StridedSlice", "Sub", "Sum", "Transpose",
}  # fmt: skip
# Sums that weights scale without bound.
_LINEAR = {
    "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Einsum",
    "FusedBatchNormV3", "MatMul", "_FusedMatMul",
}  # fmt: skip
_NEUTRAL = {"Const", "Fill", "Placeholder", "ReadVariableOp", "Shape", "Prod", "ZerosLike"}
# What normalisations divide by.
_SCALING = {"Maximum", "Rsqrt", "Sqrt", "Square", "SquaredDifference"}
# Functions without an end to how far they rise.
_UNBOUNDED = {"AvgPool", "Elu", "LeakyRelu", "LogSoftmax", "MaxPool", "Relu", "Selu", "Softplus"}
# Functions that nowhere fall: of single values, and of a row whose order they keep.
_RISING = {
    "Asinh", "Atan", "Ceil", "Elu", "Erf", "Exp", "Expm1", "Floor", "LeakyRelu", "Log", "Log1p",
    "LogSoftmax", "Relu", "Relu6", "Rint", "Round", "Selu", "Sigmoid", "Sign", "Softmax",
    "Softplus", "Softsign", "Sqrt", "Tanh",
}  # fmt: skip
# Functions whose values are above 0, such as lengths.
_POSITIVE = {"Exp", "Rsqrt", "Softplus", "Sqrt"}
_LIMITS = {"ClipByValue", "Maximum", "Minimum", "SelectV2"}
# Limits of shares that are against the log of 0, as in Keras's losses.
_NEAR = 1e-6


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a model's graph ends.

    Attributes:
        kind: "softmax" or "sigmoid" for that activation, "shares" for positive values whose logs
            are known, "linear" for sums with weights, "unknown" for anything else.
        scores: The input of the activation, the logs of the shares, or the output itself.
        odds: For shares the log of their odds, where it is known.
    """

    kind: str
    scores: tf.Tensor
    odds: tf.Tensor | None = None


def ending(outputs: tf.Tensor) -> Ending:
    """Reads the end of the graph that computes `outputs`, in graph mode."""
    end = _source(outputs)
    while (within := _within_near_limits(end)) is not None:
        end = _source(within)
    kind = end.op.type
    if kind == "Sigmoid" or (kind == "Softmax" and end.shape[-1] == outputs.shape[-1]):
        return Ending(kind.lower(), _shaped(end.op.inputs[0], outputs))
    if kind == "LogSoftmax":
        return Ending("linear", outputs)
    if (logs := log_of(end)) is not None:
        rest = log_of_rest(end)
        odds = None if rest is None else _shaped(logs - rest, outputs)
        return Ending("shares", _shaped(logs, outputs), odds)
    return Ending("linear" if _is_linear(end) else "unknown", outputs)


def behind(scores: tf.Tensor) -> tf.Tensor:
    """The values that class scores rise with, from before all functions that may saturate.

    Such as z in log(softmax(z) + 1e-9), where the gradient of the scores is lost. The likeliest
    class is the same but for rounding, see `deciding_as`, and nothing else need be.

    Args:
        scores: (batch, units) of several units, in graph mode.
    """
    found, end = scores, _source(scores)
    while True:
        if end.op.type in _RISING and end.op.inputs[0].shape[-1] == scores.shape[-1]:
            found = end.op.inputs[0]
            end = _source(found)
        elif (followed := _rises_with(end)) is not None:
            limited = end.op.type in _LIMITS
            end = _source(followed)
            found = end if limited else found
        else:
            break
    if (logs := log_of(end)) is not None:
        return _shaped(logs, scores)
    return scores if found is scores else _shaped(found, scores)


def deciding_as(scores: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Scores whose largest is that of the outputs, with the slopes that they had.

    Where outputs are rounded, to a tie or to what they saturate at, the class that they name need
    not be that of the scores behind: the model's own answer counts, so it is raised above the rest.

    Args:
        scores: float32 (batch, units).
        outputs: What the model gives, of the same shape. NaN, which names no class, stays NaN.
    """
    # TensorFlow takes the argmax from before functions that rise, so that no tie would be seen.
    own = tf.math.top_k(outputs, 1).indices[:, 0]
    found = tf.argmax(scores, axis=1, output_type=tf.int32)
    best = tf.reduce_max(scores, axis=1)
    missing = best - tf.gather(scores, own, batch_dims=1) + 1e-5 * (1.0 + tf.abs(best))
    missing = tf.where(own == found, 0.0, missing)
    raised = tf.one_hot(own, scores.shape[1], dtype=scores.dtype) * missing[:, None]
    # A slope of the outputs themselves may be infinite, and so NaN where it is left out.
    unknown = tf.stop_gradient(outputs)
    return tf.where(tf.math.is_nan(unknown), unknown, scores + tf.stop_gradient(raised))


def hides(scores: tf.Tensor) -> bool:
    """Whether scores may be flat: more is behind them than weighted sums of what has no bound."""

    def visit(end: tf.Tensor) -> list[tf.Tensor] | None:
        if end.op.type in _NEUTRAL | _UNBOUNDED:
            return []
        if end.op.type in _MIXING | _LINEAR | _SCALING:
            return [one for one in end.op.inputs if one.dtype.is_floating]
        return None

    return not _all_known(scores, visit)


def _is_linear(tensor: tf.Tensor) -> bool:
    """Whether weighted sums alone reach this tensor, mixed by sums and shares only."""
    found = []

    def visit(end: tf.Tensor) -> list[tf.Tensor] | None:
        if end.op.type in _LINEAR:
            found.append(end)
            return []
        if end.op.type in _MIXING:
            return [one for one in end.op.inputs if one.dtype.is_floating]
        return [] if end.op.type in _NEUTRAL else None

    return _all_known(tensor, visit) and bool(found)


def _all_known(tensor: tf.Tensor, visit: Callable[[tf.Tensor], list[tf.Tensor] | None]) -> bool:
    """Walks back from a tensor, to what `visit` returns, until it returns `None` for one."""
    todo, seen = [tensor], set()
    while todo:
        end = _source(todo.pop())
        if end.ref() in seen:
            continue
        seen.add(end.ref())
        if (further := visit(end)) is None:
            return False
        todo += further
    return True


def _rises_with(end: tf.Tensor) -> tf.Tensor | None:
    """What a tensor rises with by a number alone, or a number of its row."""
    kind, inputs = end.op.type, list(end.op.inputs)
    if kind == "ClipByValue":
        return inputs[0]
    if kind == "SelectV2":
        # A threshold, below which there is one number.
        taken = [one for one in inputs[1:] if number_of(one) is None]
        return taken[0] if len(taken) == 1 else None
    if len(inputs) != 2:
        return None
    values, number = inputs
    if kind in ("Add", "AddV2", "Maximum", "Minimum", "Mul") and number_of(number) is None:
        values, number = number, values
    if _is_of_row(number) and (
        kind in ("Add", "AddV2", "Sub")
        or (kind in ("Mul", "RealDiv") and _is_positive(number, values))
    ):
        return values
    constant = number_of(number)
    if constant is None or values.shape.rank == 0:
        return None
    if kind in ("Mul", "RealDiv") and not constant > 0:
        return None
    first = values is inputs[0]
    rises = kind in ("Add", "AddV2", "Maximum", "Minimum", "Mul")
    return values if rises or (first and kind in ("Sub", "RealDiv")) else None


def _is_of_row(tensor: tf.Tensor) -> bool:
    """Whether a tensor has a number for each row."""
    return tensor.shape.rank not in (None, 0) and tensor.shape[-1] == 1


def _is_positive(number: tf.Tensor, values: tf.Tensor) -> bool:
    """Whether a tensor is a length, or the sum of what it divides, which is nowhere negative."""
    number = _source(number)
    if number.op.type == "Sum":
        same = _source(number.op.inputs[0]).ref() == _source(values).ref()
        return same and _is_not_negative(values)
    return number.op.type in _POSITIVE


def _is_not_negative(tensor: tf.Tensor) -> bool:
    end = _source(tensor)
    if end.op.type in ("Add", "AddV2", "Maximum"):
        parts = [_is_not_negative(one) for one in end.op.inputs]
        return any(parts) if end.op.type == "Maximum" else all(parts)
    constant = number_of(end)
    if constant is not None:
        return constant >= 0
    return end.op.type in ("Abs", "Relu", "Relu6", "Square") or log_of(end) is not None


def _within_near_limits(end: tf.Tensor) -> tf.Tensor | None:
    """The shares that a tensor holds within limits next to 0 and 1; `None` for others."""
    if end.op.type not in ("Maximum", "Minimum", "ClipByValue"):
        return None
    limits = [number_of(one) for one in end.op.inputs[1:]]
    near = [one is not None and (one <= _NEAR or one >= 1 - _NEAR) for one in limits]
    return end.op.inputs[0] if all(near) else None


def _source(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor whose values this one passes on."""
    while tensor.op.type in _TRANSPARENT:
        tensor = _input(tensor)
    return tensor


def _input(tensor: tf.Tensor) -> tf.Tensor:
    return tensor.op.inputs[tensor.value_index if tensor.op.type == "IdentityN" else 0]


def _shaped(values: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    found = tf.reshape(values, tf.shape(outputs))
    found.set_shape(outputs.shape)
    return found
