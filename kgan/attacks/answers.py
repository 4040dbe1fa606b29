"""What answers behind a black box: a SavedModel's signature, an ONNX session, a server."""

import importlib.util
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
import tensorflow as tf

from kgan.client import Client, ServerError

# Signatures and outputs that are taken where there are several, the first that is there.
_SIGNATURES = ("classify", "serving_default")
_OUTPUTS = ("logits", "probabilities")
# Images in one request; a server may refuse larger batches.
_AT_A_TIME = 32
# What REST and gRPC answer where a token is missing.
_NO_TOKEN = (401, "UNAUTHENTICATED")
_ONNX_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": float,
    "tensor(uint8)": np.uint8,
}

Ask = Callable[[np.ndarray], np.ndarray]


class Answer(NamedTuple):
    """What answers behind a black box.

    Attributes:
        shape: The shape (batch, ...) that the model takes, with `None` where it is free; `None`
            where it is unknown.
        dtype: "uint8" for a model of whole numbers, else "float32".
        ask: From images of that type to outputs.
    """

    shape: tuple[int | None, ...] | None
    dtype: str
    ask: Ask


def saved_model(folder: Path, signature: str | None, output: str | int | None) -> Answer:
    """A signature of the SavedModel in a folder; arguments as for `black_box`."""
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # Of classes that have no common base.
        raise ValueError(f"{folder} is no SavedModel that can be loaded: {error}") from error
    name = _choose("signature", signature, list(loaded.signatures), _SIGNATURES, str(folder))
    function = loaded.signatures[name]
    inputs = function.structured_input_signature[1]
    types = {key: spec.dtype.name for key, spec in inputs.items()}
    taken, dtype = _only_input(str(folder), types)
    shape = inputs[taken].shape
    given = _choose("output", output, list(function.structured_outputs), _OUTPUTS, str(folder))

    def ask(images: np.ndarray) -> np.ndarray:
        # The loaded model lives as long as this function.
        outputs = loaded.signatures[name](**{taken: tf.cast(images, inputs[taken].dtype)})
        return outputs[given].numpy()

    return _of_any_batch(shape.as_list() if shape.rank is not None else None, dtype, ask)


