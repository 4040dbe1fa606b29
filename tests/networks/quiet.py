"""Noise that is none, for what must be private otherwise."""

import numpy as np


class Quiet:
    """Draws no noise, and keeps what deviations were asked for."""

    def __init__(self):
        self.deviations = []

    def normal(self, mean, deviation, size):
        self.deviations.append(deviation)
        return np.zeros(size)
