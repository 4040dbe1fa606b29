"""A client for both REST and gRPC."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import ArrayLike

from kgan.client.arrays import given
from kgan.client.grpc_channel import Grpc
from kgan.client.rest import Rest
from kgan.labels import class_number
from kgan.pixels import check_images, to_float

# A server may refuse larger batches.
_NAMES_AT_A_TIME = 32


class Client:
    """Sends requests to one model of a server.

        client = Client("http://127.0.0.1:8501", "digits")
        images = client.generate(seeds=[1, 2], labels=[3, 5])

    Args:
        url: "http://HOST:PORT" for REST, "grpc://HOST:PORT" for gRPC; https and grpcs with TLS.
        model: The model's name on the server.
        version: Number of the version; by default the newest one.
        label: Label of a version, in place of its number.
        timeout: Seconds to wait for an answer.
        token: What the server asks for (`kgan serve --token-file`), sent as
            `Authorization: Bearer TOKEN`; never to another server that it may name.
        certificates: PEM file of the certificates to trust with TLS, such as the server's own
            where it signed that itself; by default those that the system trusts.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 30.0,
        token: str | None = None,
        certificates: str | Path | None = None,
    ):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.netloc:
            raise ValueError(
                f"url must be like http://127.0.0.1:8501 or grpc://127.0.0.1:8500, got {url!r}."
            )
        secure = parts.scheme.endswith("s")
        if certificates is not None and not secure:
            raise ValueError(f"certificates are for https:// and grpcs://, got {url!r}.")
        if version is not None and label is not None:
            raise ValueError(f"give a version or a label, got {version} and {label!r}.")
        self._transport: Rest | Grpc
        path = None if certificates is None else Path(certificates)
        if parts.scheme.startswith("grpc"):
            self._transport = Grpc(
                *(parts.netloc, model, version, label, timeout), token, path, secure=secure
            )
        else:
            self._transport = Rest(*(url.rstrip("/"), model, version, label, timeout), token, path)

    def generate(
        self,
        seeds: Sequence[int] | np.ndarray | None = None,
        labels: Sequence[int] | Sequence[str] | np.ndarray | None = None,
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Samples of a generator.

        Args:
            seeds: One integer for each sample; one seed gives one sample, whatever else is asked.
                By default new ones are drawn, one for each label, or one.
            labels: One class for each sample, for a conditional generator: its number, or its name
                where the model's classes have names.

        Returns:
            float32 images (n, height, width, channels) in [0, 1], or points (n, dimensions); of a
            table a dict of columns (n,) by name.
        """
        if seeds is None:
            count = 1 if labels is None else np.size(labels)
            seeds = np.random.default_rng().integers(0, 2**31, count)
        wanted = np.asarray(seeds)
        inputs = {"seeds": wanted.astype(np.int64)}
        if wanted.ndim != 1 or not np.array_equal(inputs["seeds"], wanted):
            raise ValueError(f"seeds must be whole numbers, a list of them, got {seeds}.")
        if labels is not None:
            inputs["labels"] = self._class_numbers(labels)
        return self.predict("generate", **inputs)

    def translate(
        self, images: ArrayLike | str | Path | bytes, direction: str | None = None
    ) -> np.ndarray:
        """Images of one domain as images of the other, or restored.

        Args:
            images: An image file (its path, or its bytes), which goes as it is; or images of one
                size as an array: float in [0, 1] or uint8, (height, width, channels) or
                (n, height, width, channels).
            direction: Of a model of two directions: "a_to_b" or "b_to_a".

        Returns:
            float32 images in [0, 1], one without the first axis for one.
        """
        name = "translate" if direction is None else direction.replace("-", "_")
        if isinstance(images, str | Path | bytes):
            content = images if isinstance(images, bytes) else Path(images).read_bytes()
            files = np.empty(1, object)
            files[0] = content
            found = self._transport.predict(f"{name}_png", {"image_bytes": files})
            assert isinstance(found, np.ndarray)
            return _decoded(found[0])
        array = np.asarray(images)
        if array.ndim not in (3, 4):
            raise ValueError(
                "images must be an image file, or an array (height, width, channels) or "
                f"(n, height, width, channels), got the shape {array.shape}."
            )
        check_images("translate", array)
        array = to_float(array).astype(np.float32)
        found = self.predict(name, images=array if array.ndim == 4 else array[np.newaxis])
        assert isinstance(found, np.ndarray)
        return found if array.ndim == 4 else found[0]

    def class_names(self) -> list[str]:
        """What the classes are called, in the order of their numbers.

        Raises:
            ServerError: Where the model does not say it.
        """
        names: list[str] = []
        while not names or names[-1]:
            some = np.arange(len(names), len(names) + _NAMES_AT_A_TIME)
            names += list(self.predict("class_names", labels=some))
        return names[: names.index("")]

    def _class_numbers(self, labels: Sequence[int] | Sequence[str] | np.ndarray) -> np.ndarray:
        given_labels = np.asarray(labels)
        if given_labels.dtype.kind not in "SUO":
            numbers = given_labels.astype(np.int64)
            if not np.array_equal(numbers, given_labels):
                raise ValueError(f"labels must be whole numbers or names, got {labels}.")
            return numbers
        names = self.class_names()
        words = [
            one.decode() if isinstance(one, bytes) else one for one in given_labels.ravel().tolist()
        ]
        return np.array([class_number(one, names, len(names)) for one in words], np.int64)

    def predict(
        self, signature: str = "serving_default", /, **inputs: ArrayLike
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Calls any signature.

        Args:
            signature: Name of the signature.
            **inputs: Inputs of the signature, by name. Numbers may be of any integer or
                floating-point type that fits; they are converted to the signature's own type.

        Returns:
            The output; a dict by name where there are several. Strings are arrays of `str`.
        """
        arrays = {name: given(value) for name, value in inputs.items()}
        return self._transport.predict(signature, arrays)

    def status(self) -> list[dict[str, Any]]:
        """The versions that the server knows: `version`, `state`, `status` each."""
        return self._transport.status()

    def metadata(self) -> dict[str, Any]:
        """Signature definitions by name: their `inputs` and `outputs`."""
        return self._transport.metadata()


def _decoded(content: bytes) -> np.ndarray:
    """A PNG file as float32 (height, width, channels)."""
    # Only files need it: arrays go and come without.
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image)
    return to_float(pixels if pixels.ndim == 3 else pixels[..., np.newaxis])
