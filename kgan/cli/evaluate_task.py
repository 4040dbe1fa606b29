"""What `kgan evaluate` is to score: where samples come from, and what they are compared with."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from PIL import Image

import kgan.build
import kgan.data
import kgan.metrics
from kgan.cli.sample import Source, open_source
from kgan.config import EvaluateConfig
from kgan.data import Dataset
from kgan.data.folder import DEFAULT_SIZE, SUFFIXES
from kgan.metrics.extractor import Extractor, discriminator_extractor, extractor
from kgan.networks.classifiers import small_cnn

_ARRAYS = (".npz", ".npy")
_IMAGE_METRICS: tuple[str, ...] = ("fid", "kid", "is", "prdc", "authenticity", "sliced_wasserstein")
# The published number of samples of stacked digits.
_STACKED_SAMPLES = 26_000
# Pairs of a perceptual path length; the published 50,000 take a GPU.
_PATHS = 2000
# The published mode counts of points are over so many.
_POINTS = 2500
_PIXEL_METRICS = ("sliced_wasserstein", "ndb", "spectrum")


class Task(NamedTuple):
    """Everything that an evaluation needs.

    Attributes:
        fakes: `(n, seed)` to (samples, labels or None).
        given: Number of samples in a given set; `None` for a generator.
        train: The real data to compare with.
        split: Its split.
        held_out: Other real data, whose scores are the floor.
        floor: Real samples to compare `held_out` with, where `train` contains those.
        extractor: Of features; `None` without one.
        metrics: Which by default.
        n: How many generated samples by default; `None` for as many as there are held-out ones.
        settings: The metrics' settings.
        classifier: Makes the classifier of the classification accuracy score.
        run: The run folder, if it is one.
    """

    fakes: Callable[[int, int], tuple[np.ndarray, np.ndarray | None]]
    given: int | None
    train: Dataset
    split: str
    held_out: Dataset
    floor: Dataset | None
    extractor: Extractor | None
    metrics: tuple[str, ...]
    n: int | None
    settings: dict[str, dict[str, Any]]
    classifier: Callable[[], keras.Model]
    run: Path | None


def prepare(config: EvaluateConfig) -> Task:
    """Finds and loads what the configuration names, and checks that it fits together."""
    path = Path(config.source or "").expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is neither a run folder, a .keras file, an exported model, nor samples."
        )
    run = path if (path / "config.json").is_file() else None
    given = _given(config, path)
    train, held_out, floor = _real(config, run)
    if given is not None:
        given = _with_labels_of(given, train)
    source, number = None, None
    if given is None:
        source = open_source(path, checkpoint=config.checkpoint)
        fakes = _generated(source, train)
    else:
        number = len(given)
        fakes = _given_set(config, given)
    _check_shapes(config, fakes(2, 0)[0], train)
    found = _extractor(config, source, train)
    settings = kgan.build.known_modes(train)
    if source is not None and source.gan is not None:
        settings["ppl"] = {
            "generate": _decoder(source.gan),
            "latent_dim": source.gan.latent_dim,
            "samples": _PATHS,
        }
    n = None if train.is_images else _POINTS
    if "stacked_modes" in settings:
        n = _STACKED_SAMPLES
    metrics: tuple[str, ...]
    if found is not None:
        metrics = tuple(m for m in _IMAGE_METRICS if m != "is" or found.is_classifier)
    elif "stacked_modes" in settings:
        metrics = ("stacked_modes", "sliced_wasserstein")
    elif train.is_images:
        metrics = _PIXEL_METRICS
    else:
        metrics = (*(name for name in settings if name == "modes"), "sliced_wasserstein")
    labelled = fakes(2, 0)[1] is not None
    _check_possible(config.metrics, settings, train, found, labelled=labelled)
    return Task(
        fakes=fakes,
        given=number,
        train=train,
        split=_split(config, run),
        held_out=held_out,
        floor=floor,
        extractor=found,
        metrics=metrics,
        n=n,
        settings=settings,
        classifier=fresh_classifier(train),
        run=run,
    )


def _check_possible(
    metrics, settings, train: Dataset, found: Extractor | None, *, labelled: bool
) -> None:
    """Raises `ValueError` for a metric that the source or the data cannot have."""
    needs = {
        "is": (found is not None and found.is_classifier, "an extractor that is a classifier"),
        "modes": ("modes" in settings, "data with known modes (ring, grid)"),
        "stacked_modes": ("stacked_modes" in settings, "stacked-mnist"),
        "ppl": ("ppl" in settings, "a run or a .keras file, whose latents are at hand"),
        "cas": (
            train.is_images and train.labels is not None and labelled,
            "labelled images, real and generated",
        ),
    }
    with_features = not train.is_images or found is not None
    for name in metrics:
        of_features = kgan.metrics.METRICS[name].of in ("features", "generator")
        possible, what = needs.get(name, (True, ""))
        if of_features and possible:
            possible, what = with_features, "an extractor (--extractor FILE.keras)"
        if not possible:
            raise ValueError(f"metric {name} needs {what}; leave it out.")


def fresh_classifier(data: Dataset) -> Callable[[], keras.Model]:
    """A function that makes the classifier of the classification accuracy score, compiled."""

    def small_cnn_classifier() -> keras.Model:
        keras.utils.set_random_seed(0)
        height, width, channels = data.sample_shape
        model = small_cnn((height, width, channels), data.num_classes or 2)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], jit_compile=False)
        return model

    return small_cnn_classifier


def _decoder(gan):
    """Latents to samples, of the classes in turn."""

    def decode(latents):
        return gan.decode(latents, gan.check_labels(None, len(latents)))

    return decode


def _given(config: EvaluateConfig, path: Path) -> Dataset | None:
    """The generated samples, where the source holds those and no generator."""
    if path.suffix in _ARRAYS:
        return kgan.data.load(str(path))
    has_generator = any(
        (path / name).is_file() for name in ("config.json", "saved_model.pb")
    ) or any(path.glob("*/saved_model.pb"))
    if path.is_dir() and not has_generator:
        return _images(path, config.image_size)
    return None


def _with_labels_of(given: Dataset, train: Dataset) -> Dataset:
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


def _given_set(config: EvaluateConfig, given: Dataset):
    if config.n is not None and config.n > len(given):
        raise ValueError(f"n must be at most the {len(given)} of {given.name}, got {config.n}.")

    def fakes(n: int, seed: int):
        # In random order: files are sorted by class, and some scores are means over splits.
        some = given.take(np.random.default_rng(0).permutation(len(given))[:n])
        return some.samples, some.labels

    return fakes


def _generated(source: Source, train: Dataset):
    labels = train.labels if source.num_classes == train.num_classes else None

    def fakes(n: int, seed: int):
        if source.num_classes is None:
            chosen = None
        elif labels is None:
            chosen = np.arange(n, dtype=np.int32) % source.num_classes
        else:
            # The real mix of classes, as exactly as n labels can have it.
            chosen = np.sort(labels)[np.arange(n) * len(labels) // n]
            chosen = np.random.default_rng(seed).permutation(chosen)
        return source.generate(n, chosen, seed), chosen

    return fakes


def _real(config: EvaluateConfig, run: Path | None) -> tuple[Dataset, Dataset, Dataset | None]:
    """(reference, held-out samples, what to compare those with if not the reference)."""
    saved = _saved(run)
    name = config.data or saved.get("data")
    if name is None:
        raise ValueError(
            f"data must be given for {config.source}: --data digits, mnist, a folder, ..."
        )
    size = config.image_size or (saved.get("image_size") if config.data is None else None)
    path = Path(name).expanduser()
    own = name not in kgan.data.DATASETS and path.exists()
    if own and path.is_dir() and size is None and config.data is None:
        size = (DEFAULT_SIZE,)  # A run trained at this size.
    if own:
        whole = _images(path, size) if path.is_dir() else kgan.data.load(name)
        rows = np.random.default_rng(0).permutation(len(whole))
        half = len(whole) // 2
        if half < 2:
            raise ValueError(f"{whole.name} holds {len(whole)} samples; a score needs at least 4.")
        return whole, whole.take(np.sort(rows[:half])), whole.take(np.sort(rows[half:]))
    data_dir = config.data_dir or saved.get("data_dir")
    options: dict[str, Any] = {
        "data_dir": data_dir,
        "image_size": None if size is None else (size[0], size[-1]),
        "download": config.download,
    }
    split = _split(config, run)
    train = kgan.data.load(name, split, **options)
    if name in kgan.data.MIXTURES:
        return train, _drawn(name, len(train)), None
    # What the run did not see.
    other = "train" if split.startswith("test") else "test"
    return train, kgan.data.load(name, other, **options), None


def _saved(run: Path | None) -> dict[str, Any]:
    """The run's own configuration."""
    return {} if run is None else json.loads((run / "config.json").read_text()).get("config", {})


