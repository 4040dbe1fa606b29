"""The generator as a SavedModel in the layout that TensorFlow Serving watches.

Signatures, every input with a batch dimension so that a server may batch requests (`labels` only
where the GAN is conditional; the outputs are `images`, or `points` for a GAN of points):

| name | inputs | outputs |
| --- | --- | --- |
| `generate`, `serving_default` | `seeds` int64 (n,), `labels` int64 (n,) | `images` in [0, 1] |
| `decode` | `latents` float32 (n, latent_dim), `labels` | `images` |
| `interpolate` | `start`, `end` (n, latent_dim), `share` (n,) in [0, 1], `labels` | `images` |
| `score` | `images`, `labels` | `logits`, `probabilities` (n,) that they are real |

The image of a seed does not depend on what it is batched with. `score` is left out for a GAN with
packing, whose discriminator judges several samples at once.
"""

import json
from pathlib import Path

import keras
import tensorflow as tf

import kgan
import kgan.latents
from kgan.files import atomic_path

DETAILS = "assets.extra/kgan.json"


def export(gan, folder: str | Path, *, class_names: tuple[str, ...] | None = None) -> Path:
    """Writes the averaged generator and the discriminator as the next version in `folder`.

    Args:
        gan: A `kgan.models.GAN`.
        folder: The servable's folder, such as `saved_models/digits`; its versions are the
            numbered folders in it.
        class_names: Written beside the model, with latent_dim and the sample shape.

    Returns:
        The version's folder. It appears under its number only when it is complete.
    """
    folder = Path(folder)
    archive = keras.export.ExportArchive()
    archive.track(gan.ema_generator)
    archive.track(gan.discriminator)
    for name, (function, signature) in _endpoints(gan).items():
        archive.add_endpoint(name, function, [signature])
    target = folder / str(next_version(folder))
    with atomic_path(target) as temporary:
        archive.write_out(temporary, verbose=False)
        details = temporary / DETAILS
        details.parent.mkdir(parents=True, exist_ok=True)
        details.write_text(
            json.dumps(
                {
                    "kgan": kgan.__version__,
                    "latent_dim": gan.latent_dim,
                    "sample_shape": list(gan.sample_shape),
                    "num_classes": gan.num_classes,
                    "class_names": None if class_names is None else list(class_names),
                },
                indent=2,
            )
        )
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


def _endpoints(gan) -> dict:
    conditional = gan.num_classes is not None
    samples_name = "images" if len(gan.sample_shape) == 3 else "points"
    latent = [None, gan.latent_dim]

    def network(model, inputs, request):
        if conditional:
            return model([inputs, tf.cast(request["labels"], tf.int32)], training=False)
        return model(inputs, training=False)

    def generate(request):
        latents = kgan.latents.from_seeds(request["seeds"], gan.latent_dim)
        return {samples_name: network(gan.ema_generator, latents, request)}

    def decode(request):
        return {samples_name: network(gan.ema_generator, request["latents"], request)}

    def interpolate(request):
        latents = kgan.latents.spherical(request["start"], request["end"], request["share"])
        return {samples_name: network(gan.ema_generator, latents, request)}

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
    # The first endpoint becomes `serving_default`.
    return {
        function.__name__: (
            function,
            {name: tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in named.items()},
        )
        for function, named in inputs.items()
    }
