"""What every model that translates images can be asked: images for images, and files for files."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kgan.endpoints import Endpoint, Request, check_samples, takes
from kgan.kinds import Images, Kind
from kgan.models import any_size, tile_statistics

_BATCH = 64

Translate = Callable[[tf.Tensor], tf.Tensor]


def endpoints(name: str, network: keras.Model, source: Kind, target: Kind) -> dict[str, Endpoint]:
    """The endpoints of one direction: `name`, and of images `name_png` too.

    Where the network looks at a neighbourhood alone, images of any height and width are taken;
    where it also normalises each image by its own statistics, `name_tile` takes tiles of a larger
    image and `statistics` for them (see `kgan.models.tile_statistics`).
    `name_png` takes image files (PNG, whose transparency is the last of two or four channels; JPEG,
    BMP and GIF too where there are one or three) as
    `image_bytes` and gives PNG files, which in TensorFlow Serving's REST contract are {"b64": ...}.

    Args:
        name: Name of the first.
        network: Samples of the source to samples of the target.
        source: What a sample is that is given.
        target: What a sample is that is made.
    """
    of = any_size.sizes(network) if isinstance(source, Images) else None

    def alike(samples: tf.Tensor) -> tf.Tensor:
        return network(samples, training=False)

    convert: Translate = alike if of is None else any_size.free(network, of)

    def translate(request: Request) -> Request:
        return {target.plural: convert(check_samples(request, source))}

    shape: tuple[int | None, ...] = source.shape
    if of is not None:
        shape = (None, None, source.shape[-1])
    least = None if of is None else of.least
    found = {
        name: Endpoint(
            translate,
            takes(**{source.plural: (shape, tf.float32)}),  # type: ignore[arg-type]
            "translate",
            gives=target,
            takes=source,
            least_side=least,
        )
    }
    if of is not None and (norms := tile_statistics.shape(network))[0]:
        tiles = tile_statistics.tile(network, of)

        def translate_tile(request: Request) -> Request:
            made, statistics = tiles(check_samples(request, source), request["statistics"])
            return {target.plural: made, "statistics": statistics}

        found[f"{name}_tile"] = Endpoint(
            translate_tile,
            takes(
                **{source.plural: (shape, tf.float32)},  # type: ignore[arg-type]
                statistics=(norms, tf.float32),
            ),
            "translate_tile",
            gives=target,
            takes=source,
            least_side=least,
        )
    if _has_files(source) and _has_files(target):
        assert isinstance(source, Images)
        files = _of_files(convert, source, free=of is not None)
        found[f"{name}_png"] = Endpoint(
            files, takes(image_bytes=((), tf.string)), "translate_files", takes=source
        )
    return found


def in_batches(translate: Translate, samples: np.ndarray, target: Kind) -> np.ndarray:
    """Samples (n, ...) as samples of the target, float32 (n, ...).

    Args:
        translate: A graph function of a batch.
        samples: The samples, float32.
        target: What is made.
    """
    n = len(samples)
    found = []
    for start in range(0, n, _BATCH):
        # A full batch always, so that every sample takes the same arithmetic path.
        rows = tf.minimum(tf.range(start, start + _BATCH), n - 1)
        found.append(translate(tf.gather(samples, rows)).numpy()[: n - start])
    return np.concatenate(found) if found else np.zeros((0, *target.shape), np.float32)


def _has_files(kind: Kind) -> bool:
    if not isinstance(kind, Images):
        return False
    # Two of which the first is shown are grey and whether it is known.
    return kind.channels in (1, 3, 4) or (kind.channels == 2 and kind.shown == (0,))


def _of_files(convert: Translate, source: Images, *, free: bool) -> Callable[[Request], Request]:
    def read(content: tf.Tensor) -> tf.Tensor:
        if source.channels in (2, 4):
            pixels = tf.io.decode_png(content, channels=4)
        else:
            pixels = tf.io.decode_image(content, source.channels, expand_animations=False)
        if source.channels == 2:
            # Grey and opacity, as `kgan translate` reads files.
            values = tf.cast(pixels, tf.float32)
            luma = tf.reduce_sum(values[..., :3] * [0.299, 0.587, 0.114], axis=-1, keepdims=True)
            pixels = tf.concat([tf.minimum(luma, 255.0), values[..., 3:]], axis=-1)
        shape = (None, None, source.channels)
        if not free:
            sides = tf.shape(pixels)[:2]
            fits = tf.debugging.Assert(
                tf.reduce_all(sides == source.shape[:2]),
                [f"images must be of {source.height}x{source.width}, got", sides],
            )
            with tf.control_dependencies([fits]):
                pixels = tf.identity(pixels)
            shape = source.shape  # type: ignore[assignment]
        return tf.cast(tf.ensure_shape(pixels, shape), tf.float32) / 255.0

    def one(content: tf.Tensor) -> tf.Tensor:
        made = convert(read(content)[tf.newaxis])[0]
        pixels = tf.round(tf.clip_by_value(made, 0.0, 1.0) * 255.0)
        return tf.io.encode_png(tf.cast(pixels, tf.uint8))

    def files(request: Request) -> Request:
        # One by one, since files may have images of different sizes.
        made = tf.map_fn(one, request["image_bytes"], fn_output_signature=tf.string)
        return {"image_bytes": made}

    return files
