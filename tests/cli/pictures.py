"""Files of images to train on."""

import numpy as np
from PIL import Image


def picture(path, shape, value=100):
    """Writes an image of random values from this one up to 50 more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(value)
    Image.fromarray(random.integers(value, value + 50, shape, dtype=np.uint8)).save(path)
