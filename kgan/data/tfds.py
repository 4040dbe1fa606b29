"""Image-classification sets of tensorflow-datasets, from a prepared folder or downloaded."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import kgan.data.stored
from kgan.data.array_images import images_of
from kgan.data.array_source import Part, prepare_source
from kgan.data.dataset import Dataset
from kgan.data.prepared import Made, key_of, prepared, stamp
from kgan.decoding.reading import Reading
from kgan.decoding.resize import as_pair, resize_batch


def load_tfds(
    name: str,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    **reading: Any,
) -> Dataset:
    """Loads a whole split: into memory, or of more than 256 MB once into the cache folder.

    Args:
        name: Name in the tensorflow-datasets catalogue, such as "mnist" or "cifar10".
        split: A split of the set, such as "train", "train[:10%]" or "train+test".
        data_dir: Folder of prepared sets; `None` takes TFDS_DATA_DIR, else
            ~/tensorflow_datasets.
        download: Whether to download and prepare the set if it is not there yet.
        **reading: Fields of `kgan.data.Reading`.

    Raises:
        FileNotFoundError: If the set is not prepared and `download` is False.
        ValueError: For an unknown set, or one without fixed-size images and `image_size`.
    """
    import tensorflow_datasets as tfds

    wanted = Reading(**reading)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, tfds.core.registered.DatasetNotFoundError):
        raise ValueError(
            f"data {name!r} is neither built in, nor a set of tensorflow-datasets; and there is no "
            "such folder or file."
        ) from None
    if not Path(builder.data_path).is_dir():
        if not download:
            raise FileNotFoundError(
                f"data {name!r} is not prepared in {builder.data_path}. Point TFDS_DATA_DIR (or "
                "--data-dir) at a folder that has it, or allow a download with --download."
            )
        builder.download_and_prepare()
    features = builder.info.features
    if "image" not in features or "label" not in features:
        raise ValueError(
            f"data {name!r} is not an image-classification set: it has {', '.join(features)}."
        )
    if any(part.split("[")[0] not in builder.info.splits for part in split.split("+")):
        splits = ", ".join(builder.info.splits)
        raise ValueError(f"split of {name} must be one of {splits}, got {split!r}.")
    read = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    examples = builder.as_dataset(
        split=split,
        read_config=read,
        decoders=tfds.decode.PartialDecoding(
            {"image": features["image"], "label": features["label"]}
        ),
    )
    differ = None in features["image"].shape
    if differ and wanted.image_size is None:
        raise ValueError(f"images of {name} differ in size: choose one with --image-size.")
    if differ and (features["image"].dtype != np.uint8 or features["image"].shape[-1] == 4):
        raise ValueError(
            f"images of {name} differ in size and are not of 8 bits in 1 or 3 channels."
        )
    stream = _Stream(name, examples, features, wanted)
    resized = dataclasses.replace(wanted, image_size=None) if differ else wanted
    class_names = tuple(features["label"].names)
    if stream.nbytes > kgan.data.stored.IN_MEMORY:
        data = _prepared(name, split, builder, stream, wanted, resized, class_names)
        if data is not None:
            return data
    parts = list(stream.parts(0))
    made = images_of(name, np.concatenate([part.images for part in parts]), resized)
    labels = np.concatenate([part.labels for part in parts]).astype(np.int32)
    return Dataset(name, labels=labels, class_names=class_names, **made._asdict())


class _Stream:
    """The examples of a split, as a `kgan.data.array_source.Source`."""

    def __init__(self, name: str, examples: Any, features: Any, reading: Reading):
        self._examples, self._reading = examples, reading
        self._differ = None in features["image"].shape
        shape = features["image"].shape
        if self._differ:
            shape = (*as_pair(reading.image_size), shape[-1] or 3)  # type: ignore[arg-type]
        self.shape = (int(examples.cardinality()), *shape)
        self.dtype = np.dtype(features["image"].np_dtype)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def parts(self, start: int) -> Iterator[Part]:
        size = 256
        if not self._differ:
            for batch in self._examples.skip(start).batch(size).as_numpy_iterator():
                yield Part(batch["image"], batch["label"])
            return
        wanted, images, labels = self._reading, [], []
        for example in self._examples.skip(start).as_numpy_iterator():
            image = example["image"][None]
            images.append(resize_batch(image, wanted.image_size, wanted.resize, wanted.colour))
            labels.append(example["label"])
            if len(images) == size:
                yield Part(np.concatenate(images), np.array(labels))
                images, labels = [], []
        if images:
            yield Part(np.concatenate(images), np.array(labels))


def _prepared(
    name: str,
    split: str,
    builder: Any,
    stream: _Stream,
    reading: Reading,
    resized: Reading,
    class_names: tuple[str, ...],
) -> Dataset | None:
    """The split on disk; `None` where the cache cannot take it, but memory can."""
    folder = Path(builder.data_path)
    stamps = [f"{path.name} {stamp(path)}" for path in sorted(folder.iterdir()) if path.is_file()]
    key = key_of(reading, folder.resolve(), split, *stamps)
    what = f"{name}, {split}, {'x'.join(map(str, stream.shape[1:]))}"

    def prepare(entry: Path) -> Made:
        return prepare_source(entry, name, stream, resized)._replace(class_names=class_names)

    return prepared(name, key, what, stream.shape[0], prepare, memory=4 * stream.nbytes)
