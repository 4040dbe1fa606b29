"""What an attack returns."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of an attack on n images.

    Attributes:
        adversarial: float32 array of the images' shape; the clean image where the attack failed.
        success: Whether it is misclassified (as the target, if there are targets), or what else
            counts by the victim's criterion, bool (n,). An image of which that was so to begin with
            counts, and comes back unchanged. For a model that is random, its most frequent answer
            counts, see `Victim`.
        labels: The classes attacked, or the targets to reach, int32 (n,); or what else the
            criterion takes, (n, ...).
    """

    adversarial: np.ndarray
    success: np.ndarray
    labels: np.ndarray
