"""BigGAN's deep form against float64 references and the published sizes."""

import keras
import numpy as np
import pytest

from kgan.networks import (
    FirstChannels,
    SelfAttention,
    SpectralConv2D,
    SteeredBatchNormalization,
    biggan_deep_discriminator,
    biggan_deep_generator,
)
from kgan.networks.biggan_deep import discriminator_block, generator_block
from tests.conftest import slow_but

RANDOM = np.random.default_rng(0)


def float32(*values):
    return [value.astype(np.float32) for value in values]


def settled(model):
    """Its layers whose estimates of the norms of kernels are exact, biases drawn."""
    for layer in model._flatten_layers():
        if isinstance(layer, SpectralConv2D):
            layer.bias.assign(RANDOM.standard_normal(layer.bias.shape))
        if hasattr(layer, "power_iteration"):
            for _ in range(300):
                layer.power_iteration()
    return model


def normed(kernel):
    """A kernel over its largest singular value."""
    kernel = np.asarray(kernel, float)
    return kernel / np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2)


def convolved(layer, x):
    """By a kernel of odd sides with zeros beyond the border."""
    kernel = normed(layer.kernel)
    edge = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    height, width = x.shape[1:3]
    total = np.asarray(layer.bias, float)
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            seen = padded[:, row : row + height, column : column + width]
            total = total + seen @ kernel[row, column]
    return total


def steered(layer, x, vectors):
    axes = (0, 1, 2)
    normal = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5)
    scale, offset = (vectors @ normed(one.kernel) for one in (layer.scale, layer.offset))
    return np.maximum(normal * (1 + scale)[:, None, None] + offset[:, None, None], 0)


