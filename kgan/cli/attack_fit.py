"""Attacks that learn before they attack: fitted by the command, and kept with its run."""

import re
import time
from pathlib import Path

from kgan.config import AttackConfig


def fitted(config: AttackConfig, name: str, attack, model, data, folder: Path):
    """The attack, and if it learns, trained on the training split or read from the run.

    Args:
        config: The command's.
        name: The attack as the command names it, with its settings.
        attack: As made from them.
        model: The classifier.
        data: What will be attacked; trained on only where there is no training split.
        folder: The run's.
    """
    if not hasattr(attack, "fit"):
        return attack
    path = folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.keras"
    if path.is_file():
        return type(attack).load(path)
    train = _training_split(config, data)
    where = "the training split" if train is not data else "the images to be attacked themselves"
    kind = type(attack).__name__
    print(f"fitting {kind} on {len(train):,} images: {where}", flush=True)
    begin = time.perf_counter()
    history = attack.fit(model, train.samples, train.labels).history
    attack.save(path)
    print(
        f"fitted in {time.perf_counter() - begin:.1f} s, fooling {history['success'][-1]:.1%} "
        f"in the last epoch; kept as {path}",
        flush=True,
    )
    return attack


def _training_split(config: AttackConfig, data):
    """The training split of the same data; `data` where it has none or was asked for."""
    import kgan.data

    if config.split == "train" or Path(data.name).expanduser().is_dir():
        return data
    size = config.image_size
    try:
        train = kgan.data.load(
            data.name,
            "train",
            data_dir=config.data_dir,
            image_size=None if size is None else (size[0], size[-1]),
            download=config.download,
        )
    except ValueError:  # A file with other arrays only.
        return data
    fits = train.labels is not None and train.sample_shape == data.sample_shape
    return train if fits else data
