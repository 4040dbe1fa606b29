"""What applying gradients leaves behind, and that one replica's are taken as they are."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.models.gradient_update import _in_one_kernel, apply_gradients


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


ADAMS = {
    "plain": lambda: keras.optimizers.Adam(0.1, beta_1=0.5),
    "decay": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.1),
    "amsgrad": lambda: keras.optimizers.Adam(0.1, amsgrad=True),
    "clipped": lambda: keras.optimizers.Adam(0.1, clipnorm=0.5),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1), 16.0),
}


def updated(name, gradients, *, in_one_kernel):
    """All variables after the steps, and the kinds of operation of a step."""
    variables = [keras.Variable([1.0, 2.0, 3.0]), keras.Variable([4.0, 5.0, 6.0])]
    optimizer = ADAMS[name]()
    optimizer.build(variables)

    @tf.function(input_signature=[tf.TensorSpec([2, 3])])
    def step(rows):
        apply_gradients(optimizer, tf.unstack(rows), variables, in_one_kernel=in_one_kernel)

    for rows in gradients:
        step(rows)
    assert "update_step" not in vars(getattr(optimizer, "inner_optimizer", optimizer))
    kernels = {one.type for one in step.get_concrete_function().graph.get_operations()}
    return [np.array(one) for one in (*variables, *optimizer.variables)], kernels


@pytest.mark.parametrize("name", list(ADAMS))
def test_one_kernel_updates_as_keras_does(name):
    gradients = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    found, kernels = updated(name, gradients, in_one_kernel=True)
    expected, others = updated(name, gradients, in_one_kernel=False)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=5e-5)
    # A scaled step is in a branch, which has a graph of its own.
    assert ("ResourceApplyAdam" in kernels) == (name not in ("amsgrad", "scaled"))
    assert "ResourceApplyAdam" not in others


def test_rows_that_one_kernel_does_not_take():
    variable = keras.Variable(np.ones((4, 2), np.float32))
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([variable])
    rows = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([2]), tf.constant([4, 2]))
    apply_gradients(optimizer, [rows], [variable], in_one_kernel=True)
    np.testing.assert_allclose(variable[2], 0.9, rtol=1e-4)
    np.testing.assert_array_equal(np.delete(variable, 2, axis=0), 1.0)


def test_a_replica_that_leaves_takes_the_kernel_from_none():
    optimizer = keras.optimizers.Adam()
    with _in_one_kernel(optimizer):
        first, second = _in_one_kernel(optimizer), _in_one_kernel(optimizer)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert "update_step" in vars(optimizer)
        second.__exit__(None, None, None)
    assert "update_step" not in vars(optimizer)


class TwoReplicas:
    num_replicas_in_sync = 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"gradient_accumulation_steps": 4},
            "gradient_accumulation_steps of the optimizer sgd must be None on 2 replicas, got 4: "
            ".* Larger batches",
        ),
        (
            {"use_ema": True, "ema_overwrite_frequency": 3},
            "ema_overwrite_frequency of the optimizer sgd must be None on 2 replicas, got 3: .*"
            "SwapEMAWeights",
        ),
    ],
)
def test_what_acts_at_some_steps_only_is_refused_on_replicas(monkeypatch, options, told):
    variable = keras.Variable([1.0])
    optimizer = keras.optimizers.SGD(0.5, name="sgd", **options)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer)
    for one in (optimizer, scaled):
        one.build([variable])
    # One replica may.
    apply_gradients(optimizer, [tf.constant([1.0])], [variable])
    monkeypatch.setattr(tf.distribute, "get_strategy", TwoReplicas)
    for one in (optimizer, scaled):
        with pytest.raises(ValueError, match=told):
            apply_gradients(one, [tf.constant([1.0])], [variable])
