"""Where the samples that are scored come from: a generator, or a set that is given."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import kgan.kinds
from kgan.data import Dataset
from kgan.kinds import Images

Fakes = Callable[[int, int], tuple[Any, np.ndarray | None]]
"""From (number, seed) to samples and labels, or `None` for these."""

# Pairs of a perceptual path length; the published 50,000 take a GPU.
_PATHS = 2000


def from_generator(
    generate: Callable[[int, np.ndarray | None, int], Any],
    num_classes: int | None,
    train: Dataset,
) -> Fakes:
    """Samples of a generator, with the real mix of classes where it has those.

    Args:
        generate: (n, labels, seed) to samples; labels int32 (n,), or `None`.
        num_classes: How many classes the generator has; `None` where it is unconditional.
        train: The real data.
    """
    labels = train.labels if num_classes == train.num_classes else None

    def fakes(n: int, seed: int) -> tuple[Any, np.ndarray | None]:
        if num_classes is None:
            chosen = None
        elif labels is None:
            chosen = np.arange(n, dtype=np.int32) % num_classes
        else:
            # The real mix of classes, as exactly as n labels can have it.
            chosen = np.sort(labels)[np.arange(n) * len(labels) // n]
            chosen = np.random.default_rng(seed).permutation(chosen)
        return generate(n, chosen, seed), chosen

    return fakes


def from_set(given: Dataset) -> Fakes:
    """Samples of a given set, which no seed changes."""

    def fakes(n: int, seed: int) -> tuple[Any, np.ndarray | None]:
        # In random order: files are sorted by class, and some scores are means over splits.
        some = given.take(np.random.default_rng(0).permutation(len(given))[:n])
        return some.samples, some.labels

    return fakes


def with_labels_of(given: Dataset, train: Dataset) -> Dataset:
    """The samples with their classes numbered as the real data's, by name."""
    if given.labels is None or train.labels is None or not given.class_names:
        return given
    numbers = {name: number for number, name in enumerate(train.class_names or ())}
    # Failing the names, numbers: arrays have nothing else.
    numbers |= {str(number): number for number in range(len(numbers)) if str(number) not in numbers}
    unknown = [name for name in given.class_names if name not in numbers]
    if unknown:
        raise ValueError(
            f"classes of {given.name} must be among those of {train.name} "
            f"({', '.join(list(numbers)[:10])}), got {unknown[0]!r}. Rename the subfolder."
        )
    own = np.array([numbers[name] for name in given.class_names], np.int32)
    return replace(given, labels=own[given.labels], class_names=train.class_names)


def check_shape(what: str, samples: Any, real: Dataset) -> None:
    """Raises `ValueError` where generated samples have another shape than the real ones.

    Args:
        what: Where the samples are from; the error names it.
        samples: Some samples.
        real: The real data.
    """
    shape = tuple(samples.shape[1:])
    if shape == real.kind.shape:
        return
    kind = kgan.kinds.of_array(what, samples.shape)
    resizable = (
        isinstance(kind, Images)
        and isinstance(real.kind, Images)
        and kind.channels == real.kind.channels
    )
    remedy = "choose one with --image-size"
    if not resizable:
        remedy = "choose other --data, or save both as grey or both as colour images"
    ours, theirs = ("x".join(map(str, one)) for one in (shape, real.kind.shape))
    raise ValueError(
        f"samples of {what} are {ours} and those of {real.name} are {theirs}: {remedy}."
    )


def path_length_settings(model: Any) -> dict[str, Any]:
    """Settings of the metric `ppl` for a model that decodes latents.

    Args:
        model: Has `decode`, `latent_dim` and `check_labels`, as `kgan.models.GAN`.
    """

    def decode(latents: Any) -> Any:
        """Latents to samples, of the classes in turn."""
        return model.decode(latents, model.check_labels(None, len(latents)))

    return {"generate": decode, "latent_dim": model.latent_dim, "samples": _PATHS}
