"""Networks as files for other runtimes: ONNX and LiteRT.

A generator maps `latents` float32 (n, latent_dim), and `labels` int32 (n,) where it is conditional,
to samples; a classifier maps images in [0, 1] to what its last layer gives.
"""

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from kgan.files import atomic_path


def write_onnx(network: keras.Model, path: str | Path) -> None:
    """Writes an ONNX file whose first dimension is free (extra `onnx`).

    Args:
        network: A built functional model, such as `gan.ema_generator` or a classifier.
        path: The file.
    """
    if missing := [name for name in ("onnx", "tf2onnx") if importlib.util.find_spec(name) is None]:
        raise ImportError(f"{', '.join(missing)} is needed for ONNX: pip install 'kgan[onnx]'.")
    import onnx

    with atomic_path(path) as temporary:
        _export(network, temporary, "onnx")
        model = onnx.load(temporary)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "n"
        onnx.save(model, temporary)


def write_litert(network: keras.Model, path: str | Path) -> None:
    """Writes a LiteRT (formerly TensorFlow Lite) file, float32, its first dimension free.

    Args:
        network: A built functional model.
        path: The file; must end in .tflite.
    """
    if Path(path).suffix != ".tflite":
        raise ValueError(f"path must end in .tflite, got {path}.")
    with atomic_path(path) as temporary:
        _export(network, temporary, "litert")


WRITERS: dict[str, tuple[str, Callable[[keras.Model, str | Path], None]]] = {
    "onnx": (".onnx", write_onnx),
    "litert": (".tflite", write_litert),
}
"""The suffix and the writer of each format."""


def _export(network: keras.Model, path: Path, kind: str) -> None:
    # Keras refuses what was built and never called.
    samples = [tf.zeros([1, *one.shape[1:]], one.dtype) for one in network.inputs]
    network(samples if len(samples) > 1 else samples[0], training=False)
    # The converters warn of what they do themselves, and print.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network.export(path, format=kind, verbose=False)
