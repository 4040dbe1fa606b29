"""The generator as a SavedModel in the layout that TensorFlow Serving watches.

Signatures, every input with a batch dimension so that a server may batch requests (`labels` only
where the GAN is conditional; the outputs are `images`, or `points` for a GAN of points):

| name | inputs | outputs |
| --- | --- | --- |
| `generate`, `serving_default` | `seeds` int64 (n,), `labels` int64 (n,) | `images` in [0, 1] |
| `latents` | `seeds` | `latents` float32 (n, latent_dim), those that `generate` takes |
| `decode` | `latents`, `labels` | `images` |
| `interpolate` | `start`, `end` (n, latent_dim), `share` (n,) in [0, 1], `labels` | `images` |
| `score` | `images`, `labels` | `logits`, `probabilities` (n,) that they are real |

The image of a seed does not depend on what it is batched with. `score` is left out for a GAN with
packing, whose discriminator judges several samples at once.

Beside the model lie `assets/class_names.txt`, a line a class; `assets.extra/manifest.json`, which
tells where the model comes from; and TensorFlow Serving's warm-up file.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan
import kgan.latents
import kgan.warmup
from kgan.files import atomic_path

DETAILS = "assets.extra/manifest.json"


def export(
    gan,
    folder: str | Path,
    *,
    class_names: tuple[str, ...] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the averaged generator and the discriminator as the next version in `folder`.

    Args:
        gan: A `kgan.models.GAN`.
        folder: The servable's folder, such as `saved_models/digits`; its versions are the
            numbered folders in it.
        class_names: What the classes are called.
        origin: Written into the manifest as it is: preset, data, configuration, scores.

    Returns:
        The version's folder. It appears under its number only when it is complete.
    """
    return write_version(
        folder,
        _endpoints(gan),
        tracked=(gan.ema_generator, gan.discriminator),
        class_names=class_names,
        manifest={
            "latent_dim": gan.latent_dim,
            "sample_shape": list(gan.sample_shape),
            "num_classes": gan.num_classes,
            **(origin or {}),
        },
    )


def export_classifier(
    model: keras.Model,
    folder: str | Path,
    *,
    head: str = "logits",
    class_names: tuple[str, ...] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a classifier as the next version in `folder`.

    Its signature `classify` (and `serving_default`) takes `images` float32 (n, ...) in [0, 1] and
    returns `probabilities` (n, classes) and `classes` int64 (n,), the likeliest one.

    Args:
        model: A built Keras classifier.
        folder: The servable's folder.
        head: What its last layer gives: "logits", "softmax", or "sigmoid" (one unit, two classes);
            `kgan.attacks.victim_of(model, images).head` finds out.
        class_names: What the classes are called.
        origin: Written into the manifest as it is.

    Returns:
        The version's folder.
    """
    if head not in ("logits", "softmax", "sigmoid"):
        raise ValueError(f"head must be logits, softmax or sigmoid, got {head!r}.")
    shape = tuple(model.input_shape[1:])

    def classify(request):
        outputs = tf.cast(model(request["images"], training=False), tf.float32)
        if outputs.shape[-1] == 1:
            share = outputs if head == "sigmoid" else tf.sigmoid(outputs)
            probabilities = tf.concat([1.0 - share, share], axis=1)
        else:
            probabilities = outputs if head == "softmax" else tf.nn.softmax(outputs)
        return {"probabilities": probabilities, "classes": tf.argmax(probabilities, axis=1)}

    signature = {"images": tf.TensorSpec([None, *shape], tf.float32, "images")}
    return write_version(
        folder,
        {"classify": (classify, signature)},
        tracked=(model,),
        class_names=class_names,
        manifest={"image_shape": list(shape), **(origin or {})},
    )


def write_version(
    folder: str | Path,
    endpoints: Mapping[str, tuple[Callable, Mapping[str, tf.TensorSpec]]],
    *,
    tracked: Sequence[keras.Model],
    manifest: Mapping[str, Any],
    class_names: tuple[str, ...] | None = None,
) -> Path:
    """Writes functions as the next version of a servable, with manifest and warm-up file.

    Args:
        folder: The servable's folder.
        endpoints: By name: a function from a dict of tensors to one, and what it takes, each with a
            batch dimension. The first is `serving_default` too.
        tracked: The models that the functions use.
        manifest: Plain values.
        class_names: What the classes are called.

    Returns:
        The version's folder. It appears under its number only when it is complete.
    """
    folder = Path(folder)
    archive = keras.export.ExportArchive()
    for model in tracked:
        archive.track(model)
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, [signature])
    target = folder / str(next_version(folder))
    with tempfile.TemporaryDirectory() as assets, atomic_path(target) as temporary:
        if class_names is not None:
            archive.track(_asset(Path(assets) / "class_names.txt", class_names))
        archive.write_out(temporary, verbose=False)
        kgan.warmup.write(temporary, folder.name, _first_requests(endpoints))
        content = {
            "kgan": kgan.__version__,
            "class_names": None if class_names is None else list(class_names),
            **manifest,
        }
        (temporary / DETAILS).write_text(json.dumps(content, indent=2, default=str) + "\n")
    return target


def versions(folder: str | Path) -> list[int]:
    """The version numbers in a servable's folder, ascending."""
    folder = Path(folder)
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def next_version(folder: str | Path) -> int:
    """One more than the highest version in `folder`; 1 for a new one."""
    return max(versions(folder), default=0) + 1


def _asset(path: Path, lines: tuple[str, ...]) -> tf.Module:
    """A text file that becomes part of the SavedModel, as a table from line number to line."""
    path.write_text("".join(f"{line}\n" for line in lines))
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(path),
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
        ),
        default_value="",
    )
    return module


