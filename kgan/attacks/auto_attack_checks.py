"""What makes AutoAttack's figure unreliable, in sentences."""

import numpy as np

from kgan.attacks import zero_gradients
from kgan.attacks.victim import Victim
from kgan.attacks.zero_gradients import LOOKED_AT

# How much two answers may differ, as in the published code.
_DIFFERENCE = 1e-4


def find_warnings(
    victim: Victim,
    images: np.ndarray,
    labels: np.ndarray,
    indices: np.ndarray | None = None,
    *,
    version: str,
    batch_size: int,
) -> list[str]:
    """The warnings that can be given before the attacks.

    Args:
        victim: The classifier.
        images: float32 (n, ...) in [0, 1].
        labels: The classes of the images, int32 (n,), or what else is true of them.
        indices: Index of each image in its data set; 0, 1, ... if `None`.
        version: The version of AutoAttack, "standard", "plus" or "rand".
        batch_size: Images looked at a time.

    Reference:
        The checks of the authors' code, https://github.com/fra31/auto-attack, `flags_doc.md`.
    """
    images, labels = images[:LOOKED_AT], labels[:LOOKED_AT]
    indices = np.arange(len(images)) if indices is None else indices[:LOOKED_AT]
    indices = indices.astype(np.int32)
    look = zero_gradients.look(victim, images.shape[1:], labels)
    victim.rewind()
    looks = []
    for start in range(0, len(images), batch_size):
        some = slice(start, start + batch_size)
        looks.append(look(images[some], labels[some], indices[some]))
    if not looks:
        return []
    random = float(np.max([difference.numpy().max() for difference, _ in looks]))
    zeros = int(np.sum([zero.numpy().sum() for _, zero in looks]))
    found = []
    if random > _DIFFERENCE and version != "rand":
        found.append(
            f"the model is random: its logits for the same image differ by up to {random:.2g}. "
            'Use version="rand".'
        )
    if random <= _DIFFERENCE and version == "rand":
        found.append(
            'the model is not random: version="standard" has stronger attacks for such a model.'
        )
    choices = victim.choices if victim.criterion.by_class else 9
    if choices < 3 and version != "rand":
        found.append(
            f"the model has {victim.classes} classes: the targeted DLR loss needs "
            f"{victim.classes + 3 - choices}, so APGD on the margin takes its place, and this is "
            "not the standard AutoAttack."
        )
    elif choices < 9 and version != "rand":
        found.append(
            f"the model has {victim.classes} classes: only {choices} targets are tried where 9 are "
            "standard."
        )
    if zeros and victim.shows == "gradients":
        found.append(
            f"{zeros} of {len(images)} images have a gradient of zero, which gradient attacks "
            "cannot follow: robustness may be overestimated. See kgan.attacks.BPDA."
        )
    return found


def square_warning(before: float, after: float) -> list[str]:
    """A warning if Square, which sees no gradient, lowers the robust accuracy."""
    if not after < before:
        return []
    return [
        f"Square lowered the robust accuracy from {before:.1%} to {after:.1%}: the gradients may "
        "be masked, and robustness overestimated."
    ]
