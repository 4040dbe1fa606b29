"""`kgan latents --images`: the samples, and the latents, that are nearest to given images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.networks
import kgan.random
from kgan.cli.latent_images import given, held_out
from kgan.cli.latent_view import View, as_tensor
from kgan.files import atomic_path
from kgan.hdf5 import check_readable
from kgan.metrics.feature_extractor import weights_hash
from kgan.models.unclipped import unclipped
from kgan.runs.outputs import check_file

_STYLES = 2000


def project(view: View) -> np.ndarray:
    """Rows in pairs: images, and what was found for them.

    Those that are given come first, then held-out ones and the model's own samples, whose errors
    say what those of the first are worth.
    """
    wanted = given(view)
    encoder = _encoder(view)
    _tell_search(view, 1 if encoder is not None else view.settings.restarts)
    samples = view.gan.decode(view.latents(len(wanted.images)), wanted.labels)
    # A network of a user's own may leave the range of images.
    own = wanted._replace(images=np.clip(samples, 0.0, 1.0), known="the model's own samples")
    rows = []
    for one in (wanted, held_out(view, wanted), own):
        if one is not None:
            found = _projected(view, one.images, one.labels, encoder)
            print(
                f"{one.known}: PSNR {found.psnr.mean():.1f} dB, mean squared error "
                f"{found.errors.mean():.2g}{_apart(view, found)}"
            )
            # Empty cells are white.
            pair = np.ones((2, len(own.images), *view.gan.sample_shape), np.float32)
            pair[:, one.columns] = one.images, found.images
            rows.append(pair)
    print("in that order, two rows each: images, and the nearest that was found")
    return np.concatenate(rows)


def latents_of_images(view: View) -> tuple[np.ndarray, np.ndarray]:
    """The user's images (n, ...), and the latents (n, latent_dim) whose samples are nearest."""
    wanted = given(view)
    _tell_search(view, view.settings.restarts)
    found = _of_latents(view, wanted.images, wanted.labels)
    print(f"{wanted.known}: found to a PSNR of {found.psnr.mean():.1f} dB{_apart(view, found)}")
    return wanted.images, found.points


def _tell_search(view: View, starts: int) -> None:
    plural = "" if starts == 1 else "s"
    print(f"a search of {_steps(view):,} steps from {starts} start{plural}", flush=True)


def _steps(view: View) -> int:
    return 100 * view.settings.steps


def _apart(view: View, found: kgan.latents.Projection) -> str:
    """What to tell of the features, if anything."""
    if found.distances is None:
        return ""
    return f", features of {view.settings.features} {found.distances.mean():.2g} apart"


def _projected(
    view: View, wanted: np.ndarray, labels: np.ndarray | None, encoder: Any
) -> kgan.latents.Projection:
    """In the styles, where there are some: they hold more than the latents' images."""
    if view.found is None:
        return _of_latents(view, wanted, labels)
    if encoder is not None:
        starts = encoder(tf.constant(wanted, tf.float32))[None]
        return _searched(view, view.found.unclipped_images, wanted, starts, pull=0.0, noise=0.0)
    # Half way to the typical one, from where all are near.
    restarts = view.settings.restarts
    latents = view.latents(restarts * len(wanted), part=7)
    starts = view.found.styles(latents, _repeated(labels, restarts))
    dim, classes = view.gan.latent_dim, view.gan.num_classes
    centre = view.found.centre(labels, latent_dim=dim, num_classes=classes)
    middle = None if centre is None else np.tile(centre, (restarts, 1))
    starts = view.found.truncated(starts, 0.5, centre=middle)
    starts = tf.reshape(starts, [restarts, len(wanted), *starts.shape[1:]])
    return _searched(view, view.found.unclipped_images, wanted, starts, pull=0.0)


def _of_latents(
    view: View, wanted: np.ndarray, labels: np.ndarray | None
) -> kgan.latents.Projection:
    restarts = view.settings.restarts
    starts = view.latents(restarts * len(wanted), part=7)
    starts = tf.reshape(starts, [restarts, len(wanted), view.gan.latent_dim])
    make, many = unclipped(view.gan.ema_generator), _repeated(labels, restarts)
    return _searched(view, lambda latents: make(latents, many), wanted, starts, pull=1e-3)


