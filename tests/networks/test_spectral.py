"""Spectral norm against a float64 singular value decomposition, values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.networks import SpectralConv2D, SpectralDense, SpectralEmbedding

LAYERS = {
    "conv": (lambda: SpectralConv2D(5, 3), (None, 6, 6, 2)),
    "dense": (lambda: SpectralDense(5), (None, 7)),
    "embedding": (lambda: SpectralEmbedding(9, 5), (None,)),
}


def converged(make, shape):
    keras.utils.set_random_seed(0)
    layer = make()
    layer.build(shape)
    for _ in range(200):
        layer.power_iteration()
    return layer


def matrix(kernel):
    values = np.asarray(kernel, np.float64)
    return values.reshape(-1, values.shape[-1])


@pytest.mark.parametrize("name", LAYERS)
def test_normalised_kernel_has_norm_one_and_the_variable_is_untouched(name):
    layer = converged(*LAYERS[name])
    kernel = layer.trainable_weights[0]
    before = kernel.numpy().copy()
    normalised = layer.normalise(tf.convert_to_tensor(kernel)).numpy()
    largest = np.linalg.svd(matrix(before), compute_uv=False)[0]
    np.testing.assert_allclose(matrix(normalised), matrix(before) / largest, rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(kernel.numpy(), before)


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_goes_through_the_norm(name):
    """d/dW of <C, W / sigma(W)> is C / sigma - <C, W> / sigma^2 u v^T (Miyato et al., eq. 10)."""
    layer = converged(*LAYERS[name])
    kernel = tf.convert_to_tensor(layer.trainable_weights[0])
    cotangent = np.random.default_rng(0).standard_normal(kernel.shape)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        value = tf.reduce_sum(layer.normalise(kernel) * cotangent.astype(np.float32))
    weights, outer = matrix(kernel), matrix(cotangent)
    left, sigmas, right = np.linalg.svd(weights, full_matrices=False)
    expected = outer / sigmas[0] - (outer * weights).sum() / sigmas[0] ** 2 * np.outer(
        left[:, 0], right[0]
    )
    gradient = matrix(tape.gradient(value, kernel))
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max())
    # Scaling the kernel does not change the layer.
    assert abs((gradient * weights).sum()) < 1e-3 * np.linalg.norm(gradient) * sigmas[0]


def test_calls_compute_with_the_normalised_kernel():
    dense = converged(*LAYERS["dense"])
    inputs = np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)
    kernel = dense.kernel.numpy()
    largest = np.linalg.svd(kernel, compute_uv=False)[0]
    np.testing.assert_allclose(dense(inputs), inputs @ kernel / largest, rtol=1e-4, atol=1e-5)
    conv = converged(*LAYERS["conv"])
    plain = keras.layers.Conv2D(5, 3)
    plain.build((None, 6, 6, 2))
    plain.set_weights(
        [
            conv.kernel.numpy() / np.linalg.svd(matrix(conv.kernel), compute_uv=False)[0],
            conv.bias.numpy(),
        ]
    )
    images = np.random.default_rng(1).random((2, 6, 6, 2), np.float32)
    np.testing.assert_allclose(conv(images), plain(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_a_call_changes_no_state(training):
    layer = converged(*LAYERS["dense"])
    before = [weight.numpy().copy() for weight in layer.weights]
    layer(np.ones((2, 7), np.float32), training=training)
    for old, new in zip(before, layer.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


@pytest.mark.parametrize("name", LAYERS)
def test_saves_its_vector(name, tmp_path):
    make, shape = LAYERS[name]
    dtype = "int32" if name == "embedding" else "float32"
    inputs = keras.Input(shape[1:], dtype=dtype)
    model = keras.Model(inputs, converged(make, shape)(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for old, new in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(old.numpy(), new.numpy())
