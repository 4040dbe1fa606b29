"""Image-classification sets of tensorflow-datasets, from a prepared folder or downloaded."""

from pathlib import Path

import numpy as np

from kgan.data.dataset import Dataset
from kgan.data.resize import ImageSize, resize_batch


def load_tfds(
    name: str,
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    image_size: ImageSize | None = None,
    download: bool = False,
) -> Dataset:
    """Loads a whole split into memory, as uint8.

    Args:
        name: Name in the tensorflow-datasets catalogue, such as "mnist" or "cifar10".
        split: A split of the set, such as "train", "train[:10%]" or "train+test".
        data_dir: Folder of prepared sets; `None` takes TFDS_DATA_DIR, else
            ~/tensorflow_datasets.
        image_size: Size to which images are resized with antialiasing, a side or (height, width).
        download: Whether to download and prepare the set if it is not there yet.

    Raises:
        FileNotFoundError: If the set is not prepared and `download` is False.
        ValueError: For an unknown set, or one without fixed-size images and `image_size`.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, tfds.core.registered.DatasetNotFoundError):
        raise ValueError(
            f"data {name!r} is neither built in, nor a folder or file, nor a set of "
            "tensorflow-datasets."
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
    if image_size is None and None in features["image"].shape:
        raise ValueError(f"images of {name} differ in size: choose one with --image-size.")
    images, labels = [], []
    batches = examples.batch(1 if None in features["image"].shape else 1024)
    for batch in batches.as_numpy_iterator():
        images.append(resize_batch(batch["image"], image_size))
        labels.append(batch["label"])
    return Dataset(
        name,
        np.concatenate(images),
        np.concatenate(labels).astype(np.int32),
        tuple(features["label"].names),
    )
