"""Classifiers that only answer: a SavedModel, an ONNX file, or a server, as functions of images.

    model = kgan.attacks.black_box("model.onnx")
    victim = kgan.attacks.Victim(model, data_format="channels_first", bounds=(-1, 1))
    kgan.attacks.Square(8 / 255).run(victim, images, labels)

Nothing is known of their gradients, so only attacks that ask can be run, see `Attack.needs`.
"""

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import tensorflow as tf

from kgan.client import Client, ServerError

SCHEMES = ("http", "https", "grpc")
"""How the address of a server begins."""

# Signatures and outputs that are taken where there are several, the first that is there.
_SIGNATURES = ("classify", "serving_default")
_OUTPUTS = ("logits", "probabilities")
# Images in one request; a server may refuse larger batches.
_AT_A_TIME = 32
_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": float}

# The shape that a model takes, (batch, ...) with None where it is free, or None; and what answers.
Answer = tuple[tuple[int | None, ...] | None, Callable[[np.ndarray], np.ndarray]]


class BlackBox:
    """A function from float32 images (n, ...) to scores (n, classes), behind which a model answers.

    Attributes:
        source: The file, folder or address.
        input_shape: The shape (batch, ...) of the images that it takes; `None` if it is unknown.
        identity: A hash of the files; for a server, whose model may change, `None`.
    """

    def __init__(self, source: str, answer: Answer, identity: str | None):
        self.source = source
        self.input_shape, self._answer = answer
        self.identity = identity
        self.__name__ = Path(urlsplit(source).path).stem or source

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self._answer(images))

    def __repr__(self) -> str:
        return f"black_box({self.source!r})"


def is_black_box(source: str) -> bool:
    """Whether this is the name of a SavedModel, an ONNX file or a server."""
    path = Path(source).expanduser()
    return is_address(source) or path.suffix == ".onnx" or _version_of(path) is not None


def is_address(source: str) -> bool:
    return urlsplit(source).scheme in SCHEMES


def black_box(
    source: str | Path, *, signature: str | None = None, output: str | int | None = None
) -> BlackBox:
    """A classifier that only answers.

    Args:
        source: A SavedModel's folder, or the folder of its versions, of which the newest is taken;
            an `.onnx` file (extra `onnx`); or the address of a model that TensorFlow Serving or
            `kgan serve` answers for: "http://HOST:PORT/v1/models/NAME" (a version may follow) or
            "grpc://HOST:PORT/NAME".
        signature: Name of the signature; "classify" or "serving_default", or the only one, if
            `None`.
        output: Which of several outputs the class scores are, by name (or number, of an ONNX file);
            "logits" or "probabilities", or the only one, if `None`.

    Raises:
        FileNotFoundError: Where there is no such file or folder.
        ValueError: Where the model takes several inputs or others than floating-point numbers, or
            the output is not known.
    """
    text = str(source)
    if is_address(text):
        return BlackBox(text, _server(text, signature, output), None)
    path = Path(text).expanduser()
    if path.suffix == ".onnx":
        if signature is not None:
            raise ValueError(f"signature must be left out for an ONNX file, got {signature!r}.")
        return BlackBox(text, _onnx(path, output), _hash([path]))
    folder = _version_of(path)
    if folder is None:
        raise FileNotFoundError(
            f"a black box must be a SavedModel's folder, an .onnx file or an address such as "
            f"http://HOST:PORT/v1/models/NAME, got {text!r}."
        )
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    return BlackBox(text, _saved_model(folder, signature, output), _hash(files))


def _version_of(path: Path) -> Path | None:
    """The folder with `saved_model.pb`: this one, or that of the newest version in it."""
    if (path / "saved_model.pb").is_file():
        return path
    found = [one.parent for one in path.glob("*/saved_model.pb") if one.parent.name.isdigit()]
    return max(found, key=lambda folder: int(folder.name), default=None)


