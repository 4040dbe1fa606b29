"""Attacks that learn before they attack: fitted once, and kept with the run."""

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
    """The attack, and if it has to learn first, trained or read from the run's folder.

    Args:
        attack: The attack.
        model: The classifier.
        others: Gives the images to learn from, and says which these are.
        folder: The run's folder.
    """
    if attack.is_fitted:
        return attack
    name = type(attack).__name__
    # Of these settings and this classifier: a resumed run with others learns anew.
    digest = hashlib.sha256(model_hash(model) + repr(attack).encode()).hexdigest()[:8]
    path = folder / f"{name.lower()}-{digest}.keras"
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