def _repeated(labels: np.ndarray | None, restarts: int) -> tf.Tensor | None:
    return None if labels is None else as_tensor(np.tile(labels, restarts))


def _searched(
    view: View,
    generate: Callable[[tf.Tensor], tf.Tensor],
    wanted: np.ndarray,
    starts: tf.Tensor,
    *,
    pull: float,
    noise: float = 0.05,
) -> kgan.latents.Projection:
    return kgan.latents.project(
        generate,
        wanted,
        starts,
        steps=_steps(view),
        pull=pull,
        learning_rate=0.05,
        noise=noise,
        features=view.features,
        feature_weight=view.settings.feature_weight,
        seed=view.settings.seed,
    )


def _encoder(view: View) -> Any:
    """The encoder of the file that the user names, trained first where there is none."""
    path = view.settings.encoder
    if path is None:
        return None
    styled = view.styled()
    if path.is_file():
        return _read_encoder(path, view)
    check_file("encoder", path)
    classes, dim = view.gan.num_classes, view.gan.latent_dim

    def draw(seed: tf.Tensor, n: int) -> tf.Tensor:
        labels = None
        if classes is not None:
            shares = kgan.random.stateless_uniform(tf.random.fold_in(seed, 1, alg="philox"), [n])
            labels = tf.minimum(tf.cast(shares * classes, tf.int32), classes - 1)
        return styled.styles(kgan.random.stateless_normal(seed, [n, dim]), labels)

    many = draw(kgan.random.step_seed(view.settings.seed, 0, "styles"), _STYLES)[:, 0].numpy()
    height, width, channels = view.gan.sample_shape
    network = kgan.networks.style_encoder((height, width, channels), *styled.shape)
    encoder = kgan.latents.Encoder(
        network,
        many.mean(axis=0),
        many.std(axis=0),
        trained_for=weights_hash(view.gan.ema_generator),
    )
    errors = kgan.latents.train_encoder(
        encoder,
        styled.unclipped_images,
        draw,
        images=_training_images(view),
        steps=view.settings.encoder_steps,
        seed=view.settings.seed,
    )
    with atomic_path(path) as temporary:
        encoder.save(temporary)
    print(f"an encoder in {path}, mean squared error {errors[-100:].mean():.2g} while it trained")
    return encoder


def _training_images(view: View) -> Any:
    """Those that the run was trained on, where they are there: what is projected is not learnt."""
    if view.source.recipe is not None:
        try:
            return view.source.recipe.data().samples
        except (OSError, ValueError) as error:
            print(f"the images of the training cannot be read: {error}")
    print("the encoder learns from generated images alone")
    return None


def _read_encoder(path: Path, view: View) -> kgan.latents.Encoder:
    """The encoder of a file, which must be one for this model as it is now."""
    check_readable(path)
    try:
        encoder = keras.models.load_model(path)
    except (TypeError, ValueError, OSError) as error:
        said = (str(error).strip().splitlines() or ["no message"])[0]
        raise ValueError(
            f"{path} cannot be loaded as an encoder: {said} Remove it, or name another file."
        ) from error
    if not isinstance(encoder, kgan.latents.Encoder):
        raise ValueError(
            f"{path} must hold an encoder, got a {type(encoder).__name__}: name another file."
        )
    remedy = "Remove it to train one for this model, or name another file."
    images, styles = view.gan.sample_shape, view.styled().shape
    if encoder.image_shape != images:
        raise ValueError(
            f"{path} must hold an encoder of images {images}, as the model makes, got one of "
            f"{encoder.image_shape}. {remedy}"
        )
    if encoder.style_shape != styles:
        raise ValueError(
            f"{path} must hold an encoder to styles {styles}, got one to {encoder.style_shape}. "
            f"{remedy}"
        )
    own, theirs = weights_hash(view.gan.ema_generator), encoder.trained_for
    if theirs not in (None, own):
        raise ValueError(
            f"{path} holds an encoder for another generator, or for this one at another step of "
            f"its training: it was trained for the weights {theirs}, and these are {own}. {remedy}"
        )
    unknown = ", and for which model it was trained is not known" if theirs is None else ""
    print(f"encoder {path} taken as it is{unknown}; remove it to train one")
    return encoder
