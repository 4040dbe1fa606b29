"""`kgan latents SOURCE`: pictures of what a GAN's latents mean."""

from collections.abc import Callable
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

import kgan.data
import kgan.latents
import kgan.networks
import kgan.pictures
import kgan.random
from kgan.cli.command_line import Request
from kgan.cli.sample import chosen_labels
from kgan.kinds import Images
from kgan.models import GAN
from kgan.models.styles import Styles
from kgan.pixels import visible
from kgan.runs.outputs import check_file
from kgan.runs.source import Source, open_source, reading_of
from kgan.settings.latents import LatentsSettings

_STYLES = 2000
_SHARES = (1.0, 0.7, 0.5, 0.3, 0.0)


def main(request: Request) -> int:
    """The body of `kgan latents`: draws a grid of images."""
    settings = cast(LatentsSettings, request.settings)
    source = open_source(settings.source, checkpoint=settings.checkpoint)
    if not isinstance(source.model, GAN) or not isinstance(source.kind, Images):
        raise ValueError(
            f"source must be a run or a .keras file of a GAN of images, got {settings.source}."
        )
    rows = DRAWINGS[settings.show](_View(source, settings))
    cells = rows.reshape(-1, *rows.shape[2:])
    picture = kgan.pictures.grid(visible(cells, source.kind.shown), rows.shape[1])
    kgan.pictures.save_image(picture, settings.out)
    print(f"{rows.shape[0]} rows of {rows.shape[1]} images in {settings.out}")
    return 0


class _View:
    """A GAN and what the user wants to see of it."""

    def __init__(self, source: Source, settings: LatentsSettings):
        self.gan: GAN = source.model
        self.source = source
        self.settings = settings
        self.found = Styles.of(self.gan.ema_generator)

    def latents(self, n: int, *, part: int = 0) -> tf.Tensor:
        seeds = kgan.latents.example_seeds(self.settings.seed, n, start=part * n)
        return kgan.latents.from_seeds(seeds, self.gan.latent_dim)

    def labels(self, n: int) -> np.ndarray | None:
        return chosen_labels(self.source, self.settings.labels, n)

    def styled(self) -> Styles:
        """The generator's parts; raises for one without styles."""
        return self.gan.styles()


def _truncate(view: _View) -> np.ndarray:
    n, latents = view.settings.n, view.latents(view.settings.n)
    labels = view.labels(n)
    if view.found is None:
        # For latents of a length of their own the limit falls instead.
        limits = [4.0 * share for share in _SHARES[:-1]]
        return np.stack(
            [view.gan.decode(kgan.latents.truncated(latents, one), labels) for one in limits]
        )
    styles = view.found.styles(latents, _tensor(labels))
    return np.stack(
        [view.found.images(view.found.truncated(styles, share)).numpy() for share in _SHARES]
    )


def _interpolate(view: _View) -> np.ndarray:
    n, steps = view.settings.n, view.settings.steps
    start, end = (view.latents(n, part=part) for part in (0, 1))
    if not view.settings.to:
        return view.gan.interpolate(start, end, steps=steps, labels=view.labels(n))
    styled = view.styled()
    ends = chosen_labels(view.source, view.settings.to, n)
    first = styled.styles(start, _tensor(view.labels(n)))[:, None]
    last = styled.styles(end, _tensor(ends))[:, None]
    share = tf.linspace(0.0, 1.0, steps)[None, :, None, None]
    styles = tf.reshape((1.0 - share) * first + share * last, [n * steps, *styled.shape])
    return styled.images(styles).numpy().reshape(n, steps, *view.gan.sample_shape)


def _mix(view: _View) -> np.ndarray:
    """The first row and column are the samples themselves."""
    styled, settings, n = view.styled(), view.settings, view.settings.n
    if settings.layer > styled.shape[0]:
        raise ValueError(f"layer must be at most {styled.shape[0]}, got {settings.layer}.")
    labels = _tensor(view.labels(n))
    rows, columns = (styled.styles(view.latents(n, part=part), labels) for part in (0, 1))
    mixed = styled.mixed(tf.repeat(rows, n, axis=0), tf.tile(columns, [n, 1, 1]), settings.layer)
    shape = view.gan.sample_shape
    inner = styled.images(mixed).numpy().reshape(n, n, *shape)
    top = np.concatenate([np.ones((1, *shape)), styled.images(columns).numpy()])
    left = styled.images(rows).numpy()[:, None]
    return np.concatenate([top[None], np.concatenate([left, inner], axis=1)])


def _directions(view: _View) -> np.ndarray:
    """A row for each direction: the first sample, from three deviations before to three after."""
    n, steps = view.settings.n, np.linspace(-3.0, 3.0, view.settings.steps, dtype=np.float32)
    latents, labels = view.latents(1), view.labels(1)
    if view.found is None:
        # Latents vary alike in all directions, so that the weights alone tell.
        directions, _ = kgan.latents.closed_form(_first_kernels(view), n)
        point, scales = latents.numpy()[0], np.ones(n, np.float32)
    else:
        classes, dim = view.gan.num_classes, view.gan.latent_dim
        point = view.found.styles(latents, _tensor(labels)).numpy()[0, 0]
        count = n if view.settings.find == "principal" else len(point)
        directions, scales = view.found.directions(count, latent_dim=dim, num_classes=classes)
        if view.settings.find == "closed-form":
            vary = directions * scales[:, None]
            directions, _ = kgan.latents.closed_form(_first_kernels(view), n)
            scales = np.linalg.norm(vary @ directions.T, axis=0)
    moves = directions[:, None] * scales[:, None, None] * steps[None, :, None]
    moved = (point + moves).reshape(-1, len(point))
    one = None if labels is None else np.repeat(labels[:1], len(moved))
    if view.found is None:
        images = view.gan.decode(moved, one)
    else:
        images = view.found.images(view.found.mapping.spread(tf.constant(moved))).numpy()
    return images.reshape(n, len(steps), *view.gan.sample_shape)


