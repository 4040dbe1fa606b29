"""One version of an exported model in memory."""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kgan.export import manifest
from kgan.export.warmup import WARMUP
from kgan.serving.signature import Signature


class Servable:
    """A loaded SavedModel.

    Attributes:
        name: The model's name.
        version: The version's number.
        folder: The version's folder.
        manifest: What the version says of itself; empty where kgan did not write it.
        definitions: SignatureDefs by name, as in the file.
        signatures: Signatures by name.
        example: The inputs of a small request for the default signature, as JSON has them; `None`
            where the warm-up file has none of numbers.

    Args:
        name: The model's name.
        version: The version's number.
        folder: The version's folder.
        batch: Whether requests may be joined although the version does not say that each row is
            answered apart from the others, as kgan's exports say.
    """

    def __init__(self, name: str, version: int, folder: Path, *, batch: bool = False):
        self.name = name
        self.version = version
        self.folder = folder
        self.manifest = manifest.read(folder)
        self.definitions = _definitions(folder)
        # As TensorFlow Serving: the graph with exactly this tag, of several.
        self._model: Any = tf.saved_model.load(str(folder), tags=["serve"])
        # An export of kgan's has shapes that were chosen; those of others are often left open.
        strict = self.manifest.family is not None
        self.example: dict[str, Any] | None = None
        self.signatures = {
            key: Signature(
                name,
                key,
                self.definitions[key],
                function,
                row_wise=batch or self.manifest.is_row_wise(key),
                strict=strict,
                file_channels=_file_channels(self.manifest, key),
            )
            for key, function in self._model.signatures.items()
            if key in self.definitions
        }
        if not self.signatures:
            raise ValueError(f"{folder} has no signatures to serve.")

    def signature(self, name: str) -> Signature:
        """The signature of that name; the default one for an empty name.

        Raises:
            KeyError: Where there is none.
        """
        return self.signatures[name or "serving_default"]

    def warm_up(self, sizes: Sequence[int] = ()) -> int:
        """Plays the model's warm-up file, as TensorFlow Serving does.

        Args:
            sizes: Row counts that the first request of each signature is repeated to besides:
                TensorFlow prepares itself for each.

        Returns:
            The number of requests in the file.
        """
        path = self.folder / WARMUP
        if not path.is_file():
            return 0
        from tensorflow_serving.apis import prediction_log_pb2

        seen: list[str] = []
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") != "predict_log":
                continue
            request = log.predict_log.request
            signature = self.signature(request.model_spec.signature_name)
            inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            signature.check(inputs)
            signature.run(inputs)
            if signature.batchable and signature.name not in seen:
                for size in sizes:
                    rows = {name: array[:1].repeat(size, axis=0) for name, array in inputs.items()}
                    signature.run(rows)
            numbers = all(array.dtype.kind in "biuf" for array in inputs.values())
            if signature.name == "serving_default" and numbers and self.example is None:
                self.example = {name: array.tolist() for name, array in inputs.items()}
            seen.append(signature.name)
        return len(seen)


def _file_channels(told: manifest.Manifest, endpoint: str) -> int | None:
    """Channels of the images in files that an endpoint takes; `None` where it takes others."""
    if told.roles.get(endpoint) != "translate_files":
        return None
    kind = told.takes.get(endpoint) or told.kind or {}
    channels = int(kind.get("channels", 4))
    # Grey with opacity is read as colour with it.
    return 4 if channels == 2 else channels


def _definitions(folder: Path) -> dict[str, Any]:
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    tags = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    if ["serve"] not in tags:
        raise ValueError(f"{folder} must have a graph with the tag serve alone, it has {tags}.")
    return dict(saved.meta_graphs[tags.index(["serve"])].signature_def)


def settle() -> None:
    """Frees what versions that are gone still hold: TensorFlow's objects point in circles.

    What is left, mostly TensorFlow's hundreds of thousands of objects, is not looked at again until
    the next call: each look at all of them stops every client for 0.3 to 1 s.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
