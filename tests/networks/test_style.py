"""Layers of StyleGAN2 against float64 references: values, gradients, gradients of gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.random
from kgan.networks import (
    EqualizedConv2D,
    EqualizedDense,
    FilteredConv2D,
    FilteredDownsampling2D,
    FilteredUpsampling2D,
    GroupedConv2D,
    LabelledMapping,
    LearnedConstant,
    LinearImages,
    ModulatedConv2D,
    NoiseInput,
    PixelNormalization,
    RepeatedUpsampling2D,
    ScaledLeakyReLU,
    StyleMapping,
)
from tests.networks.test_layers import gradients

FILTER = np.array([1.0, 3.0, 3.0, 1.0])


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def correlate(image, kernel):
    """A kernel (rows, columns, in, out) at each place where it lies inside of an image."""
    patches = np.lib.stride_tricks.sliding_window_view(image, kernel.shape[:2], axis=(0, 1))
    return np.einsum("ijcuv,uvco->ijo", patches, kernel)


def spread(image, strides):
    """Zeros between the pixels."""
    found = np.zeros((*np.multiply(image.shape[:2], strides), image.shape[2]))
    found[:: strides[0], :: strides[1]] = image
    return found


def filtered(image, strides, before, after, gain=1.0):
    """Every channel under [1, 3, 3, 1] along the axes with stride 2, by the definition."""
    weights = [FILTER / 8 if stride == 2 else np.ones(1) for stride in strides]
    margins = [(before, after) if stride == 2 else (0, 0) for stride in strides]
    image = np.pad(image, [*margins, (0, 0)])
    kernel = np.multiply.outer(*weights)[:, :, None, None] * gain
    return np.concatenate([correlate(one[:, :, None], kernel) for one in image.T.swapaxes(1, 2)], 2)


@pytest.mark.parametrize("strides", [(2, 2), (1, 2), (2, 1)])
def test_resampling_is_zeros_and_the_filter(strides):
    images = random(2, 5, 4, 3)
    gain = np.prod(strides)
    larger = [filtered(spread(one, strides), strides, 2, 1, gain) for one in images]
    seen = FilteredUpsampling2D(strides)(images.astype(np.float32))
    np.testing.assert_allclose(seen, larger, atol=1e-5)
    smaller = [filtered(one, strides, 1, 2)[:: strides[0], :: strides[1]] for one in images]
    seen = FilteredDownsampling2D(strides)(images.astype(np.float32))
    assert seen.shape == FilteredDownsampling2D(strides).compute_output_shape(images.shape)
    np.testing.assert_allclose(
        seen, np.array(smaller)[:, : seen.shape[1], : seen.shape[2]], atol=1e-5
    )


@pytest.mark.parametrize("strides", [(2, 2), (1, 2), (2, 1), (3, 1)])
def test_repetition_is_that_of_keras_and_of_any_size(strides):
    images, weights = random(2, 5, 4, 3), random(2, 5 * strides[0], 4 * strides[1], 3)
    found = []
    for kind in (RepeatedUpsampling2D, keras.layers.UpSampling2D):
        layer, given = kind(strides), tf.constant(images, tf.float32)
        free = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 3])])
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss = tf.reduce_sum(layer(given) * weights.astype(np.float32))
        found.append((layer(given), free(given), tape.gradient(loss, given)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_equalised_layers_scale_where_they_compute():
    keras.utils.set_random_seed(0)
    conv = EqualizedConv2D(64, 3, gain=2.0, padding="same", use_bias=False)
    images = random(8, 6, 6, 32).astype(np.float32)
    made = conv(images)
    assert np.asarray(conv.kernel).std() == pytest.approx(1.0, rel=0.02)
    plain = tf.nn.conv2d(images, 2.0 / np.sqrt(9 * 32) * np.asarray(conv.kernel), 1, "SAME")
    np.testing.assert_allclose(made, plain, rtol=1e-4, atol=1e-5)
    dense = EqualizedDense(3, rate_multiplier=0.01)
    dense.build((None, 400))
    dense.bias.assign([1.0, 2.0, 3.0])
    assert np.asarray(dense.kernel).std() == pytest.approx(100.0, rel=0.05)
    rows = random(2, 400)
    expected = rows @ (np.asarray(dense.kernel, float) * 0.01 / 20) + 0.01 * np.arange(1, 4)
    np.testing.assert_allclose(dense(rows.astype(np.float32)), expected, rtol=1e-4, atol=1e-5)


def test_a_slow_layer_moves_as_little_as_its_multiplier_says():
    """Adam's first step is the learning rate in the variable, the multiplier's share of it here."""
    dense = EqualizedDense(1, rate_multiplier=0.01, use_bias=False)
    dense.build((None, 1))
    before = dense(np.ones((1, 1), np.float32)).numpy()
    optimizer = keras.optimizers.Adam(0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(dense(np.ones((1, 1), np.float32)))
    optimizer.apply(tape.gradient(loss, dense.trainable_variables), dense.trainable_variables)
    moved = before - dense(np.ones((1, 1), np.float32)).numpy()
    np.testing.assert_allclose(moved, [[0.1 * 0.01]], rtol=1e-3)


@pytest.mark.parametrize("strides", [(2, 2), (1, 2)])
def test_filtered_convolution(strides):
    images = random(2, 5, 6, 2)
    conv = FilteredConv2D(3, strides=strides)
    seen = conv(images.astype(np.float32))
    kernel = np.asarray(conv.kernel, float) / np.sqrt(18)
    for one, made in zip(images, np.asarray(seen), strict=True):
        sides = [(2, 3) if stride == 2 else (1, 1) for stride in strides]
        rows, columns = (sides[i] for i in (0, 1))
        padded = np.pad(one, [rows if strides[0] == 2 else (1, 1), columns, (0, 0)])
        blurred = filtered(padded, strides, 0, 0)
        whole = correlate(blurred, kernel)[:: strides[0], :: strides[1]]
        np.testing.assert_allclose(made, whole[: made.shape[0], : made.shape[1]], atol=1e-5)
    assert seen.shape == conv.compute_output_shape(images.shape)


def test_pixel_norm_and_activation():
    features = random(2, 3, 3, 5)
    expected = features / np.sqrt((features**2).mean(-1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(
        PixelNormalization()(features.astype(np.float32)), expected, rtol=1e-5
    )
    expected = np.where(features > 0, features, 0.2 * features) * np.sqrt(2)
    np.testing.assert_allclose(ScaledLeakyReLU()(features.astype(np.float32)), expected, rtol=1e-5)


def modulated(features, styles, layer):
    """Every sample's own kernel, as the paper writes it."""
    kernel, bias, weight, offset = (
        np.asarray(one, float)
        for one in (layer.kernel, layer.bias, layer.affine.kernel, layer.affine.bias)
    )
    style = styles[:, layer.style_index] @ weight / np.sqrt(weight.shape[0]) + offset
    found = []
    for one, scale in zip(features, style, strict=True):
        own = kernel / np.sqrt(np.prod(kernel.shape[:3])) * scale[:, None]
        if layer.demodulate:
            own = own / np.sqrt((own**2).sum((0, 1, 2)) + 1e-8)
        up = layer.strides
        margins = [2 if stride == 2 else kernel.shape[0] // 2 for stride in up]
        wide = np.pad(spread(one, up), [(m, m) for m in margins] + [(0, 0)])
        made = correlate(wide, own)
        # Beyond the border the convolution of zeros is zero but for one pixel.
        made = filtered(made, up, 1, 0, np.prod(up)) if max(up) == 2 else made
        found.append(made)
    return np.array(found) + bias


@pytest.mark.parametrize(
    ("demodulate", "size", "strides"),
    [(True, 3, (1, 1)), (False, 1, (1, 1)), (True, 3, (2, 2)), (True, 3, (2, 1))],
)
def test_modulated_convolution_is_a_kernel_for_each_sample(demodulate, size, strides):
    features, styles = random(3, 4, 3, 2), random(3, 2, 5)
    layer = ModulatedConv2D(3, size, style_index=1, demodulate=demodulate, strides=strides)
    layer.build([features.shape, styles.shape])
    layer.bias.assign([0.5, -1.0, 2.0])

    def call(x, s):
        return layer([tf.cast(x, tf.float32), tf.cast(s, tf.float32)])

    made = call(features, styles)
    assert made.shape == layer.compute_output_shape([features.shape, styles.shape])
    np.testing.assert_allclose(made, modulated(features, styles, layer), atol=1e-5)
    weight = random(*made.shape)
    for which in (0, 1):
        given = [features, styles]

        def value(moved, which=which):
            given = [features, styles]
            given[which] = moved
            return (modulated(*given, layer) * weight).sum()

        tensors = [tf.constant(one, tf.float32) for one in given]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            total = tf.reduce_sum(call(*tensors) * tf.cast(weight, tf.float32))
        seen = tape.gradient(total, tensors[which])
        np.testing.assert_allclose(seen, gradients(value, given[which]), rtol=1e-3, atol=1e-3)


def test_the_gradient_of_a_styles_gradient():
    """As the path length needs it: of |d sum(y) / d style|^2, by differences of a float64 one."""
    features, styles = random(2, 3, 3, 2), random(2, 1, 3)
    layer = ModulatedConv2D(2, 3)
    layer.build([features.shape, styles.shape])
    weight = random(2, 3, 3, 2)

    def norm(moved):
        slope = gradients(lambda s: (modulated(features, s, layer) * weight).sum(), moved)
        return (slope**2).sum()

    given = tf.constant(styles, tf.float32)
    with tf.GradientTape() as outer:
        outer.watch(given)
        with tf.GradientTape() as inner:
            inner.watch(given)
            made = layer([tf.constant(features, tf.float32), given])
            total = tf.reduce_sum(made * tf.cast(weight, tf.float32))
        value = tf.reduce_sum(tf.square(inner.gradient(total, given)))
    step, direction = 1e-3, random(*styles.shape)
    expected = (norm(styles + step * direction) - norm(styles - step * direction)) / (2 * step)
    seen = np.sum(outer.gradient(value, given).numpy() * direction)
    assert seen == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize(("channels", "groups"), [(32, 2), (24, 6), (64, 16)])
def test_blocks_of_groups_are_one_convolution(channels, groups):
    """A block for each group, one for all, and four of four groups each."""
    images = random(2, 4, 4, channels)
    layer = GroupedConv2D(2 * groups, 3, groups=groups, use_bias=False)
    layer.build(images.shape)
    expected = tf.nn.conv2d(tf.constant(images, tf.float32), layer.kernel.value, 1, "SAME")
    np.testing.assert_allclose(layer(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_groups_see_their_own_channels_alone(padding):
    """As TensorFlow's grouped convolution, in float64 by slices, and so are its gradients."""
    images = random(2, 5, 4, 6)
    layer = GroupedConv2D(4, 3, groups=2, padding=padding)
    layer.build(images.shape)
    layer.bias.assign([1.0, 2.0, 3.0, 4.0])
    kernel = np.asarray(layer.kernel, float)

    def reference(given):
        wide = np.pad(given, [(0, 0), (1, 1), (1, 1), (0, 0)]) if padding == "same" else given
        parts = [
            [correlate(one[..., 3 * g : 3 * g + 3], kernel[..., 2 * g : 2 * g + 2]) for one in wide]
            for g in (0, 1)
        ]
        return np.concatenate(parts, axis=-1) + np.arange(1, 5)

    given = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(given)
        made = layer(given)
        total = tf.reduce_sum(tf.square(made))
    assert made.shape == layer.compute_output_shape(images.shape)
    np.testing.assert_allclose(made, reference(images), rtol=1e-4, atol=1e-5)
    slopes = tape.gradient(total, [given, layer.kernel.value])
    expected = gradients(lambda x: (reference(x) ** 2).sum(), images)
    np.testing.assert_allclose(slopes[0], expected, rtol=1e-3, atol=1e-3)
    step = 1e-3 * random(*kernel.shape)
    before = (reference(images) ** 2).sum()
    kernel = kernel + step
    change = (reference(images) ** 2).sum() - before
    assert float(np.sum(slopes[1].numpy() * step)) == pytest.approx(change, rel=2e-2)


def test_mapping():
    latents, labels = random(4, 3), np.array([0, 1, 2, 0])
    mapping = LabelledMapping(5, num_classes=3)
    seen = mapping([tf.constant(latents, tf.float32), tf.constant(labels)])

    def unit(x):
        return x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-8)

    def dense(x, layer):
        return x @ np.asarray(layer.kernel, float) * layer.rate_multiplier / np.sqrt(x.shape[1])

    x = np.concatenate([unit(latents), unit(dense(np.eye(3)[labels], mapping.embedding))], 1)
    for layer in mapping.stack:
        x = dense(x, layer)
        x = np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
    np.testing.assert_allclose(seen, x, rtol=1e-4, atol=1e-5)


def drawing(step):
    return kgan.random.drawing(kgan.random.step_seed(3, step, "pass"))


def test_styles_are_mixed_from_one_layer_on_for_the_whole_batch():
    keras.utils.set_random_seed(0)
    mapping = StyleMapping(4, 6, mixing=0.5)
    latents = tf.constant(random(3, 2), tf.float32)
    own = mapping(latents, training=False)[:, 0]
    layers = []
    for step in range(24):
        with drawing(step):
            styles = mapping(latents, training=True).numpy()
        same = (np.abs(styles - own[:, None]) < 1e-6).all(-1)
        assert (same == same[0]).all()
        first = int(same[0].sum())
        assert same[0, :first].all()
        layers.append(first)
    assert set(layers) <= set(range(1, 7))
    assert len(set(layers)) > 3
    assert 5 <= sum(one < 6 for one in layers) <= 19


def test_the_mean_style_and_truncation():
    mapping = StyleMapping(4, 3, average_decay=0.5)
    latents = tf.constant(random(3, 2), tf.float32)
    styles = mapping(latents, training=False).numpy()
    with drawing(0):
        mapping.mixed(latents, None)
        assert not np.asarray(mapping.average_style).any()
        mapping(latents, training=True)
    average = 0.5 * styles[:, 0].mean(0)
    np.testing.assert_allclose(mapping.average_style, average, rtol=1e-5)
    share, cutoff = tf.constant([0.0, 0.5, 1.0]), tf.constant([2, 3, 0])
    seen = mapping.truncated(tf.constant(styles), share, cutoff)
    kept = np.array([[0, 0, 1], [0.5, 0.5, 0.5], [1, 1, 1]])[:, :, None]
    np.testing.assert_allclose(seen, average + kept * (styles - average), rtol=1e-5, atol=1e-6)


def test_noise_is_a_function_of_the_pass_and_one_map_outside_of_training():
    noise, images = NoiseInput(seed=1), tf.zeros([4, 3, 3, 2])
    noise.build(images.shape)
    noise.strength.assign(2.0)
    with drawing(0):
        first, other = noise(images, training=True), NoiseInput(seed=2)
        other.build(images.shape)
        other.strength.assign(2.0)
        assert np.abs(other(images, training=True) - first).max() > 0.1
    with drawing(0):
        np.testing.assert_array_equal(noise(images, training=True), first)
    with drawing(1):
        assert np.abs(noise(images, training=True) - first).max() > 0.1
    np.testing.assert_array_equal(first[..., 0], first[..., 1])
    assert np.abs(first[0] - first[1]).max() > 0.1
    still = noise(images, training=False)
    np.testing.assert_array_equal(still[0], still[1])
    with pytest.raises(RuntimeError, match="within kgan"):
        noise(images, training=True)


def test_images_are_linear_in_training_and_clipped_otherwise():
    values = tf.constant([[-3.0, -1.0, 0.0, 1.0, 2.0]])
    np.testing.assert_allclose(LinearImages()(values, training=True), [[-1, 0, 0.5, 1, 1.5]])
    np.testing.assert_allclose(LinearImages()(values), [[0, 0, 0.5, 1, 1]])


@pytest.mark.parametrize(
    "layer",
    [
        EqualizedConv2D(3, 3, gain=2.0),
        EqualizedDense(3, rate_multiplier=0.1),
        FilteredConv2D(3, strides=(1, 2)),
        FilteredDownsampling2D((1, 2)),
        FilteredUpsampling2D((2, 1)),
        GroupedConv2D(4, 3, groups=2),
        LabelledMapping(3, num_classes=2),
        LearnedConstant((4, 4, 2)),
        LinearImages(),
        ModulatedConv2D(3, 3, style_index=2, strides=(2, 2)),
        NoiseInput(),
        PixelNormalization(),
        RepeatedUpsampling2D((1, 2)),
        ScaledLeakyReLU(),
        StyleMapping(3, 4, mixing=0.5),
    ],
)
def test_serialises(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: EqualizedDense(3, kernel_initializer="ones"), "kernel_initializer must be left"),
        (lambda: EqualizedDense(3, rate_multiplier=0), "rate_multiplier must be above 0"),
        (lambda: StyleMapping(3, 0), "style_count must be at least 1"),
        (lambda: StyleMapping(3, 2, mixing=2), "mixing must be in"),
        (lambda: LabelledMapping(3, depth=0), "depth must be at least 1"),
        (lambda: GroupedConv2D(3, 3, groups=2), "groups must divide filters"),
        (lambda: ModulatedConv2D(3, 2), "kernel_size must be odd"),
        (lambda: FilteredUpsampling2D((3, 3)), "strides must be two of 1 and 2"),
    ],
)
def test_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
