"""What a classifier's outputs are: declared, or evident from its graph, its loss or its values."""

import contextlib
import dataclasses
import functools
import inspect
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import mixtures

HEADS = ("logits", "softmax", "sigmoid")
"""The kinds of output: scores of any size, shares of one whole, or a share for each unit."""

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
_ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "LogSoftmax": "linear"}

_HINGES = ("hinge", "squared_hinge", "categorical_hinge")
_REGRESSIONS = ("mean_", "mse", "mae", "huber", "log_cosh", "msle", "mape")


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a model's graph ends.

    Attributes:
        kind: "softmax" or "sigmoid" for that activation, "linear" for sums with weights,
            "unknown" for anything else.
        scores: The input of the activation, or the output itself.
    """

    kind: str
    scores: tf.Tensor


def ending(outputs: tf.Tensor) -> Ending:
    """Reads the end of the graph that computes `outputs`, in graph mode."""
    end = _unclipped(_source(outputs))
    kind = _ACTIVATIONS.get(end.op.type)
    if kind in ("softmax", "sigmoid"):
        scores = tf.reshape(end.op.inputs[0], tf.shape(outputs))
        scores.set_shape(end.shape if end.shape.rank == 2 else outputs.shape)
        return Ending(kind, scores)
    if (scores := mixtures.scores_of(end)) is not None:
        return Ending("softmax", scores)
    return Ending(kind or ("linear" if _is_linear(end) else "unknown"), outputs)


# Functions of single values that rise everywhere, and those of a row that keep its order.
_RISING = {
    "Asinh", "Atan", "Elu", "Erf", "Exp", "Expm1", "LeakyRelu", "Log", "Log1p", "LogSoftmax",
    "Selu", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh",
}  # fmt: skip
_POSITIVE = {"Exp", "Sigmoid", "Softmax", "Softplus"}


def behind(outputs: tf.Tensor) -> tf.Tensor:
    """The values that class scores rise with, from before all functions that may saturate.

    Such as z in log(softmax(z) + 1e-9), where the gradient of the scores is lost. The likeliest
    class is the same, and nothing else need be.

    Args:
        outputs: Scores (batch, units) of several units, in graph mode.
    """
    found, end = outputs, _source(outputs)
    while True:
        kind, inputs = end.op.type, end.op.inputs
        if kind in _RISING and inputs[0].shape[-1] == outputs.shape[-1]:
            found = inputs[0]
            end = _source(found)
        elif (followed := _rises_with(end)) is not None:
            end = _source(followed)
        else:
            break
    if found is outputs:
        return outputs
    found = tf.reshape(found, tf.shape(outputs))
    found.set_shape(outputs.shape)
    return found


def _rises_with(end: tf.Tensor) -> tf.Tensor | None:
    """What a tensor rises with by a number alone, or by a limit that the likeliest never meets."""
    inputs = end.op.inputs
    if end.op.type == "RealDiv" and inputs[1].op.type == "Sum":
        # Shares of their own sum.
        same = _source(inputs[1].op.inputs[0]).ref() == _source(inputs[0]).ref()
        return inputs[0] if same and _is_positive(inputs[0]) else None
    if (shares := _unclipped(end)) is not end:
        return shares
    if len(inputs) != 2:
        return None
    values, number = inputs
    if end.op.type in ("AddV2", "Add", "Mul") and values.shape.rank == 0:
        values, number = number, values
    constant = tf.get_static_value(number)
    if constant is None or constant.size != 1:
        return None
    constant = float(constant.reshape(-1)[0])
    follows = {
        "Add": True,
        "AddV2": True,
        "Sub": values is inputs[0],
        "Mul": constant > 0,
        "RealDiv": values is inputs[0] and constant > 0,
        "Pow": values is inputs[0] and constant > 0 and _is_positive(values),
    }
    return values if follows.get(end.op.type) else None


def _is_positive(tensor: tf.Tensor) -> bool:
    """Whether a tensor is made of numbers above 0, or powers of them."""
    end = _unclipped(_source(tensor))
    if end.op.type == "Pow":
        end = _unclipped(_source(end.op.inputs[0]))
    return end.op.type in _POSITIVE


def _unclipped(tensor: tf.Tensor) -> tf.Tensor:
    """The shares that a tensor holds within limits, where these decide no class.

    A softmax's largest share is above every limit below 1 / units, its second below one above 0.5;
    and a sigmoid's 0.5 is between limits on both sides of it.
    """
    end, low, high = tensor, 0.0, 1.0
    while end.op.type in ("Maximum", "Minimum", "ClipByValue"):
        numbers = [tf.get_static_value(one) for one in end.op.inputs[1:]]
        if any(number is None or number.size != 1 for number in numbers):
            return tensor
        limits = [float(number.reshape(-1)[0]) for number in numbers]
        if end.op.type != "Minimum":
            low = max(low, limits[0])
        if end.op.type != "Maximum":
            high = min(high, limits[-1])
        end = _source(end.op.inputs[0])
    units = end.shape[-1] if end.shape.rank else None
    least = {"Softmax": 1.0 / (units or math.inf), "Sigmoid": 0.5}.get(end.op.type, 0.0)
    return end if low < least and high > 0.5 else tensor


def _source(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor whose values this one passes on."""
    while tensor.op.type in _TRANSPARENT:
        tensor = tensor.op.inputs[tensor.value_index if tensor.op.type == "IdentityN" else 0]
    return tensor


