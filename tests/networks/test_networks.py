"""One contract for every pair of networks, over any shape."""

import inspect

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgan.networks import NETWORKS
from kgan.networks.resolution import resolution
from tests.conftest import slow_but

SHAPES = {
    "dcgan": [(8, 8, 1), (28, 28, 1), (20, 45, 3)],
    "resnet": [(8, 8, 1), (32, 32, 3), (17, 40, 1)],
    "mlp": [(2,), (7,)],
    "mlp-fine": [(2,), (7,)],
    "fastgan": [(8, 8, 1), (28, 28, 1), (20, 45, 3)],
    "progan": [(8, 8, 1), (28, 28, 1), (20, 45, 3)],
    "biggan": [(8, 8, 1), (28, 28, 1), (20, 45, 3)],
    "biggan-deep": [(8, 8, 1), (28, 28, 1), (20, 45, 3)],
    "r3gan": [(8, 8, 1), (28, 28, 1), (20, 45, 3)],
    "stylegan2": [(8, 8, 1), (28, 28, 1), (20, 45, 3)],
}
IMAGES = [name for name in NETWORKS if not name.startswith("mlp")]
CASES = [
    (name, shape, num_classes)
    for name in NETWORKS
    for shape in SHAPES[name]
    for num_classes in (None, 3)
]
# Each family in its smallest shape with and without classes, and in the others with them.
FEW = [case for case in CASES if case[1] == SHAPES[case[0]][0] or case[2] == 3]


def inputs(network, batch=4):
    random = np.random.default_rng(0)
    values = []
    for tensor in network.inputs:
        shape = (batch, *tensor.shape[1:])
        integer = "int" in tensor.dtype
        values.append(random.integers(0, 3, shape) if integer else random.random(shape, np.float32))
    return values[0] if len(values) == 1 else values


@pytest.mark.parametrize("case", slow_but(CASES, *FEW), ids=str)
def test_shapes_range_and_serialisation(case):
    name, shape, num_classes = case
    pair = NETWORKS[name]
    generator = pair.generator(shape, 10, num_classes=num_classes, width=16)
    discriminator = pair.discriminator(shape, num_classes=num_classes, width=16)
    samples = np.asarray(generator(inputs(generator), training=False))
    assert samples.shape == (4, *shape)
    if len(shape) == 3:
        assert samples.min() >= 0.0
        assert samples.max() <= 1.0
    logits = np.asarray(discriminator(inputs(discriminator), training=False))
    assert logits.shape == ((4, discriminator.output_shape[1]) if name == "fastgan" else (4,))
    for network in pair.generator(shape, 10, num_classes=num_classes, width=16), discriminator:
        again = keras.Model.from_config(network.get_config())
        assert [w.shape for w in again.weights] == [w.shape for w in network.weights]


@pytest.mark.parametrize("name", NETWORKS)
def test_options_of_the_discriminator(name):
    shape = SHAPES[name][0]
    plain = NETWORKS[name].discriminator(shape, width=16, spectral=False)
    spectral = name != "r3gan"
    full = NETWORKS[name].discriminator(shape, width=16, spectral=spectral, minibatch_stddev=True)
    kinds = {type(layer).__name__ for layer in full._flatten_layers()}
    assert any(kind.startswith("Spectral") for kind in kinds) == spectral
    assert "MinibatchStandardDeviation" in kinds
    assert not any(hasattr(layer, "power_iteration") for layer in plain._flatten_layers())


