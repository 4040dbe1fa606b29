"""Image-classification sets of tensorflow-datasets, from a prepared folder or downloaded."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kgan.data.array_images import images_of
from kgan.data.dataset import Dataset
from kgan.decoding.reading import Reading
from kgan.decoding.resize import resize_batch


def load_tfds(
    name: str,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    **reading: Any,
) -> Dataset:
    """Loads a whole split into memory.

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
    images, labels = [], []
    for batch in examples.batch(1 if differ else 1024).as_numpy_iterator():
        images.append(batch["image"])
        if differ:
            images[-1] = resize_batch(
                batch["image"], wanted.image_size, wanted.resize, wanted.colour
            )
        labels.append(batch["label"])
    made = images_of(
        name,
        np.concatenate(images),
        dataclasses.replace(wanted, image_size=None) if differ else wanted,
    )
    return Dataset(
        name,
        labels=np.concatenate(labels).astype(np.int32),
        class_names=tuple(features["label"].names),
        **made._asdict(),
    )
