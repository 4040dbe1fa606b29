"""The network that proposes perturbations, over any shape and condition."""

import keras
import numpy as np
import pytest

from kgan.networks import perturbation_network

SHAPES = [(28, 28, 1), (32, 32, 3), (8, 8, 1), (17, 30, 2), (5, 3, 4)]


def inputs(network, batch=3):
    random = np.random.default_rng(0)
    values = {
        "images": random.random((batch, *network.inputs[0].shape[1:]), np.float32),
        "targets": np.arange(batch, dtype=np.int32),
        "epsilon_share": random.random(batch, np.float32),
    }
    found = [values[tensor.name] for tensor in network.inputs]
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("conditions", [{}, {"num_classes": 3, "epsilon": True}])
def test_it_takes_any_image_and_stays_within_one(shape, conditions):
    network = perturbation_network(shape, width=4, blocks=1, **conditions)
    changes = np.asarray(network(inputs(network)))
    assert changes.shape == (3, *shape)
    assert np.abs(changes).max() <= 1.0
    again = keras.Model.from_config(network.get_config())
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again(inputs(again)), changes)


@pytest.mark.parametrize("name", ["targets", "epsilon_share"])
def test_a_condition_changes_the_perturbation(name):
    keras.utils.set_random_seed(0)
    conditions = {"num_classes": 3} if name == "targets" else {"epsilon": True}
    network = perturbation_network((8, 8, 1), width=4, blocks=1, **conditions)
    images, condition = inputs(network)
    one = np.asarray(network([images, condition]))
    other = np.asarray(network([images, condition[::-1].copy()]))
    # The middle example has the same condition both times.
    np.testing.assert_allclose(one[1], other[1], atol=1e-6)
    assert np.abs(one[[0, 2]] - other[[0, 2]]).max() > 1e-3


def test_normalization_is_by_instance_or_none():
    images = inputs(perturbation_network((8, 8, 1)))
    for normalization in ("instance", None):
        keras.utils.set_random_seed(0)
        network = perturbation_network((8, 8, 1), width=4, normalization=normalization)
        kinds = {type(layer).__name__ for layer in network.layers}
        assert ("GroupNormalization" in kinds) == (normalization == "instance")
        # No example depends on its neighbours.
        whole = np.asarray(network(images))
        np.testing.assert_allclose(network(images[1:2]), whole[1:2], atol=1e-5)


def test_mistakes():
    with pytest.raises(ValueError, match=r"image_shape must be .* got \(28, 28\)"):
        perturbation_network((28, 28))
    with pytest.raises(ValueError, match="'instance' or None, got 'batch'"):
        perturbation_network((8, 8, 1), normalization="batch")