def test_branches_of_zeros_cannot_be_normalised():
    with pytest.raises(ValueError, match="spectral must be False for networks r3gan"):
        NETWORKS["r3gan"].discriminator((8, 8, 1), spectral=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_pair_has_one_signature(name):
    pair = NETWORKS[name]
    generator = list(inspect.signature(pair.generator).parameters)
    discriminator = list(inspect.signature(pair.discriminator).parameters)
    assert generator[1:] == ["latent_dim", "num_classes", "width"]
    assert discriminator[1:] == ["num_classes", "width", "spectral", "minibatch_stddev"]


@pytest.mark.parametrize("name", NETWORKS)
def test_last_layers_are_float32_in_mixed_precision(name):
    shape = SHAPES[name][0]
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = NETWORKS[name].generator(shape, 10, num_classes=3, width=16)
        discriminator = NETWORKS[name].discriminator(shape, num_classes=3, width=16)
    finally:
        keras.config.set_dtype_policy("float32")
    for network in generator, discriminator:
        assert network.outputs[0].dtype == "float32"
        assert {weight.dtype for weight in network.weights} <= {"float32", "int32"}
        computed = {layer.compute_dtype for layer in network.layers}
        assert "bfloat16" in computed
        # Up to the last layer with weights everything after it is float32.
        last = max(i for i, layer in enumerate(network.layers) if layer.weights)
        assert {layer.compute_dtype for layer in network.layers[last:]} == {"float32"}


@given(st.integers(8, 256), st.integers(8, 256))
@settings(max_examples=200, deadline=None)
def test_any_size_is_reached_exactly(height, width):
    plan = resolution((height, width, 3))
    assert plan.sizes[0] == (height, width)
    assert all(2 <= side <= 4 for side in plan.base)
    for stage, strides in enumerate(plan.strides):
        for axis in (0, 1):
            doubled = plan.sizes[stage + 1][axis] * strides[axis]
            assert doubled - plan.sizes[stage][axis] in (0, 1)


@pytest.mark.parametrize("shape", [(8, 8, 1), (17, 30, 2), (28, 28, 1), (100, 37, 3)])
@pytest.mark.parametrize("name", IMAGES)
def test_maps_mirror_each_other_without_a_margin(name, shape):
    sizes = resolution(shape).sizes
    generator = NETWORKS[name].generator(shape, 10, width=16)
    maps = [layer.output.shape[1:3] for layer in generator.layers if len(layer.output.shape) == 4]
    assert maps[-1] == sizes[0]
    assert set(sizes) <= set(maps)
    assert all(height <= shape[0] + 1 and width <= shape[1] + 1 for height, width in maps)


@pytest.mark.parametrize("shape", [(7, 8, 1), (8, 1025, 3), (8, 8), (8, 8, 0)])
def test_shapes_out_of_range(shape):
    with pytest.raises(ValueError, match="image_shape must"):
        NETWORKS["dcgan"].generator(shape, 5)


@pytest.mark.parametrize("name", IMAGES)
def test_sides_up_to_1024(name):
    shape = (1024, 512, 5)
    pair = NETWORKS[name]
    assert pair.generator(shape, 10, width=1).output_shape[1:] == shape
    assert pair.discriminator(shape, width=1).input_shape[1:] == shape


@pytest.mark.parametrize(("name", "finest"), [("mlp", 0.125), ("mlp-fine", 0.03125)])
def test_the_finest_wave_of_points(name, finest):
    """Points half a wave apart have opposite sines and cosines of it."""
    fourier = NETWORKS[name].discriminator((2,), width=8).layers[1]
    points = np.random.default_rng(0).standard_normal((64, 2)).astype(np.float32)
    both = np.stack([fourier(points), fourier(points + np.float32(finest / 2))])
    waves = both[..., 2:].reshape(2, 64, 2, -1, 2)
    assert waves.shape[3] == 3 + np.log2(4 / finest)
    np.testing.assert_allclose(waves[1, :, :, -1], -waves[0, :, :, -1], atol=1e-3)


def test_points_need_mlp():
    with pytest.raises(ValueError, match="mlp networks take points"):
        NETWORKS["mlp"].generator((8, 8, 1), 5)


@pytest.mark.parametrize("count", [0, -1])
@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_below_one_are_refused_by_their_names(name, count):
    pair, shape = NETWORKS[name], SHAPES[name][0]
    for wrong in ("latent_dim", "num_classes", "width"):
        said = f"^{wrong} must be at least 1, got {count}"
        with pytest.raises(ValueError, match=said):
            pair.generator(shape, **{"latent_dim": 8, wrong: count})
        if wrong != "latent_dim":
            with pytest.raises(ValueError, match=said):
                pair.discriminator(shape, **{wrong: count})