def _hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _saved_model(folder: Path, signature: str | None, output: str | int | None) -> Answer:
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is no SavedModel that can be loaded: {error}") from error
    name = _choose("signature", signature, list(loaded.signatures), _SIGNATURES, str(folder))
    function = loaded.signatures[name]
    inputs = function.structured_input_signature[1]
    taken = _only_input(str(folder), {key: spec.dtype.name for key, spec in inputs.items()})
    shape = inputs[taken].shape
    given = _choose("output", output, list(function.structured_outputs), _OUTPUTS, str(folder))

    def answer(images: np.ndarray) -> np.ndarray:
        # The loaded model lives as long as this function.
        outputs = loaded.signatures[name](**{taken: tf.cast(images, inputs[taken].dtype)})
        return outputs[given].numpy()

    return tuple(shape.as_list()) if shape.rank is not None else None, answer


def _onnx(path: Path, output: str | int | None) -> Answer:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    if importlib.util.find_spec("onnxruntime") is None:
        raise ImportError("onnxruntime is needed for ONNX: pip install 'kgan[onnx]'.")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # Of classes that have no common base.
        raise ValueError(f"{path} is no ONNX file that can be loaded: {error}") from error
    inputs = {one.name: one for one in session.get_inputs()}
    taken = _only_input(str(path), {name: one.type for name, one in inputs.items()})
    names = [one.name for one in session.get_outputs()]
    if isinstance(output, int) and 0 <= output < len(names):
        output = names[output]
    given = _choose("output", output, names, _OUTPUTS, str(path))
    dtype = _ONNX_TYPES[inputs[taken].type]
    shape = [size if isinstance(size, int) else None for size in inputs[taken].shape]
    single = shape[:1] == [1]

    def answer(images: np.ndarray) -> np.ndarray:
        if single:
            # Exported for one image at a time.
            rows = [session.run([given], {taken: row[None].astype(dtype)})[0] for row in images]
            return np.concatenate(rows)
        return session.run([given], {taken: images.astype(dtype)})[0]

    return (None, *shape[1:]), answer


def _server(address: str, signature: str | None, output: str | int | None) -> Answer:
    parts = urlsplit(address)
    path = re.fullmatch(r"/(?:v1/models/)?([^/]+)(?:/versions/(\d+))?/?", parts.path)
    if path is None:
        raise ValueError(
            "the address of a model must be like http://HOST:PORT/v1/models/NAME, or with "
            f"/versions/NUMBER after it, or grpc://HOST:PORT/NAME, got {address!r}."
        )
    version = None if path[2] is None else int(path[2])
    client = Client(f"{parts.scheme}://{parts.netloc}", unquote(path[1]), version=version)
    try:
        known = client.metadata()
    except ServerError as error:
        raise ValueError(f"no model answers at {address}: {error}") from error
    name = _choose("signature", signature, list(known), _SIGNATURES, address)
    taken = _only_input(address, {key: _dtype(one) for key, one in known[name]["inputs"].items()})
    given = _choose("output", output, list(known[name]["outputs"]), _OUTPUTS, address)

    def answer(images: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(images), _AT_A_TIME):
            outputs = client.predict(name, **{taken: images[start : start + _AT_A_TIME]})
            found.append(outputs[given] if isinstance(outputs, dict) else outputs)
        return np.concatenate(found)

    return None, answer


def _dtype(tensor: Mapping[str, Any]) -> str:
    return str(tensor.get("dtype", "")).removeprefix("DT_").lower()


def _only_input(source: str, types: Mapping[str, str]) -> str:
    """The name of the one input, of floating-point numbers."""
    if len(types) != 1:
        raise ValueError(f"{source} must take images alone, takes {', '.join(types) or 'nothing'}.")
    ((name, kind),) = types.items()
    if not any(word in kind for word in ("float", "double", "half")):
        raise ValueError(
            f"{source} takes {kind}, where images change by less than a whole number: it must take "
            "floating-point numbers."
        )
    return name


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
        f"{what} of {source} must be one of {', '.join(known) or '(there is none)'}, got {given!r}."
    )
