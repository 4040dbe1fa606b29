"""Attacks that learn before they attack: fitted by the command, and kept with its run."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def fitted(attack, model, others: Callable[[], tuple[Any, str]], folder: Path):
    """The attack, and if it learns, trained or read from the run.

    Args:
        attack: As made from the command's settings.
        model: The classifier.
        others: Gives the images to learn from, and says which these are.
        folder: The run's.
    """
    from kgan.attacks.parts import digest_of

    if not hasattr(attack, "fit"):
        return attack
    kind = type(attack).__name__
    # Of these settings and this classifier: a resumed run with others learns anew.
    digest = hashlib.sha256(digest_of(model) + repr(attack).encode()).hexdigest()[:8]
    path = folder / f"{kind.lower()}-{digest}.keras"
    if path.is_file():
        return type(attack).load(path)
    images, where = others()
    print(f"fitting {kind} on {len(images):,} images: {where}", flush=True)
    begin = time.perf_counter()
    history = attack.fit(model, images.samples, images.labels).history
    attack.save(path)
    print(
        f"fitted in {time.perf_counter() - begin:.1f} s, fooling {history['success'][-1]:.1%} "
        f"in the last epoch; kept as {path}",
        flush=True,
    )
    return attack
