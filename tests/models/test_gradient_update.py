"""What applying gradients leaves behind, and that one replica's are taken as they are."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.models.gradient_update import apply_gradients


def optimizer_of(kind):
    optimizer = keras.optimizers.SGD(0.5, clipvalue=2.0)
    return keras.optimizers.LossScaleOptimizer(optimizer) if kind == "scaled" else optimizer


@pytest.mark.parametrize("kind", ["plain", "scaled"])
def test_the_graph_of_a_step_goes_with_its_function(kind):
    variable = keras.Variable([1.0, 2.0])
    optimizer = optimizer_of(kind)
    optimizer.build([variable])
    scale = float(optimizer.dynamic_scale) if kind == "scaled" else 1.0

    @tf.function
    def step(gradient):
        apply_gradients(optimizer, [gradient], [variable])

    step(tf.constant([1.0, 4.0]) * scale)
    np.testing.assert_array_equal(variable, [0.5, 1.0])
    graph = weakref.ref(step.get_concrete_function(tf.TensorSpec([2])).graph)
    del step
    gc.collect()
    assert graph() is None
