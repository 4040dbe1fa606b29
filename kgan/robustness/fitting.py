"""Fits attacks that learn before they attack, once, and saves them with the run."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from kgan.attacks.attack import Attack
from kgan.data import Dataset
from kgan.robustness.results import model_hash


def fitted(
    attack: Any,
    model: keras.Model,
    others: Callable[[], tuple[Dataset, str]],
    folder: Path,
) -> Attack:
    """Returns the attack; one that has to learn first is trained, or read from the run's folder.

    Args:
        attack: The attack.
        model: The classifier under attack.
        others: Function that returns the images to learn from, and a text that names them.
        folder: The run's folder.
    """
    if attack.is_fitted:
        return attack
    name = type(attack).__name__
    # The hash covers the classifier and the settings that it learns with, so a run resumed with
    # others trains a new attack.
    settings = ", ".join(
        f"{key}={value!r}" for key, value in attack.get_config().items() if key != "quantize"
    )
    digest = hashlib.sha256(model_hash(model) + f"{name}({settings})".encode()).hexdigest()[:8]
    path = folder / f"{name.lower()}-{digest}{attack.suffix}"
    if path.is_file():
        return type(attack).load(path)
    images, where = others()
    print(f"fitting {name} on {len(images):,} images: {where}", flush=True)
    begin = time.perf_counter()
    history = attack.fit(model, images.samples, images.labels).history
    attack.save(path)
    print(
        f"fitted in {time.perf_counter() - begin:.1f} s, fooling {history['success'][-1]:.1%} "
        f"in the last epoch; kept as {path}",
        flush=True,
    )
    return attack
