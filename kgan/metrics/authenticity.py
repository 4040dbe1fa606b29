"""The share of generated samples that are not copies of training samples."""

from typing import Any

import numpy as np

from kgan.metrics.checks import check_pair
from kgan.metrics.neighbours import nearest


def authenticity(train: Any, fake: Any) -> float:
    """The share of fakes whose nearest training sample has a training sample still nearer to it.

    A fake counts if its distance to the nearest training sample is larger than the distance of that
    sample to its own nearest neighbour. A generator that copies scores 0, and one whose samples are
    far from the data scores 1, so read this score together with precision, and compare it with that
    of new real data, which is near one half in one dimension and grows with the dimension.

    Args:
        train: Features (n, d) of the generator's training samples.
        fake: Features (m, d) of generated samples.

    Returns:
        A share in [0, 1] (dgm-eval prints it in percent, fld in percent minus 50).

    Reference: Alaa et al. 2022 (arXiv:2102.08921), section 4.3.
    """
    train, fake = check_pair(train, fake)
    found = nearest(fake, train)
    # Only for training samples nearest to a fake; the first neighbour is the sample itself.
    used, which = np.unique(found.indices[:, 0], return_inverse=True)
    own = nearest(train[used], train, k=2).squared[:, 1]
    return float((found.squared[:, 0] > own[which]).mean())