def _split(config: EvaluateConfig, run: Path | None) -> str:
    """The split to compare with: what the run was trained on."""
    return "train" if config.data else _saved(run).get("split", "train")


def _drawn(name: str, n: int) -> Dataset:
    """Independent draws from a mixture's own law: what a perfect generator gives."""
    centres, deviation = kgan.data.MIXTURES[name]
    random = np.random.default_rng(2)
    modes = random.integers(len(centres), size=n)
    points = centres[modes] + deviation * random.standard_normal((n, 2))
    names = tuple(f"mode {mode}" for mode in range(len(centres)))
    return Dataset(name, points.astype(np.float32), modes.astype(np.int32), names)


def _images(folder: Path, image_size) -> Dataset:
    """A folder's images at their own size, or at the size that was asked for."""
    if image_size is None:
        sizes = set()
        for path in folder.rglob("*"):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                try:
                    with Image.open(path) as image:
                        sizes.add((image.height, image.width))
                except OSError:
                    continue  # Loading warns of it.
        if len(sizes) > 1:
            some = ", ".join(f"{height}x{width}" for height, width in sorted(sizes)[:3])
            raise ValueError(
                f"images of {folder} have {len(sizes)} sizes ({some}{', ...' * (len(sizes) > 3)}): "
                "choose one with --image-size."
            )
        image_size = next(iter(sizes), None)
    return kgan.data.load_folder(
        folder, image_size=None if image_size is None else (image_size[0], image_size[-1])
    )


def _check_shapes(config: EvaluateConfig, fakes: np.ndarray, real: Dataset) -> None:
    if fakes.shape[1:] != real.samples.shape[1:]:
        ours, theirs = ("x".join(map(str, one.shape[1:])) for one in (fakes, real.samples))
        resizable = (
            fakes.ndim == real.samples.ndim == 4 and fakes.shape[-1] == real.samples.shape[-1]
        )
        remedy = "choose one with --image-size"
        if not resizable:
            remedy = "choose other --data, or save both as grey or both as colour images"
        raise ValueError(
            f"samples of {config.source} are {ours} and those of {real.name} are {theirs}: "
            f"{remedy}."
        )


def _extractor(config: EvaluateConfig, source: Source | None, data: Dataset) -> Extractor | None:
    if config.extractor == "discriminator":
        if source is None or source.gan is None:
            raise ValueError(
                f"extractor discriminator needs a run or a .keras file, not {config.source}."
            )
        return discriminator_extractor(source.gan)
    name = config.extractor or kgan.build.default_extractor(data)
    if name is None:
        return None
    found = extractor(name, config.layer, download=config.download)
    found.features(data.samples[:1])
    return found
