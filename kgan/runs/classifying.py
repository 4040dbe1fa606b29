"""Training a classifier in a run folder."""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

import kgan.data
from kgan.data import Dataset
from kgan.evaluation.generated import classes_of, with_labels_of
from kgan.files import atomic_path, remove_left_behind
from kgan.names import printable
from kgan.portions import portions
from kgan.recipes.classifier import ClassifierRecipe, Generate, plain_loss
from kgan.runs import tested_on
from kgan.runs.classifier_file import new_name
from kgan.runs.run import Run
from kgan.runs.source import open_source
from kgan.runs.training import Trained, train
from kgan.settings import ClassifierSettings, hints


def train_classifier(
    settings: ClassifierSettings,
    *,
    name: str,
    preset: str | None = None,
    run: Run | None = None,
    kept: Iterable[str] | None = None,
    hint: bool = True,
) -> int:
    """Trains a classifier, prints its accuracy on the test split, and saves it.

    Args:
        settings: The settings that the user chose.
        name: Name of a new run, "classifier-NAME"; the file is `classifiers_dir/NAME.keras`, or
            with a number where there is such a file already.
        preset: Name of the preset that the settings started from, or `None`.
        run: The run to resume, or `None` to start a new one.
        kept: Names of the settings that the user chose, as for `kgan.runs.training.train`.
        hint: Whether to print the command that attacks it.

    Returns:
        The exit code: 0, or 130 if a signal ended the training.
    """
    short = run.model if run else name.removeprefix("classifier-")
    if run is None:
        short = new_name(settings.classifiers_dir, short, data=settings.data)
    return train(
        ClassifierRecipe(settings, fakes=fakes_of(settings)),
        name=name,
        model_name=short,
        preset=preset,
        run=run,
        kept=kept,
        finish=functools.partial(_save, hint=hint),
    )


def _save(trained: Trained, *, hint: bool) -> int:
    assert isinstance(trained.recipe, ClassifierRecipe)
    path = trained.recipe.settings.classifiers_dir / f"{trained.run.model}.keras"
    if not isinstance(trained.recipe.loss(trained.data), type(plain_loss())):
        # A plain Keras model, which loads without kgan.
        trained.model.compile(trained.model.optimizer, plain_loss(), metrics=["accuracy"])
    test, settings = trained.recipe.splits[1], trained.recipe.settings
    save(trained.model, path, kept=tested_on.of_training(settings, test))
    accuracy = _accuracy(trained.model, test)
    print(f"test accuracy {accuracy:.2%} ({len(test):,} images)")
    print(printable(f"saved as {path}"))
    if hint:
        print(printable(f"next: {hints.attack(settings, path, settings.data)}"))
    return 0


def _accuracy(model: keras.Model, data: Dataset) -> float:
    """The share of images whose class has the largest logit."""
    some = (data.kind.as_float(part) for part in portions(data.values))
    logits = [model.predict(images, batch_size=256, verbose=0) for images in some]
    return float((np.concatenate(logits).argmax(axis=1) == data.labels).mean())


def save(model: keras.Model, path: Path, *, kept: dict[str, object] | None = None) -> None:
    """Saves a model as a .keras file; what a save that was killed left there is removed.

    Args:
        model: The model.
        path: The file.
        kept: What `kgan.runs.tested_on.of_training` gave.
    """
    remove_left_behind(path.parent)
    with atomic_path(path) as temporary:
        model.save(temporary)
        tested_on.write(temporary, kept)


def preset_classifier(name: str, settings: ClassifierSettings) -> Path:
    """The file of a preset's classifier; trains the classifier first if there is no file yet.

    Args:
        name: Name of the preset, a key of `CLASSIFIER_PRESETS`.
        settings: Settings of that preset, with the caller's folders.
    """
    path = settings.classifiers_dir / f"{name}.keras"
    if not path.is_file():
        train_classifier(
            dataclasses.replace(settings, name=name),
            name=f"classifier-{name}",
            preset=name,
            hint=False,
        )
    return path


def fakes_of(settings: ClassifierSettings) -> Callable[[Dataset], Generate] | None:
    """For `ClassifierRecipe`: makes the function that generates images as the settings ask."""
    if settings.fakes is None:
        return None
    source = settings.fakes.expanduser()

    def generator(data: Dataset) -> Generate:
        if source.suffix == ".npz":
            return _from_file(source, data)
        opened = open_source(source)
        numbers = classes_of(opened.num_classes, opened.class_names, data)
        if opened.num_classes != data.num_classes:
            raise ValueError(
                f"fakes need a generator of the {data.num_classes} classes of {data.name}; "
                f"that of {source} has {opened.num_classes or 'none'}."
            )
        if numbers is None:
            raise ValueError(
                f"fakes need a generator of the classes of {data.name}; that of {source} has "
                f"others: {', '.join(opened.class_names or ())}."
            )

        def generate(n: int, labels: np.ndarray, seed: int) -> np.ndarray:
            return opened.generate(n, numbers[labels], seed)

        return generate

    return generator


def _from_file(path: Path, data: Dataset) -> Generate:
    """A function that draws samples of given classes of the data from a file."""
    fakes = with_labels_of(kgan.data.load(str(path)), data)
    counts = kgan.data.class_counts(fakes)
    classes = fakes.labels
    assert classes is not None

    def generate(n: int, labels: np.ndarray, seed: int) -> np.ndarray:
        order = np.random.default_rng(seed).permutation(len(fakes))
        rows = np.empty(n, int)
        for label in np.unique(labels):
            wanted = np.flatnonzero(labels == label)
            found = order[classes[order] == label]
            if len(found) < len(wanted):
                raise ValueError(
                    f"{path} must hold at least {len(wanted)} samples of class {label}, "
                    f"holds {counts[label] if label < len(counts) else 0}. "
                    "Sample more, or lower --fakes-per-class."
                )
            rows[wanted] = found[: len(wanted)]
        return fakes.take(rows).as_float()

    return generate
