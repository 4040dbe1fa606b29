"""The share of generated samples that are not copies of training samples."""

from typing import Any

import numpy as np

from kgan.metrics.checks import check_pair
from kgan.metrics.neighbours import nearest


def authenticity(train: Any, fake: Any) -> float:
    """The share of fakes that lie farther from their nearest training sample than that one lies
    from its own nearest neighbour.

    A generator that copies scores 0, one far off the data 1: read it beside precision, and against
    fresh real data, which score near one half on a line and more with each dimension.

    Args:
        train: (n, d) features of what the generator was trained on.
        fake: (m, d) features.

    Returns:
        A share in [0, 1] (dgm-eval prints it in percent, fld in percent minus 50).

    Reference: Alaa et al. 2022 (arXiv:2102.08921), section 4.3.
    """
    train, fake = check_pair(train, fake)
    found = nearest(fake, train)
    # Of those training samples alone that are nearest to a fake: itself first, then another one.
    used, which = np.unique(found.indices[:, 0], return_inverse=True)
    own = nearest(train[used], train, k=2).squared[:, 1]
    return float((found.squared[:, 0] > own[which]).mean())