def _first_kernels(view: _View) -> list[np.ndarray]:
    layers = view.gan.ema_generator.layers
    affine = [layer.affine.kernel for layer in layers if hasattr(layer, "affine")]
    if view.found is None:
        dim = view.gan.latent_dim
        dense = [layer.kernel for layer in layers if getattr(layer, "kernel", None) is not None]
        # A class's embedding stands beside the latents.
        affine = [np.asarray(dense[0])[:dim]]
    return [np.asarray(kernel) for kernel in affine]


def _project(view: _View) -> np.ndarray:
    """Three rows: images, what was found for them, and the same for the model's own samples."""
    settings, n = view.settings, view.settings.n
    data, known = _images(view)
    encoder = _encoder(view, data)
    rows = np.random.default_rng(settings.seed).permutation(len(data))[:n]
    wanted = data.take(rows).as_float()
    labels = view.labels(len(wanted))
    if labels is not None and not settings.labels and data.labels is not None:
        labels = np.asarray(data.labels)[rows].astype(np.int32)
    own = view.gan.decode(view.latents(len(wanted)), labels)
    found = _projected(view, wanted, labels, encoder)
    again = _projected(view, own, labels, encoder)
    print(
        f"{known}: PSNR {found.psnr.mean():.1f} dB, mean squared error {found.errors.mean():.2g}; "
        f"the model's own samples: {again.psnr.mean():.1f} dB, {again.errors.mean():.2g}"
    )
    return np.stack([wanted, found.images, own, again.images])


def _images(view: _View) -> tuple[kgan.data.Dataset, str]:
    path, run = view.settings.images, view.source.run
    if path is not None:
        height, width, _ = view.gan.sample_shape
        reading: dict[str, Any] = {} if run is None else reading_of(run)
        reading["image_size"] = (height, width)
        return kgan.data.load(str(path.expanduser()), **reading), str(path)
    if view.source.recipe is None:
        raise ValueError("images must be given for a .keras file: a folder or file of images.")
    return view.source.recipe.data(), "images of the training"


def _projected(
    view: _View, wanted: np.ndarray, labels: np.ndarray | None, encoder: Any
) -> kgan.latents.Projection:
    settings, restarts = view.settings, 1 if encoder is not None else view.settings.restarts
    count = restarts * len(wanted)
    many = None if labels is None else _tensor(np.tile(labels, restarts))
    generate: Callable[[tf.Tensor], tf.Tensor]
    if view.found is None:
        starts, pull = view.latents(count, part=7), 1e-3

        def generate(points: tf.Tensor) -> tf.Tensor:
            return view.gan(points, many)
    else:
        generate, pull = view.found.unclipped_images, 0.0
        if encoder is None:
            # Half way to the typical one, from where all are near.
            starts = view.found.styles(view.latents(count, part=7), many)
            starts = view.found.truncated(starts, 0.5)
        else:
            starts = encoder(tf.constant(wanted, tf.float32))
    shape = [restarts, len(wanted), *starts.shape[1:]]
    return kgan.latents.project(
        generate,
        wanted,
        tf.reshape(starts, shape),
        steps=100 * settings.steps,
        pull=pull,
        learning_rate=0.05,
        noise=0.05 if encoder is None else 0.0,
        seed=settings.seed,
    )


def _encoder(view: _View, data: kgan.data.Dataset) -> Any:
    """The encoder of the file that the user names, trained first where there is none."""
    path = view.settings.encoder
    if path is None:
        return None
    styled = view.styled()
    if path.is_file():
        encoder = keras.models.load_model(path)
        shape = getattr(encoder, "style_shape", None)
        if shape != styled.shape:
            raise ValueError(f"{path} must hold an encoder to styles {styled.shape}, got {shape}.")
        return encoder
    check_file("encoder", path)
    classes, dim = view.gan.num_classes, view.gan.latent_dim

    def draw(seed: tf.Tensor, n: int) -> tf.Tensor:
        labels = None if classes is None else tf.range(n) % classes
        return styled.styles(kgan.random.stateless_normal(seed, [n, dim]), labels)

    many = draw(kgan.random.step_seed(view.settings.seed, 0, "styles"), _STYLES)[:, 0].numpy()
    height, width, channels = view.gan.sample_shape
    network = kgan.networks.style_encoder((height, width, channels), *styled.shape)
    encoder = kgan.latents.Encoder(network, many.mean(axis=0), many.std(axis=0))
    errors = kgan.latents.train_encoder(
        encoder,
        styled.unclipped_images,
        draw,
        images=data.samples,
        steps=view.settings.encoder_steps,
        seed=view.settings.seed,
    )
    encoder.save(path)
    print(f"an encoder in {path}, mean squared error {errors[-100:].mean():.2g} while it trained")
    return encoder


def _tensor(labels: np.ndarray | None) -> tf.Tensor | None:
    return None if labels is None else tf.constant(labels)


DRAWINGS: dict[str, Callable[[_View], np.ndarray]] = {
    "truncate": _truncate,
    "interpolate": _interpolate,
    "mix": _mix,
    "directions": _directions,
    "project": _project,
}
"""What can be shown: functions to images (rows, columns, height, width, channels)."""