def onnx(path: Path, output: str | int | None) -> Answer:
    """An ONNX file; arguments as for `black_box`."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    if importlib.util.find_spec("onnxruntime") is None:
        raise ImportError("ONNX needs onnxruntime: pip install 'kgan[onnx]'.")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # Of classes that have no common base.
        raise ValueError(f"{path} is no ONNX file that can be loaded: {error}") from error
    inputs = {one.name: one for one in session.get_inputs()}
    taken, dtype = _only_input(str(path), {name: one.type for name, one in inputs.items()})
    if inputs[taken].type not in _ONNX_TYPES:
        known = ", ".join(_ONNX_TYPES)
        raise ValueError(f"{path} must take one of {known}, takes {inputs[taken].type}.")
    types = {one.name: one.type for one in session.get_outputs()}
    names = list(types)
    if output not in names and str(output).isdecimal() and int(str(output)) < len(names):
        output = names[int(str(output))]
    given = _choose("output", output, names, _OUTPUTS, str(path))
    if not types[given].startswith("tensor("):
        raise ValueError(f"output {given} of {path} must be one tensor of scores: {types[given]}.")
    exact = _ONNX_TYPES[inputs[taken].type]
    shape = [size if isinstance(size, int) else None for size in inputs[taken].shape]
    return _of_any_batch(
        shape, dtype, lambda images: session.run([given], {taken: images.astype(exact)})[0]
    )


def server(
    address: str,
    signature: str | None,
    output: str | int | None,
    *,
    token: str | None,
    timeout: float,
) -> Answer:
    """A model of a server; arguments as for `black_box`."""
    parts = urlsplit(address)
    path = re.fullmatch(r"/(?:v1/models/)?([^/]+)(?:/versions/(\d+))?/?", parts.path)
    if path is None:
        raise ValueError(
            "the address of a model must be like http://HOST:PORT/v1/models/NAME, or with "
            f"/versions/NUMBER after it, or grpc://HOST:PORT/NAME, got {address!r}."
        )
    version = None if path[2] is None else int(path[2])
    client = Client(
        f"{parts.scheme}://{parts.netloc}",
        unquote(path[1]),
        version=version,
        timeout=timeout,
        token=token,
    )
    try:
        known = client.metadata()
    except ServerError as error:
        remedy = " (--token-file FILE)" if error.code in _NO_TOKEN and token is None else ""
        raise ValueError(f"no model answers at {address}: {error}{remedy}") from error
    # TensorFlow Serving also lists what initialises a model.
    names = [name for name in known if not name.startswith("__")]
    name = _choose("signature", signature, names, _SIGNATURES, address)
    inputs = known[name]["inputs"]
    taken, dtype = _only_input(address, {key: _dtype(one) for key, one in inputs.items()})
    given = _choose("output", output, list(known[name]["outputs"]), _OUTPUTS, address)

    def ask(images: np.ndarray) -> np.ndarray:
        try:
            outputs = client.predict(name, **{taken: images})
        except ServerError as error:
            raise ConnectionError(
                f"{address} did not answer {len(images)} images within {timeout:g} s or refused "
                f"them, and the attack cannot go on: {error} (In Python: "
                "kgan.attacks.black_box(..., timeout=...).)"
            ) from error
        return outputs[given] if isinstance(outputs, dict) else outputs

    return _of_any_batch(_shape(inputs[taken]), dtype, ask, most=_AT_A_TIME)


def _of_any_batch(
    shape: list[int | None] | None, dtype: str, ask: Ask, *, most: int | None = None
) -> Answer:
    """The same for batches of any size, of what takes one size alone, or so many at most."""
    only = shape[0] if shape else None
    size = only or most
    free = None if shape is None else (None, *shape[1:])
    if size is None:
        return Answer(free, dtype, ask)

    def asked(images: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(images), size):
            some = images[start : start + size]
            # Images are repeated to fill a batch of the only size.
            filled = np.resize(some, (size, *some.shape[1:])) if only else some
            found.append(ask(filled)[: len(some)])
        return np.concatenate(found)

    return Answer(free, dtype, asked)


def _dtype(tensor: Mapping[str, Any]) -> str:
    return str(tensor.get("dtype", "")).removeprefix("DT_").lower()


def _shape(tensor: Mapping[str, Any]) -> list[int | None] | None:
    """The shape that a server says a tensor has, with `None` where it is free."""
    told = tensor.get("tensor_shape") or {}
    if not told.get("dim") or told.get("unknown_rank"):
        return None
    sizes = [int(one.get("size", -1)) for one in told["dim"]]
    return [None if size < 0 else size for size in sizes]


def _only_input(source: str, types: Mapping[str, str]) -> tuple[str, str]:
    """The name of the one input, and what it takes: "uint8" or "float32"."""
    if len(types) != 1:
        raise ValueError(
            f"{source} must take images alone, takes {', '.join(types) or 'nothing'}. A function "
            "that gives it the rest can be attacked: kgan.attacks.Victim(function)."
        )
    ((name, kind),) = types.items()
    if "uint8" in kind:
        return name, "uint8"
    if not any(word in kind for word in ("float", "double", "half")):
        raise ValueError(
            f"{source} takes {kind}: it must take images, floating-point numbers or uint8 in "
            "[0, 255]."
        )
    return name, "float32"


def _choose(
    what: str, given: str | int | None, known: list[str], usual: tuple[str, ...], source: str
) -> str:
    """The signature or output that is given, the only one, or the first usual one."""
    if given is None:
        found = known if len(known) == 1 else [name for name in usual if name in known]
        if found:
            return found[0]
    elif given in known:
        return str(given)
    raise ValueError(
        f"{what} of {source} must be one of {', '.join(known) or '(there is none)'}, got "
        f"{'none' if given is None else repr(given)}: --{what} NAME, or "
        f"kgan.attacks.black_box(..., {what}=...)."
    )
