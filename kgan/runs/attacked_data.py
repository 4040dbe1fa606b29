"""The images that `kgan attack` attacks, with what is true of them and what is held beside them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kgan.data
from kgan.data import Dataset
from kgan.data.arrays import has_split, label_rows, load_arrays, rows_beside
from kgan.names import one_line
from kgan.runs import tested_on


@dataclasses.dataclass(frozen=True)
class AttackedData:
    """Images to attack.

    Attributes:
        images: The images, with their classes as labels where each has one.
        truth: What is true of them: class numbers int32 (n,), or rows of 0 and 1 (n, labels).
        held: By the names of a model's other inputs: arrays with a row for each image, or one.
        name: Where they came from, as the user named it.
        split: The split that they are of.
        left: Rows of the split that are not attacked, or that the classifier was trained on.
        untrained: Whether they are those which the classifier's training held out of all.
        options: How they were read.
    """

    images: Dataset
    truth: np.ndarray
    held: dict[str, np.ndarray]
    name: str
    split: str
    left: np.ndarray
    untrained: bool
    options: dict[str, Any]

    def others(self) -> tuple[Dataset, str]:
        """Other images, for attacks that learn before, and a text that names them."""
        if self.images.labels is None or self.held:
            raise ValueError(
                "attacks that learn from a data set need a model of images alone and one class for "
                "each: leave out advgan and universal."
            )
        path = Path(self.name).expanduser()
        named = has_split(path, "train") if path.is_file() else _has_training(path)
        if named and self.split != "train":
            return kgan.data.load_labelled(self.name, "train", **self.options), "the training split"
        if len(self.left):
            whole = kgan.data.load_labelled(self.name, self.split, **self.options)
            told = "those that it was trained on" if self.untrained else "those that --n leaves out"
            return whole.take(self.left), told
        return self.images, "the images to be attacked themselves; --n leaves others out"


def attacked_data(
    name: str,
    split: str,
    *,
    n: int | None = None,
    seed: int = 0,
    several_labels: bool = False,
    held: Sequence[str] = (),
    classifier: Path | None = None,
    **options: Any,
) -> AttackedData:
    """Loads the images to attack.

    Args:
        name: As for `kgan.data.load`.
        split: The split.
        n: Attack so many of them, drawn by the seed; all if `None`.
        seed: Seed of that choice, an int.
        several_labels: Whether labels are rows of 0 and 1 of an .npz file.
        held: Names of arrays of an .npz file that other inputs of the model get, "NAME" or
            "NAME=KEY" where the array is called otherwise than the input.
        classifier: Of data without splits: the file of the classifier. Where it says which of them
            its training held out, these alone are attacked, and a line says so.
        **options: Further arguments of `kgan.data.load`.
    """
    path = Path(name).expanduser()
    if (several_labels or held) and path.suffix.lower() != ".npz":
        what = "several labels an image" if several_labels else "held inputs"
        raise ValueError(f"{what} need arrays beside the images: --data FILE.npz, got {name}.")
    if several_labels:
        reading = {k: v for k, v in options.items() if k not in ("data_dir", "download")}
        images = load_arrays(path, split, labelled=False, **reading)
        truth = label_rows(path, split)
        if not images.is_images or len(truth) != len(images):
            raise ValueError(
                f"{name} must hold images and a row of labels for each, got {len(truth)} rows for "
                f"{len(images)} samples of {images.sample_shape}."
            )
    else:
        images = kgan.data.load_labelled(name, split, **options)
        assert images.labels is not None
        truth = images.labels
    arrays = {}
    for one in held:
        input, _, key = one.partition("=")
        arrays[input] = rows_beside(path, split, key or input, len(images))
    known = None
    if classifier is not None and classifier.is_file():
        known = tested_on.rows_of(classifier, images)
    every = np.arange(len(images))
    drawn = every if known is None else known
    if known is not None:
        print(
            one_line(
                f"{images.name} has no images for tests: {classifier} was not trained on "
                f"{len(known):,} of them, which alone are attacked"
            )
        )
    if n is not None and n < len(drawn):
        drawn = np.sort(np.random.default_rng(seed).permutation(drawn)[:n])
    left = np.setdiff1d(every, drawn if known is None else known)
    if len(drawn) < len(images):
        images, truth = images.take(drawn), truth[drawn]
        arrays = {k: v[drawn] if len(v) > 1 else v for k, v in arrays.items()}
    return AttackedData(images, truth, arrays, name, split, left, known is not None, options)


def _has_training(path: Path) -> bool:
    """Whether there is a training split beside the one that is attacked; of folders some."""
    return not path.is_dir() or "train" in kgan.data.folder_splits(path)
