"""Layers of Keras that repeat their draws on every replica are named."""

import warnings

import keras
import pytest
import tensorflow as tf

from kgan.models.replica_noise import warn_of_equal_draws
from kgan.networks import Dropout


class TwoReplicas:
    num_replicas_in_sync = 2


def network(layer):
    return keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])


def test_dropout_of_keras_is_named_on_replicas(monkeypatch):
    model = network(keras.layers.Dropout(0.5, name="drop"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_equal_draws(model)
    monkeypatch.setattr(tf.distribute, "get_strategy", TwoReplicas)
    with pytest.warns(UserWarning, match="drop: drawn by Keras, equal on all 2 replicas"):
        warn_of_equal_draws(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_equal_draws(network(Dropout(0.5)))
