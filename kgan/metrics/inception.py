"""The Inception network of the published FID, KID and Inception score, from a file.

kgan ships no weights of it and no other weights go by its name. The file is
`classify_image_graph_def.pb` of 5 December 2015, or the `.tgz` that it is published in.
"""

import hashlib
import io
import os
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from kgan.files import atomic_path
from kgan.metrics.cache import cache_dir
from kgan.metrics.feature_extractor import Extractor
from kgan.pixels import rounded_to_8_bits

URL = (
    "https://storage.googleapis.com/download.tensorflow.org/models/image/imagenet/"
    "inception-2015-12-05.tgz"
)
PUBLISHED: frozenset[str] = frozenset()
"""SHA-256 of files known to hold the published weights; any other is called unverified."""

_MEMBER = "classify_image_graph_def.pb"
_SIDE = 299
_BATCH = 32
# What the graph is fed and asked for.
_INPUT, _POOL, _WEIGHTS = "Mul:0", "pool_3:0", "softmax/logits/MatMul"
_FEATURES, _CLASSES = 2048, 1008


class Inception(Extractor):
    """The 2048 features of the layer pool_3, and the probabilities of the Inception score.

    Images of one channel are repeated to three. The graph's own resizing is left out, as it is not
    antialiased.

    Args:
        path: The `.pb` or `.tgz` file; `None` takes what KGAN_INCEPTION names, else what an earlier
            download left in the cache.
        download: Fetch the file where it is not there.

    `label` is "inception-2015-12-05@HASH" for the published weights and
    "inception-unverified@HASH" for a file that only has the same graph.

    Reference:
        Heusel et al. 2017 (arXiv:1706.08500); resizing: Parmar et al. 2022 (arXiv:2104.11222).
    """

    preprocessing = "rounded to 8 bits, antialiased bicubic to 299x299, (x - 128) / 128"

    def __init__(self, path: str | Path | None = None, *, download: bool = False):
        content = _graph_bytes(_find(path, download=download))
        digest = hashlib.sha256(content).hexdigest()
        self.hash = digest[:8]
        self.name = "inception-2015-12-05" if digest in PUBLISHED else "inception-unverified"
        self.label = f"{self.name}@{self.hash}"
        self.image_shape = (None, None, None)
        self._network = _network(content)

    def features(self, images: np.ndarray, *, rounded: bool = True) -> np.ndarray:
        if not rounded:
            raise ValueError("inception is defined on images of 8 bits; choose another extractor.")
        return self._outputs(images)[0]

    @property
    def is_classifier(self) -> bool:
        return True

    @property
    def num_classes(self) -> int | None:
        return _CLASSES

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return self._outputs(images)[1]

    def _outputs(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
            raise ValueError(
                "inception takes images (n, height, width, 1 or 3), "
                f"got an array of shape {images.shape}."
            )
        parts = [
            self._network(tf.constant(inception_inputs(images[start : start + _BATCH])))
            for start in range(0, len(images), _BATCH)
        ]
        features, probabilities = (
            np.concatenate([part[which].numpy() for part in parts]) for which in (0, 1)
        )
        return features, probabilities


def inception_inputs(images: np.ndarray) -> np.ndarray:
    """Images (n, height, width, 1 or 3) in [0, 1] as the network takes them.

    Returns:
        float32 array (n, 299, 299, 3) in [-1, 1 - 1/128].
    """
    values = rounded_to_8_bits(images, "inception") * np.float32(255)
    if values.shape[1:3] != (_SIDE, _SIDE):
        # Each channel as floats: the result is not rounded again.
        values = np.stack(
            [
                np.stack([_resize(channel) for channel in np.moveaxis(image, -1, 0)], axis=-1)
                for image in values
            ]
        )
    if values.shape[-1] == 1:
        values = values.repeat(3, axis=-1)
    return ((np.clip(values, 0, 255) - 128) / 128).astype(np.float32)


def _resize(channel: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(np.ascontiguousarray(channel, np.float32))
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))


def _find(path: str | Path | None, *, download: bool) -> Path:
    kept = cache_dir() / "inception-2015-12-05.tgz"
    named = path or os.environ.get("KGAN_INCEPTION")
    found = Path(named).expanduser() if named else kept
    if found.is_file():
        return found
    if named or not download:
        raise FileNotFoundError(
            f"the Inception network is not at {found}. Fetch {URL} and name the file in "
            "KGAN_INCEPTION, or allow a download with --download."
        )
    try:
        with urllib.request.urlopen(URL, timeout=60) as response:
            content = response.read()
    except OSError as error:
        raise OSError(
            f"{URL} cannot be fetched ({error}). Fetch it elsewhere and name the file in "
            "KGAN_INCEPTION."
        ) from error
    with atomic_path(kept) as temporary:
        temporary.write_bytes(content)
    return kept


def _graph_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".pb":
        return content
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            member = archive.extractfile(_MEMBER)
            if member is None:
                raise KeyError(_MEMBER)
            return member.read()
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise ValueError(f"{path} is no archive with {_MEMBER}: {error}.") from error


def _network(content: bytes):
    """The frozen graph as a function of prepared images to (features, probabilities)."""
    definition = tf.compat.v1.GraphDef()

    def import_graph(images):
        tf.graph_util.import_graph_def(definition, input_map={_INPUT: images}, name="")

    try:
        definition.ParseFromString(content)
        spec = tf.TensorSpec([None, _SIDE, _SIDE, 3], tf.float32)
        wrapped = tf.compat.v1.wrap_function(import_graph, [spec])
        weights = wrapped.graph.get_operation_by_name(_WEIGHTS).inputs[1]
        pruned = wrapped.prune(wrapped.inputs, [wrapped.graph.get_tensor_by_name(_POOL), weights])
    except Exception as error:
        said = (str(error).strip().splitlines() or ["no message"])[0]
        raise ValueError(f"the file is not the Inception graph of 2015-12-05: {said}") from error
    shape = tuple(weights.shape)
    if shape != (_FEATURES, _CLASSES):
        raise ValueError(
            f"the file is not the Inception graph of 2015-12-05: its class weights have the shape "
            f"{shape}, not {(_FEATURES, _CLASSES)}."
        )

    @tf.function
    def outputs(images):
        pool, weights = pruned(images)
        features = tf.reshape(pool, [-1, _FEATURES])
        # Without the bias, as the published score.
        return features, tf.nn.softmax(tf.matmul(features, weights))

    return outputs
