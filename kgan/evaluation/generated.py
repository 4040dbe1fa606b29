"""The samples to score: drawn from a generator, or taken from a given set."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import kgan.kinds
from kgan.data import Dataset
from kgan.kinds import Images
from kgan.labels import class_number

Fakes = Callable[[int, int], tuple[Any, np.ndarray | None]]
"""From (number, seed) to samples and labels, or `None` for these."""

# Number of pairs for a perceptual path length; the published 50,000 need a GPU.
_PATHS = 2000


def classes_of(
    num_classes: int | None, class_names: Sequence[str] | None, data: Dataset
) -> np.ndarray | None:
    """The generator's number of each class of the data, int32 (classes,), by their names.

    Data have an order of their own. The classes of a generator that knows no names are taken to be
    those of the data in order, where there are as many.

    Args:
        num_classes: Number of classes of the generator; `None` if it is unconditional.
        class_names: What it calls them; `None` where it does not know.
        data: The data.

    Returns:
        The numbers; `None` where a class is none of the generator's, or there are no classes.
    """
    if num_classes is None or data.class_names is None:
        return None
    names = None if class_names is None else tuple(class_names)
    same = np.arange(num_classes, dtype=np.int32) if num_classes == data.num_classes else None
    if names is None or names == data.class_names:
        return same
    try:
        found = [class_number(name, names, num_classes) for name in data.class_names]
    except ValueError:
        # Arrays call their classes by their numbers, which are no names.
        return same if _numbers(num_classes) in (names, data.class_names) else None
    return np.array(found, np.int32)


def note_of_classes(
    num_classes: int | None, class_names: Sequence[str] | None, data: Dataset
) -> str | None:
    """What a user should know of how `classes_of` matches classes; `None` where they are known."""
    if num_classes is None or data.labels is None:
        return None
    if classes_of(num_classes, class_names, data) is None:
        return (
            f"not all classes of {data.name} are known to be its own, of which samples are made in "
            "turn: scores of classes are left out"
        )
    numbers = _numbers(num_classes)
    if class_names in (None, numbers) and data.class_names != numbers:
        return f"its classes have no names, and are taken to be those of {data.name} in their order"
    return None


def _numbers(num_classes: int) -> tuple[str, ...]:
    return tuple(map(str, range(num_classes)))


def from_generator(
    generate: Callable[[int, np.ndarray | None, int], Any],
    num_classes: int | None,
    train: Dataset,
    class_names: Sequence[str] | None = None,
) -> Fakes:
    """Samples of a generator; a conditional one gets labels in the proportions of the real data.

    Args:
        generate: Function of (n, labels, seed) that returns samples (n, ...); labels are int32
            (n,) by the generator's numbers, or `None`.
        num_classes: Number of classes of the generator; `None` if it is unconditional.
        train: The real data.
        class_names: What the generator calls its classes, where it knows.

    Returns:
        Samples with labels by the numbers of the real data; without labels where those have other
        classes.
    """
    numbers, labels = classes_of(num_classes, class_names, train), train.labels

    def fakes(n: int, seed: int) -> tuple[Any, np.ndarray | None]:
        if num_classes is None:
            return generate(n, None, seed), None
        if labels is None or numbers is None:
            chosen = np.arange(n, dtype=np.int32) % num_classes
            return generate(n, chosen, seed), None if labels is not None else chosen
        # The real proportions of the classes, as exactly as n labels allow.
        chosen = np.sort(labels)[np.arange(n) * len(labels) // n]
        chosen = np.random.default_rng(seed).permutation(chosen)
        return generate(n, numbers[chosen], seed), chosen

    return fakes


def from_set(given: Dataset) -> Fakes:
    """Samples of a given set, the same for every seed."""

    def fakes(n: int, seed: int) -> tuple[Any, np.ndarray | None]:
        # Shuffled, because files may be sorted by class, and some scores are means over splits.
        some = given.take(np.random.default_rng(0).permutation(len(given))[:n])
        return some.samples, some.labels

    return fakes


def with_labels_of(given: Dataset, train: Dataset) -> Dataset:
    """The samples, with classes numbered as in the real data; classes are matched by name."""
    if given.labels is None or train.labels is None or not given.class_names:
        return given
    numbers = {name: number for number, name in enumerate(train.class_names or ())}
    # Class numbers count as names too, because arrays have no other names.
    numbers |= {str(number): number for number in range(len(numbers)) if str(number) not in numbers}
    unknown = [name for name in given.class_names if name not in numbers]
    if unknown:
        raise ValueError(
            f"classes of {given.name} must be among those of {train.name} "
            f"({', '.join(list(numbers)[:10])}), got {unknown[0]!r}. Rename that class."
        )
    own = np.array([numbers[name] for name in given.class_names], np.int32)
    return replace(given, labels=own[given.labels], class_names=train.class_names)


def check_shape(what: str, samples: Any, real: Dataset) -> None:
    """Raises `ValueError` if generated samples have another shape than the real ones.

    Args:
        what: Name of the source of the samples, for the error.
        samples: Some generated samples.
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


def likelihood_settings(
    model: Any,
    data: Dataset,
    *,
    importance_samples: int,
    class_names: Sequence[str] | None = None,
) -> dict[str, Any] | None:
    """Settings of the metric `bits_per_dimension`; `None` where the model has no likelihood.

    Args:
        model: May have `log_likelihood`, as `kgan.models.VAE`.
        data: The real data. A conditional model needs their classes.
        importance_samples: Draws of latents for each sample.
        class_names: What the model calls its classes, where it knows.
    """
    if not hasattr(model, "log_likelihood"):
        return None
    numbers = classes_of(model.num_classes, class_names, data)
    if model.num_classes is not None and numbers is None:
        return None

    def log_likelihood(samples: Any, labels: np.ndarray | None, **options: int) -> np.ndarray:
        own = None if numbers is None or labels is None else numbers[labels]
        return model.log_likelihood(samples, own, **options)

    return {"log_likelihood": log_likelihood, "importance_samples": importance_samples}


def path_length_settings(model: Any) -> dict[str, Any]:
    """Settings of the metric `ppl` for a model that decodes latents.

    Args:
        model: A model with `decode`, `latent_dim` and `check_labels`, such as `kgan.models.GAN`.
    """

    def decode(latents: Any) -> Any:
        """Maps latents to samples; labels repeat the classes in order."""
        return model.decode(latents, model.check_labels(None, len(latents)))

    return {"generate": decode, "latent_dim": model.latent_dim, "samples": _PATHS}
