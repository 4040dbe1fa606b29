"""A model's network as a file for other runtimes: ONNX and LiteRT.

A generator maps `latents` float32 (n, latent_dim), and `labels` int32 (n,) where it is conditional,
to samples; a classifier maps images in [0, 1] to what its last layer gives. Other runtimes draw no
latents and check no labels: the file holds `Endpoints.network` alone.
"""

import contextlib
import importlib.util
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated
from tensorflow.lite.python.convert import ConverterError

from kgan.endpoints import Endpoints
from kgan.files import atomic_path


def write_onnx(endpoints: Endpoints, path: str | Path) -> None:
    """Writes an ONNX file whose first dimension is free (extra `onnx`).

    Args:
        endpoints: What a model with a network that is useful alone can be asked, such as
            `gan.endpoints()`.
        path: The file.

    Raises:
        ValueError: For a model without such a network, or one whose network grows.
        ImportError: Where the extra is not installed.
    """
    check_onnx(endpoints)
    import onnx

    with atomic_path(path) as temporary:
        _export(endpoints.network, temporary, "onnx")
        model = onnx.load(temporary)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "n"
        onnx.save(model, temporary)


def check_onnx(endpoints: Endpoints) -> None:
    """Raises as `write_onnx` does where there can be no such file, before anything is written."""
    network = network_of(endpoints, "onnx")
    if any(hasattr(layer, "grow") for layer in network._flatten_layers()):
        raise ValueError(
            "networks that grow cannot be written as onnx, whose runtime does not load their "
            "branches; choose litert or saved_model."
        )
    if missing := [name for name in ("onnx", "tf2onnx") if importlib.util.find_spec(name) is None]:
        raise ImportError(f"ONNX needs {' and '.join(missing)}: pip install 'kgan[onnx]'.")


def write_litert(endpoints: Endpoints, path: str | Path) -> None:
    """Writes a LiteRT (formerly TensorFlow Lite) file, float32, its first dimension free.

    Args:
        endpoints: What a model with a network that is useful alone can be asked, such as
            `gan.endpoints()`.
        path: The file; must end in .tflite.

    Raises:
        ValueError: For a model without such a network, one that needs operations of TensorFlow's
            which no plain runtime has, or another suffix.
    """
    check_litert(endpoints)
    if Path(path).suffix != ".tflite":
        raise ValueError(f"path must end in .tflite, got {path}.")
    with atomic_path(path) as temporary:
        try:
            _export(endpoints.network, temporary, "litert")
            foreign = _flex_operations(temporary)
        except ConverterError as error:
            # Some operations stop the converter, others it leaves to TensorFlow.
            foreign = ", ".join(
                re.findall(r"^(?:Flex|Custom) ops: (.+)$", str(error), re.MULTILINE)
            )
            if not foreign:
                raise
        if foreign:
            raise ValueError(
                f"the network cannot be written as litert, whose runtime lacks {foreign} of "
                "TensorFlow's; choose onnx or saved_model."
            )


def check_litert(endpoints: Endpoints) -> None:
    """Raises where a model has no network that is useful alone; the converter finds the rest."""
    network_of(endpoints, "litert")


class Writer(NamedTuple):
    """How files of one format are written.

    Attributes:
        suffix: Their suffix.
        check: Function of the endpoints that raises where there can be no such file.
        write: Function of the endpoints and a path.
    """

    suffix: str
    check: Callable[[Endpoints], None]
    write: Callable[[Endpoints, str | Path], None]


WRITERS: dict[str, Writer] = {
    "onnx": Writer(".onnx", check_onnx, write_onnx),
    "litert": Writer(".tflite", check_litert, write_litert),
}
"""The writer of each format."""


def network_of(endpoints: Endpoints, format: str) -> keras.Model:
    """The network that a file of that format holds.

    Raises:
        ValueError: Where the model has no network that is useful alone.
    """
    if endpoints.network is None:
        raise ValueError(
            f"format of a model of the family {endpoints.family!r} must be saved_model, got "
            f"{format}: it has no network that is useful alone."
        )
    return endpoints.network


def _flex_operations(path: Path) -> str:
    """Names of the operations in a LiteRT file that only TensorFlow itself can run."""
    model = schema_py_generated.Model.GetRootAs(path.read_bytes())
    codes = [model.OperatorCodes(place) for place in range(model.OperatorCodesLength())]
    names = {(code.CustomCode() or b"").decode() for code in codes}
    flex = (name.removeprefix("Flex") for name in names if name.startswith("Flex"))
    return ", ".join(sorted(flex))


def _export(network: keras.Model, path: Path, kind: str) -> None:
    # Keras refuses what was built and never called.
    samples = [tf.zeros([1, *one.shape[1:]], one.dtype) for one in network.inputs]
    network(samples if len(samples) > 1 else samples[0], training=False)
    # The converters warn of what they do themselves, and print.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network.export(path, format=kind, verbose=False)
