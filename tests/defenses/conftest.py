"""Small data and classifiers for the defence tests."""

import keras
import numpy as np
import pytest

import kgan.data


@pytest.fixture(scope="session")
def digits():
    data = kgan.data.load("digits")
    return data.as_float(), data.labels


@pytest.fixture(scope="session")
def held():
    data = kgan.data.load("digits", "test")
    return data.as_float(), data.labels


@pytest.fixture
def make_classifier():
    """Builds a small classifier of digits; equal arguments give equal weights."""

    def make(head=None, units=10, *, batch_norm=False, dropout=0.0):
        keras.utils.set_random_seed(3)
        layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(32)]
        if batch_norm:
            layers.append(keras.layers.BatchNormalization())
        layers.append(keras.layers.ReLU())
        if dropout:
            layers.append(keras.layers.Dropout(dropout, seed=5))
        return keras.Sequential([*layers, keras.layers.Dense(units, activation=head)])

    return make


@pytest.fixture
def linear():
    """Logits `images @ kernel + bias` of images of 6 values, 2 classes."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    draw = np.random.default_rng(0)
    model.set_weights([draw.normal(size=(6, 2)).astype("float32"), np.float32([0.1, -0.2])])
    return model


@pytest.fixture
def batch():
    """Images that meet the box at some values, and their labels."""
    images = np.random.default_rng(1).random((8, 6)).astype("float32")
    images[:, 0], images[:, 1] = 0.0, 1.0
    return images, np.arange(8, dtype="int32") % 2


def sparse_loss(from_logits=True):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