def _is_linear(tensor: tf.Tensor) -> bool:
    """Whether weighted sums alone reach this tensor, mixed by sums and shares only."""
    todo, seen, found = [tensor], set(), False
    while todo:
        end = _source(todo.pop())
        if end.ref() in seen:
            continue
        seen.add(end.ref())
        if end.op.type in _MIXING:
            todo += [one for one in end.op.inputs if one.dtype.is_floating]
        elif end.op.type in _LINEAR:
            found = True
        elif end.op.type not in _NEUTRAL:
            return False
    return found


def told_by_loss(loss: Any) -> str | None:
    """What a compiled loss takes: "logits", "probabilities", "values", or `None` if unknown."""
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return None
    if isinstance(loss, functools.partial):
        from_logits = inspect.signature(loss).parameters.get("from_logits")
        if from_logits is not None:
            return "logits" if from_logits.default else "probabilities"
        return told_by_loss(loss.func)
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", "")).lower()
    if isinstance(loss, keras.losses.Loss):
        from_logits = getattr(loss, "from_logits", None)
        if from_logits is None:
            with contextlib.suppress(NotImplementedError):  # A loss of the user's own.
                from_logits = loss.get_config().get("from_logits")
        if from_logits is not None:
            return "logits" if from_logits else "probabilities"
    elif callable(loss) and name.endswith("crossentropy"):
        # As a function it is called with its defaults.
        return "probabilities"
    if name in _HINGES:
        return "logits"
    return "values" if name.startswith(_REGRESSIONS) else None


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What is known of a classifier's outputs.

    Attributes:
        name: The classifier's name, for errors.
        ending: How its graph ends, a kind of `Ending`.
        outputs: Outputs for a few images and for noise, (n, units).
        loss: What its compiled loss takes, as `told_by_loss` says.
    """

    name: str
    ending: str
    outputs: np.ndarray
    loss: str | None

    @property
    def binary(self) -> bool:
        return self.outputs.shape[1] == 1

    @property
    def may_be_probabilities(self) -> bool:
        return bool(np.all((self.outputs >= 0) & (self.outputs <= 1)))

    @property
    def sums_to_one(self) -> bool:
        """Whether the rows are shares of one whole that differ from input to input."""
        sums = np.allclose(self.outputs.sum(axis=1), 1.0, atol=1e-3)
        varied = bool(np.ptp(self.outputs, axis=0).max() > 1e-6)
        return not self.binary and self.may_be_probabilities and sums and varied

    @property
    def outputs_range(self) -> str:
        return f"outputs from {self.outputs.min():.3g} to {self.outputs.max():.3g}"


def find(evidence: Evidence) -> str:
    """The head that the evidence shows.

    Values between 0 and 1 alone prove nothing, since logits may lie there too. The end of the graph
    comes first, then values that no probability has, then the compiled loss.

    Raises:
        ValueError: When the evidence leaves it open, or contradicts itself where that decides what
            the classifier answers; the message says what to declare.
    """
    name, loss = evidence.name, evidence.loss
    if evidence.ending in ("softmax", "sigmoid"):
        if evidence.binary and evidence.ending == "softmax":
            raise ValueError(f"{name} has a softmax of a single unit, which is always 1.")
        if evidence.binary and loss == "logits":
            _refuse(f"{name} ends in a sigmoid, but its compiled loss takes logits")
        return evidence.ending
    if evidence.ending == "linear" or not evidence.may_be_probabilities:
        if evidence.binary and loss in ("probabilities", "values"):
            _refuse(
                f"{name} has a single output without an activation, but its compiled loss takes "
                f"{loss}, so its classes may part at 0 or at 0.5"
            )
        # A sum of probabilities, such as an ensemble's or a coarser class's, is one too.
        return "softmax" if evidence.sums_to_one else "logits"
    if evidence.sums_to_one:
        return "softmax"
    if loss == "logits":
        return "logits"
    if loss == "probabilities":
        return "sigmoid"
    return _refuse(
        f"{name} gives {evidence.outputs_range}, which may be logits or probabilities: its graph "
        "shows no last activation, and it was not compiled with a loss that tells"
    )


def agree(head: str, evidence: Evidence) -> str:
    """The declared head, checked against the evidence.

    Raises:
        ValueError: When the graph or the outputs show another one.
    """
    name = evidence.name
    if evidence.ending in ("softmax", "sigmoid") and head != evidence.ending:
        raise ValueError(f"head {head!r} was declared for {name}, which ends in {evidence.ending}.")
    if head == "softmax" and evidence.binary:
        raise ValueError(f"head 'softmax' needs several outputs, {name} has one: use 'sigmoid'.")
    if head != "logits" and not evidence.may_be_probabilities:
        raise ValueError(f"head {head!r} was declared for {name}, with {evidence.outputs_range}.")
    return head


def _refuse(why: str) -> str:
    raise ValueError(
        f'{why}. Declare it: kgan.attacks.Victim(model, head="logits"), or head="softmax" or '
        '"sigmoid" (--head on the command line).'
    )
