"""`kgan latents SOURCE`: pictures of what a GAN's latents mean."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.pictures
from kgan.cli.command_line import Request
from kgan.cli.latent_projection import latents_of_images, project
from kgan.cli.latent_view import View, as_tensor
from kgan.cli.sample import chosen_labels
from kgan.kinds import Images
from kgan.models import GAN
from kgan.models.class_embedding import ClassEmbedding
from kgan.models.latent_kernels import latent_kernels
from kgan.models.styles import check_cutoff
from kgan.pixels import visible
from kgan.runs.outputs import check_file
from kgan.runs.source import open_source
from kgan.settings.latents import LatentsSettings

_SHARES = (1.0, 0.7, 0.5, 0.3, 0.0)


def main(request: Request) -> int:
    """The body of `kgan latents`: draws a grid of images."""
    settings = cast(LatentsSettings, request.settings)
    check_file("out", settings.out)
    source = open_source(settings.source, checkpoint=settings.checkpoint)
    if not isinstance(source.model, GAN) or not isinstance(source.kind, Images):
        raise ValueError(
            f"source must be a run or a .keras file of a GAN of images, got {settings.source}."
        )
    rows = DRAWINGS[settings.show](View(source, settings))
    cells = rows.reshape(-1, *rows.shape[2:])
    picture = kgan.pictures.grid(visible(cells, source.kind.shown), rows.shape[1])
    kgan.pictures.save_image(picture, settings.out)
    plural = "" if rows.shape[0] == 1 else "s"
    print(f"{rows.shape[0]} row{plural} of {rows.shape[1]} images in {settings.out}")
    return 0


def _truncate(view: View) -> np.ndarray:
    n, latents = view.settings.n, view.latents(view.settings.n)
    labels, cutoff = view.labels(n), view.settings.cutoff
    check_cutoff(cutoff, None if view.found is None else view.found.shape[0])
    if view.found is None:
        # For latents of a length of their own the limit falls instead.
        first = None if labels is None else labels[:1]
        kgan.latents.check_truncates(lambda one: view.gan.decode(one, first), latents)
        limits = [4.0 * share for share in _SHARES[:-1]]
        return np.stack(
            [view.gan.decode(kgan.latents.truncated(latents, one), labels) for one in limits]
        )
    styles = view.found.styles(latents, as_tensor(labels))
    gan, found = view.gan, view.found
    centre = found.centre(labels, latent_dim=gan.latent_dim, num_classes=gan.num_classes)
    near = [found.truncated(styles, share, cutoff, centre=centre) for share in _SHARES]
    return np.stack([found.images(one).numpy() for one in near])


def _interpolate(view: View) -> np.ndarray:
    n, steps = view.settings.n, view.settings.steps
    start, end = (view.latents(n, part=part) for part in (0, 1))
    if not view.settings.to:
        return view.gan.interpolate(start, end, steps=steps, labels=view.labels(n))
    labels = as_tensor(view.labels(n))
    ends = as_tensor(chosen_labels(view.source, view.settings.to, n, what="to"))
    share = tf.linspace(0.0, 1.0, steps)
    if view.found is None:
        parts = ClassEmbedding.of(view.gan.ema_generator)
        first, last = parts.vectors(labels), parts.vectors(ends)
    else:
        first, last = view.found.styles(start, labels), view.found.styles(end, ends)

    def way(row: int) -> np.ndarray:
        whole = slice(row, row + 1)
        if view.found is None:
            latents = kgan.latents.spherical(start[whole], end[whole], share)
            made = parts.images(latents, kgan.latents.linear(first[whole], last[whole], share))
        else:
            part = share[:, None, None]
            made = view.found.images((1.0 - part) * first[whole] + part * last[whole])
        return made.numpy()

    return np.stack([way(row) for row in range(n)])


def _mix(view: View) -> np.ndarray:
    """The first row and column are the samples themselves."""
    styled, settings, n = view.styled(), view.settings, view.settings.n
    if settings.layer > styled.shape[0]:
        raise ValueError(f"layer must be at most {styled.shape[0]}, got {settings.layer}.")
    labels = as_tensor(view.labels(n))
    rows, columns = (styled.styles(view.latents(n, part=part), labels) for part in (0, 1))
    mixed = styled.mixed(tf.repeat(rows, n, axis=0), tf.tile(columns, [n, 1, 1]), settings.layer)
    shape = view.gan.sample_shape
    inner = styled.images(mixed).numpy().reshape(n, n, *shape)
    top = np.concatenate([np.ones((1, *shape)), styled.images(columns).numpy()])
    left = styled.images(rows).numpy()[:, None]
    return np.concatenate([top[None], np.concatenate([left, inner], axis=1)])


def _classes(view: View) -> np.ndarray:
    """A row for each sample, or for each image after itself: its latents in every class."""
    settings, gan = view.settings, view.gan
    if gan.num_classes is None:
        raise ValueError(
            "show must not be classes for this model, which has none: with styles, mix does alike."
        )
    if settings.images is None:
        images, latents = None, view.latents(settings.n).numpy()
    else:
        images, latents = latents_of_images(view)
    columns = len(settings.to) or gan.num_classes
    labels = chosen_labels(view.source, settings.to, columns, what="to")
    rows = np.stack([gan.decode(np.repeat(one[None], columns, 0), labels) for one in latents])
    return rows if images is None else np.concatenate([images[:, None], rows], axis=1)


def _directions(view: View) -> np.ndarray:
    """A row for each direction: the first sample, from three deviations before to three after."""
    n, steps = view.settings.n, np.linspace(-3.0, 3.0, view.settings.steps, dtype=np.float32)
    latents, labels = view.latents(1), view.labels(1)
    if view.found is None:
        # Latents vary alike in all directions, so that what they are multiplied with tells.
        kernels = latent_kernels(view.gan.ema_generator, latents, as_tensor(labels))
        _check_directions(n, view.gan.latent_dim)
        directions, _ = kgan.latents.closed_form(kernels, n)
        point, scales = latents.numpy()[0], np.ones(n, np.float32)
    else:
        point = view.found.styles(latents, as_tensor(labels)).numpy()[0, 0]
        _check_directions(n, len(point))
        drawn: dict[str, Any] = {"latent_dim": view.gan.latent_dim}
        drawn["num_classes"] = view.gan.num_classes
        if view.settings.find == "principal":
            directions, scales = view.found.directions(n, **drawn)
        else:
            directions, _ = kgan.latents.closed_form(view.found.kernels(), n)
            scales = view.found.deviations_along(directions, **drawn)
    moves = directions[:, None] * scales[:, None, None] * steps[None, :, None]
    moved = (point + moves).reshape(-1, len(point))
    one = None if labels is None else np.repeat(labels[:1], len(moved))
    if view.found is None:
        images = view.gan.decode(moved, one)
    else:
        images = view.found.images(view.found.mapping.spread(tf.constant(moved))).numpy()
    return images.reshape(n, len(steps), *view.gan.sample_shape)


def _check_directions(n: int, size: int) -> None:
    if n > size:
        raise ValueError(f"n must be at most {size}, the number of directions there are, got {n}.")


DRAWINGS: dict[str, Callable[[View], np.ndarray]] = {
    "truncate": _truncate,
    "interpolate": _interpolate,
    "mix": _mix,
    "classes": _classes,
    "directions": _directions,
    "project": project,
}
"""What can be shown: functions to images (rows, columns, height, width, channels)."""
