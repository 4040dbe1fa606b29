"""What a classifier's outputs are: declared, or evident from its graph, its loss or its values."""

import contextlib
import dataclasses
import functools
import inspect
from typing import Any

import keras
import numpy as np

HEADS = ("logits", "softmax", "sigmoid")
"""The kinds of output: scores of any size, shares of one whole, or a share for each unit."""

# By how much shares, also those of float16, may pass 1 together.
_ROUNDING = 1e-3

_HINGES = ("hinge", "squared_hinge", "categorical_hinge")
_REGRESSIONS = ("mean_", "mse", "mae", "huber", "log_cosh", "msle", "mape")


def are_shares(outputs: np.ndarray) -> bool:
    """Whether all outputs are between 0 and 1, as they are rounded."""
    return bool(np.all((outputs >= -_ROUNDING) & (outputs <= 1 + _ROUNDING)))


def are_one_hot(outputs: np.ndarray) -> bool:
    """Whether each row (n, units) is 1 for one unit and 0 for all others, of several."""
    binary = (outputs == 0) | (outputs == 1)
    return outputs.shape[1] > 1 and bool(np.all(binary) and np.all(outputs.sum(axis=1) == 1))


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
        ending: How its graph ends, a kind of `kgan.attacks.endings.Ending`.
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
        return are_shares(self.outputs)

    @property
    def sums_to_one(self) -> bool:
        """Whether the rows are shares of one whole that differ from input to input."""
        sums = np.allclose(self.outputs.sum(axis=1), 1.0, atol=_ROUNDING)
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
