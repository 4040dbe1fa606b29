"""Classifiers that only answer: a SavedModel, an ONNX file, or a server, as functions of images.

    model = kgan.attacks.black_box("model.onnx")
    victim = kgan.attacks.Victim(model, data_format="channels_first", bounds=(-1, 1))
    kgan.attacks.Square(8 / 255).run(victim, images, labels)

Nothing is known of their gradients, so only attacks that ask can be run, see `Attack.needs`.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from kgan.attacks import answers
from kgan.attacks.answers import Answer
from kgan.attacks.function_model import as_taken

SCHEMES = ("http", "https", "grpc", "grpcs")
"""How the address of a server begins."""

# Images by whose answers a server's model is known again.
_ASKED = 16


class BlackBox:
    """A function from images (n, ...) to scores (n, classes), behind which a model answers.

    Attributes:
        source: The file, folder or address.
        input_shape: The shape (batch, ...) of the images that it takes; `None` if it is unknown.
        input_dtype: "uint8" where it takes whole numbers in [0, 255], to which images are rounded;
            else "float32".
        identity: A hash of the files; for a server, whose model may change, of its answers to a few
            fixed images, or `None` where these tell too little.
    """

    def __init__(self, source: str, answer: Answer, identity: str | None):
        self.source = source
        self.input_shape, self.input_dtype, self._answer = answer
        self.identity = identity
        self.__name__ = Path(urlsplit(source).path).stem or source

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self._answer(as_taken(images, self.input_dtype)))

    def __repr__(self) -> str:
        return f"black_box({self.source!r})"


def is_black_box(source: str) -> bool:
    """Whether this is the name of a SavedModel, an ONNX file or a server."""
    path = Path(source).expanduser()
    return is_address(source) or path.suffix == ".onnx" or _version_of(path) is not None


def is_address(source: str) -> bool:
    return urlsplit(source).scheme in SCHEMES


def black_box(
    source: str | Path,
    *,
    signature: str | None = None,
    output: str | int | None = None,
    token: str | None = None,
    timeout: float = 30.0,
) -> BlackBox:
    """A classifier that only answers.

    Args:
        source: A SavedModel's folder, or the folder of its versions, of which the newest is taken;
            an `.onnx` file (extra `onnx`); or the address of a model that TensorFlow Serving or
            `kgan serve` answers for: "http://HOST:PORT/v1/models/NAME" (a version may follow) or
            "grpc://HOST:PORT/NAME"; https and grpcs with TLS.
        signature: Name of the signature; "classify" or "serving_default", or the only one, if
            `None`.
        output: Which of several outputs the class scores are, by name (or number, of an ONNX file);
            "logits" or "probabilities", or the only one, if `None`.
        token: What a server asks for, see `kgan.client.Client`.
        timeout: Seconds to wait for a server's answer to 32 images.

    Raises:
        FileNotFoundError: Where there is no such file or folder.
        ValueError: Where the model takes several inputs, or others than floating-point numbers or
            uint8, or the output is not known.
    """
    text = str(source)
    if is_address(text):
        found = answers.server(text, signature, output, token=token, timeout=timeout)
        return BlackBox(text, found, _hash_of_answers(text, found))
    if token is not None:
        raise ValueError(f"token must be left out for {text}, which is no server's address.")
    path = Path(text).expanduser()
    if path.suffix == ".onnx":
        if signature is not None:
            raise ValueError(f"signature must be left out for an ONNX file, got {signature!r}.")
        return BlackBox(text, answers.onnx(path, output), _hash([path]))
    folder = _version_of(path)
    if folder is None:
        raise FileNotFoundError(
            f"a black box must be a SavedModel's folder, an .onnx file or an address such as "
            f"http://HOST:PORT/v1/models/NAME, got {text!r}."
        )
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    return BlackBox(text, answers.saved_model(folder, signature, output), _hash(files))


def _version_of(path: Path) -> Path | None:
    """The folder with `saved_model.pb`: this one, or that of the newest version in it."""
    if (path / "saved_model.pb").is_file():
        return path
    found = [one.parent for one in path.glob("*/saved_model.pb") if one.parent.name.isdigit()]
    return max(found, key=lambda folder: int(folder.name), default=None)


def _hash_of_answers(source: str, answer: Answer) -> str | None:
    """A hash by which the same model is known again behind the same address.

    `None` where the shape of its images is unknown, or most answers are the same: another model
    might give them too.
    """
    sizes = [size for size in (answer.shape or ())[1:] if size is not None]
    if answer.shape is None or len(sizes) < len(answer.shape) - 1:
        return None
    values = np.random.default_rng(0).integers(0, 256, (_ASKED, *sizes)).astype(np.uint8)
    images = values if answer.dtype == "uint8" else (values / np.float32(255)).astype(np.float32)
    found = np.ascontiguousarray(answer.ask(images)).reshape(_ASKED, -1)
    if len(np.unique(found, axis=0)) <= _ASKED // 2:
        return None
    return hashlib.sha256(source.encode() + b"\0" + found.tobytes()).hexdigest()


def _hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
