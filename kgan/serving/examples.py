"""Classify and Regress: tf.Examples in, classes with scores or values out.

A signature answers them by the names of its tensors, whatever its method's name: `inputs` takes
serialized examples; `classes` and `scores`, or one of them, make a classification; `outputs` a
regression.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.serving.errors import ServingError, invalid
from kgan.serving.signature import Arrays, Signature

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
METHODS = {"classify": CLASSIFY, "regress": REGRESS}


def check(signature: Signature, method: str) -> None:
    """Refuses a signature that cannot answer a method.

    Args:
        signature: The signature.
        method: `CLASSIFY` or `REGRESS`.

    Raises:
        ServingError: INVALID_ARGUMENT; UNIMPLEMENTED for another method.
    """
    if method not in METHODS.values():
        raise ServingError("UNIMPLEMENTED", f"Unsupported signature method_name: {method}")
    classify = method == CLASSIFY
    outputs = ("classes", "scores") if classify else ("outputs",)
    if len(signature.inputs) != 1:
        raise invalid(f"Expected one input Tensor, got {', '.join(signature.inputs) or 'none'}.")
    if not 1 <= len(signature.outputs) <= len(outputs):
        raise invalid(
            f"Expected {'one or two output Tensors' if classify else 'one output Tensor'}, found "
            f"{len(signature.outputs)}."
        )
    what = "classification" if classify else "regression"
    if "inputs" not in signature.inputs:
        raise invalid(f"No {what} inputs found in SignatureDef: {', '.join(signature.inputs)}.")
    if not set(outputs) & set(signature.outputs):
        raise invalid(
            f"Expected {what} signature outputs to contain {' or '.join(outputs)}. "
            f"Signature was: {', '.join(signature.outputs)}."
        )


def serialized(asked: Any) -> np.ndarray:
    """The examples of an `Input` message, each with the context where there is one.

    Returns:
        Bytes (n,).

    Raises:
        ServingError: INVALID_ARGUMENT where there are none.
    """
    kind = asked.WhichOneof("kind")
    found: Sequence[Any] = () if kind is None else getattr(asked, kind).examples
    if not found:
        raise invalid("Input is empty.")
    context = b""
    if kind == "example_list_with_context":
        context = asked.example_list_with_context.context.SerializeToString()
    made = np.empty(len(found), object)
    # Protobuf joins messages whose bytes follow each other.
    made[:] = [context + one.SerializeToString() for one in found]
    return made


def fill(result: Any, outputs: Arrays, examples: int, method: str) -> None:
    """Writes the outputs of a signature into a ClassificationResult or a RegressionResult.

    Raises:
        ServingError: INVALID_ARGUMENT where they are not what the method promises.
    """
    if method == CLASSIFY:
        _fill_classes(result, outputs.get("classes"), outputs.get("scores"), examples)
    else:
        _fill_values(result, outputs["outputs"], examples)


def _fill_classes(
    result: Any, classes: np.ndarray | None, scores: np.ndarray | None, examples: int
) -> None:
    for name, array, dtype in (("classes", classes, tf.string), ("scores", scores, tf.float32)):
        if array is None:
            continue
        if array.ndim != 2:
            raise invalid(
                "Expected Tensor shape: [batch_size num_classes] but got "
                f"{list(array.shape)} for {name}."
            )
        if array.dtype != dtype.as_numpy_dtype:
            raise invalid(f"Expected {name} Tensor of {dtype.name}. Got: {array.dtype.name}.")
        if len(array) != examples:
            raise invalid(f"Expected {name} output batch size of {examples}. Got: {len(array)}.")
    if classes is not None and scores is not None and classes.shape != scores.shape:
        raise invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{classes.shape[1]} vs. {scores.shape[1]}."
        )
    first = classes if classes is not None else scores
    assert first is not None
    for row in range(examples):
        told = result.classifications.add()
        for column in range(first.shape[1]):
            one = told.classes.add()
            if classes is not None:
                one.label = _text(classes[row, column])
            if scores is not None:
                one.score = scores[row, column]


def _text(label: bytes) -> str:
    try:
        return label.decode()
    except UnicodeDecodeError:
        raise invalid(f"Expected class labels in UTF-8. Got: {label[:80]!r}.") from None


def _fill_values(result: Any, values: np.ndarray, examples: int) -> None:
    if values.ndim not in (1, 2) or (values.ndim == 2 and values.shape[1] != 1):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(values.shape)}."
        )
    if len(values) != examples:
        raise invalid(
            f"Input batch size did not match output batch size: {examples} vs. {len(values)}."
        )
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT. Got: {values.dtype.name}.")
    for value in values.ravel().tolist():
        result.regressions.add(value=value)