def of_kind(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def enlarged(x, strides):
    return x.repeat(strides[0], axis=1).repeat(strides[1], axis=2)


def averaged(x, strides):
    batch, height, width, channels = x.shape
    split = (batch, height // strides[0], strides[0], width // strides[1], strides[1], channels)
    return x.reshape(split).mean((2, 4))


@pytest.mark.parametrize(
    "case",
    slow_but([(16, (1, 1)), (16, (2, 2)), (8, (2, 2)), (12, (2, 1))], (12, (2, 1))),
    ids=str,
)
def test_block_of_the_generator(case):
    channels, strides = case
    x, vectors = RANDOM.standard_normal((3, 4, 6, 16)), RANDOM.standard_normal((3, 5))
    inputs = [keras.Input(x.shape[1:]), keras.Input(vectors.shape[1:])]
    model = settled(keras.Model(inputs, generator_block(*inputs, channels, strides)))
    norms, convolutions = of_kind(model, SteeredBatchNormalization), of_kind(model, SpectralConv2D)
    assert [one.kernel.shape for one in convolutions] == [
        (1, 1, 16, 4),
        (3, 3, 4, 4),
        (3, 3, 4, 4),
        (1, 1, 4, channels),
    ]
    residual = convolved(convolutions[0], steered(norms[0], x, vectors))
    residual = enlarged(steered(norms[1], residual, vectors), strides)
    residual = convolved(convolutions[1], residual)
    residual = convolved(convolutions[2], steered(norms[2], residual, vectors))
    residual = convolved(convolutions[3], steered(norms[3], residual, vectors))
    expected = residual + enlarged(x[..., :channels], strides)
    made = model(float32(x, vectors), training=True)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "case",
    slow_but([(8, (1, 1)), (8, (2, 2)), (16, (2, 2)), (12, (1, 2))], (12, (1, 2))),
    ids=str,
)
def test_block_of_the_discriminator(case):
    channels, strides = case
    x = RANDOM.standard_normal((3, 4, 6, 8))
    images = keras.Input(x.shape[1:])
    model = settled(keras.Model(images, discriminator_block(images, channels, strides)))
    by_shape = {tuple(one.kernel.shape): one for one in of_kind(model, SpectralConv2D)}
    hidden = channels // 4
    middle = [one for one in of_kind(model, SpectralConv2D) if one.kernel.shape[0] == 3]
    assert len(middle) == 2
    residual = convolved(by_shape[1, 1, 8, hidden], np.maximum(x, 0))
    for one in middle:
        residual = convolved(one, np.maximum(residual, 0))
    residual = averaged(np.maximum(residual, 0), strides)
    residual = convolved(by_shape[1, 1, hidden, channels], residual)
    shortcut = averaged(x, strides)
    if channels > 8:
        more = convolved(by_shape[1, 1, 8, channels - 8], shortcut)
        shortcut = np.concatenate([shortcut, more], axis=-1)
    assert len(by_shape) == (4 if channels > 8 else 3)
    np.testing.assert_allclose(model(*float32(x)), residual + shortcut, rtol=1e-4, atol=1e-4)


def test_as_many_weights_as_published():
    """At 128 pixels, 1000 classes: 50.4 and 34.6 million, with statistics and singular vectors."""
    generator = biggan_deep_generator((128, 128, 3), 128, num_classes=1000, width=128)
    discriminator = biggan_deep_discriminator((128, 128, 3), num_classes=1000, width=128)
    assert round(generator.count_params() / 1e6, 1) == 50.4
    assert round(discriminator.count_params() / 1e6, 1) == 34.6
    # What trains in the generator, by the paper's table.
    plan = [(16, 16), (16, 16), (16, 8), (8, 4), (4, 2), (2, 1)]
    size, total = 128 + 128, 1000 * 128
    total += (size + 1) * 16 * 16 * 128
    for inward, outward in plan[1:]:
        for before, after in ((inward, inward), (inward, outward)):
            before, after, hidden = before * 128, after * 128, before * 32
            total += 2 * size * (before + 3 * hidden)
            total += before * hidden + 2 * 9 * hidden**2 + hidden * after + 3 * hidden + after
    total += 5 * 256 * 256 // 4 + 1
    total += 2 * 128 + 9 * 128 * 3 + 3
    assert sum(np.prod(one.shape) for one in generator.trainable_variables) == total


@pytest.mark.parametrize(
    ("side", "multiples"),
    [
        (32, (4, 4, 4, 4)),
        pytest.param(64, (2, 4, 8, 16, 16), marks=pytest.mark.slow),
        pytest.param(256, (1, 2, 4, 8, 8, 16, 16), marks=pytest.mark.slow),
        (512, (1, 1, 2, 4, 8, 8, 16, 16)),
    ],
)
def test_channels_of_two_blocks_a_size(side, multiples):
    """Those of the paper's tables from 128 pixels on, of the authors' code below."""
    generator = biggan_deep_generator((side, side, 3), 4, width=16)
    made = [one.output.shape[1:] for one in of_kind(generator, keras.layers.Add)]
    sides = [side // 2**stage for stage in range(len(multiples))]
    expected = []
    for stage in range(len(multiples) - 1, 0, -1):
        expected.append((sides[stage], sides[stage], 16 * multiples[stage]))
        expected.append((sides[stage - 1], sides[stage - 1], 16 * multiples[stage - 1]))
    assert made == expected
    discriminator = biggan_deep_discriminator((side, side, 3), width=16)
    seen = [one.output.shape[1:] for one in of_kind(discriminator, keras.layers.Add)]
    if side == 32:
        # As in the authors' code, the map is not halved a third time.
        sides[-1] = sides[-2]
    stages = range(1, len(multiples))
    assert seen == [(sides[i], sides[i], 16 * multiples[i]) for i in stages for _ in range(2)]


@pytest.mark.parametrize(
    ("shape", "attended"),
    [
        ((32, 32, 3), []),
        ((64, 64, 1), [(32, 32)]),
        ((128, 128, 3), [(64, 64)]),
        ((20, 100, 1), [(10, 50)]),
    ],
)
def test_attention_stands_at_half_of_64_or_at_64(shape, attended):
    for network in (biggan_deep_generator(shape, 6, width=4), biggan_deep_discriminator(shape)):
        assert [one.output.shape[1:3] for one in of_kind(network, SelfAttention)] == attended


@pytest.mark.parametrize("num_classes", [None, 3])
def test_all_latents_and_the_class_steer_every_block(num_classes):
    generator = biggan_deep_generator((16, 16, 1), 6, num_classes=num_classes, width=4)
    layers = of_kind(generator, SteeredBatchNormalization)
    assert len(layers) == 4 * 2 * 2
    size = 6 if num_classes is None else 128 + 6
    assert {one.scale.kernel.shape[0] for one in layers} == {size}
    assert of_kind(generator, keras.layers.Dense)[0].kernel.shape[0] == size
    embeddings = of_kind(generator, keras.layers.Embedding)
    assert [one.name for one in embeddings] == ["shared_embedding"] * (num_classes is not None)


def test_the_first_channels_are_kept():
    x = RANDOM.standard_normal((2, 3, 3, 5)).astype(np.float32)
    layer = FirstChannels(2)
    np.testing.assert_array_equal(layer(x), x[..., :2])
    assert layer.compute_output_shape((None, 3, 3, 5)) == (None, 3, 3, 2)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    with pytest.raises(ValueError, match="count must be at most the number of channels, 5, got 6"):
        FirstChannels(6)(x)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        FirstChannels(0)