def _first_requests(endpoints: Mapping):
    """One sample and eight for each signature: what warms it up."""
    for name, (_, signature) in endpoints.items():
        for rows in (1, 8):
            yield (
                name,
                {
                    key: np.zeros((rows, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
                    for key, spec in signature.items()
                },
            )


def _endpoints(gan) -> dict:
    conditional = gan.num_classes is not None
    samples_name = "images" if len(gan.sample_shape) == 3 else "points"
    latent = [None, gan.latent_dim]

    def network(model, inputs, request):
        if conditional:
            return model([inputs, tf.cast(request["labels"], tf.int32)], training=False)
        return model(inputs, training=False)

    def generate(request):
        drawn = kgan.latents.from_seeds(request["seeds"], gan.latent_dim)
        return {samples_name: network(gan.ema_generator, drawn, request)}

    def latents(request):
        return {"latents": kgan.latents.from_seeds(request["seeds"], gan.latent_dim)}

    def decode(request):
        return {samples_name: network(gan.ema_generator, request["latents"], request)}

    def interpolate(request):
        between = kgan.latents.spherical(request["start"], request["end"], request["share"])
        return {samples_name: network(gan.ema_generator, between, request)}

    def score(request):
        logits = network(gan.discriminator, request[samples_name], request)
        return {"logits": logits, "probabilities": tf.sigmoid(logits)}

    inputs = {
        generate: {"seeds": ([None], tf.int64)},
        decode: {"latents": (latent, tf.float32)},
        interpolate: {
            "start": (latent, tf.float32),
            "end": (latent, tf.float32),
            "share": ([None], tf.float32),
        },
        score: {samples_name: ([None, *gan.sample_shape], tf.float32)},
    }
    if gan.packing > 1:
        del inputs[score]
    if conditional:
        for specification in inputs.values():
            specification["labels"] = ([None], tf.int64)
    inputs[latents] = {"seeds": ([None], tf.int64)}
    # The first endpoint becomes `serving_default`.
    return {
        function.__name__: (
            function,
            {name: tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in named.items()},
        )
        for function, named in inputs.items()
    }
