"""A GAN whose networks grow while it trains."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
import kgan.models
import kgan.networks
import kgan.penalties
from kgan.models.growing import faded, growing, level_at

SHAPE = (8, 8, 1)


def build(*, phase_steps=1, kind=kgan.models.GAN, **options):
    keras.utils.set_random_seed(1)
    gan = kind(
        kgan.networks.progan_generator(SHAPE, 4, width=2),
        kgan.networks.progan_discriminator(SHAPE, width=2),
        penalties=[kgan.penalties.R1(0.1, interval=2)],
        phase_steps=phase_steps,
        ema_decay=0.9,
        **options,
    )
    gan.compile(
        g_optimizer=keras.optimizers.Adam(1e-2, beta_1=0.0),
        d_optimizer=keras.optimizers.Adam(1e-2, beta_1=0.0),
    )
    return gan


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((24, *SHAPE), dtype=np.float32)


def fed(images, *, start=0):
    return tf.data.Dataset.from_tensor_slices(images[4 * start :]).batch(4)


def levels(network):
    return {float(layer.reached.numpy()) for layer in growing(network)}


def test_it_grows_in_one_graph_and_resumes_over_a_phase_to_the_bit(images, tmp_path):
    """Six steps of two to a phase, with a file in the middle of the fade of the first doubling."""
    traces = []

    class Counted(kgan.models.GAN):
        def train_step(self, data):
            traces.append(data)
            return super().train_step(data)

    whole, half = build(phase_steps=2, kind=Counted), build(phase_steps=2)
    history = whole.fit(fed(images), shuffle=False, verbose=0).history
    assert len(traces) == 1
    # Of the last of 0, 0, 0, 0.5, 1, 1.
    assert history["level"] == [1.0]
    half.fit(fed(images[:12]), shuffle=False, verbose=0)
    assert levels(half.generator) == {0.0}
    half.save(tmp_path / "half.keras")
    again = kgan.models.load(tmp_path / "half.keras")
    again.fit(fed(images, start=3), shuffle=False, verbose=0)
    assert levels(again.generator) == levels(again.ema_generator) == {1.0}
    pairs = [(whole.weights, again.weights)]
    pairs += [(getattr(whole, n).variables, getattr(again, n).variables) for n in whole.optimizers]
    for mine, theirs in pairs:
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=one.path)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_what_is_not_reached_does_not_learn(images):
    gan = build(phase_steps=100)
    gan.run_eagerly = True
    # The second and third convolutions of the generator are those of the two doublings.
    first, *later = [
        layer
        for layer in gan.generator.layers
        if isinstance(layer, kgan.networks.GrowingConvolutions)
    ]
    before = [[weight.numpy() for weight in one.trainable_weights] for one in (first, *later)]
    gan.train_step(tf.constant(images[:4]))
    for number, layer in enumerate((first, *later)):
        for weight, old in zip(layer.trainable_weights, before[number], strict=True):
            assert np.array_equal(weight.numpy(), old) == (number > 0), weight.path


def test_networks_that_are_not_told_to_grow_are_grown(images):
    gan = build(phase_steps=None)
    assert levels(gan.generator) == {100.0}
    assert "level" not in gan.logs


@pytest.mark.parametrize("spectral", [False, True])
def test_no_two_linear_maps_follow_each_other_in_the_discriminators_end(spectral):
    network = kgan.networks.progan_discriminator(SHAPE, width=2, spectral=spectral)
    end = [type(layer).__name__ for layer in network.layers]
    end = [name for name in end[end.index("MinibatchStandardDeviation") :] if name != "Flatten"]
    kind = "Spectral" if spectral else "Equalized"
    wanted = [f"{kind}Conv2D", "LeakyReLU", f"{kind}Dense", "LeakyReLU", f"{kind}Dense"]
    assert end[1:-1] == wanted


def test_only_networks_that_grow_have_phases():
    with pytest.raises(ValueError, match="phase_steps must be None, got 3: the generator and"):
        kgan.models.GAN(
            kgan.networks.dcgan_generator(SHAPE, 4, width=2),
            kgan.networks.dcgan_discriminator(SHAPE, width=2),
            phase_steps=3,
        )
    with pytest.raises(ValueError, match="phase_steps must be at least 1, got 0"):
        build(phase_steps=0)


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 32, 3)])
def test_real_images_fade_in_with_the_networks(shape):
    """At each level the mean of blocks, and the share that has faded in of what it leaves out."""
    pixels = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    network = kgan.networks.progan_discriminator(shape, width=2)
    # The sides halve down to 4, and there are two doublings at least.
    last = max(2, int(np.log2(max(shape) // 4)))
    halvings = [np.log2(side // 4) for side in shape[:2]]

    def settled(size):
        rows, columns = (int(2 ** min(last - size, one)) for one in halvings)
        blocks = pixels.reshape(2, shape[0] // rows, rows, shape[1] // columns, columns, shape[2])
        means = np.broadcast_to(blocks.mean(axis=(2, 4), keepdims=True), blocks.shape)
        return means.reshape(pixels.shape)

    for level in np.arange(0.0, last, 0.25):
        size, share = int(level), level % 1
        wanted = (1 - share) * settled(size) + share * settled(size + 1)
        seen = faded(tf.constant(pixels), network, tf.constant(level, tf.float32))
        np.testing.assert_allclose(seen, wanted, atol=1e-6)
    for level in (last, last + 0.5):
        seen = faded(tf.constant(pixels), network, tf.constant(level, tf.float32))
        np.testing.assert_array_equal(seen, pixels)


def test_odd_sides_fade_in_too():
    pixels = tf.random.stateless_uniform([2, 9, 13, 2], [0, 0])
    network = kgan.networks.progan_discriminator((9, 13, 2), width=2)
    for level in (0.0, 1.0):
        coarse, finer, half = (
            faded(pixels, network, tf.constant(one)) for one in (level, level + 1, level + 0.5)
        )
        # What has the details of the settled size alone stays as it is.
        np.testing.assert_allclose(faded(coarse, network, tf.constant(level)), coarse, atol=1e-6)
        np.testing.assert_allclose(half, (coarse + finer) / 2, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_the_discriminator_learns_from_real_images_that_fade_in(images, monkeypatch):
    gan = build(phase_steps=2)
    gan.run_eagerly = True
    seen = []
    judge = gan._judge
    monkeypatch.setattr(
        gan,
        "_judge",
        lambda one, *rest, **options: seen.append(one.numpy()) or judge(one, *rest, **options),
    )
    for step in range(4):
        gan.train_step(tf.constant(images[:4]))
        real = seen[0]
        seen.clear()
        wanted = faded(tf.constant(images[:4]), gan.discriminator, level_at(tf.constant(step), 2))
        np.testing.assert_array_equal(real, wanted)


def test_truncation_of_latents_that_are_normalised_weighs_the_class():
    """Against the first layers in float64: the embedding's share grows as the limit falls."""
    keras.utils.set_random_seed(3)
    generator = kgan.networks.progan_generator((8, 8, 1), 16, num_classes=2, width=2)
    # As long as those of a generator that was trained to digits.
    table = generator.get_layer("label_embedding").embeddings
    table.assign(tf.random.stateless_normal(table.shape, seed=[1, 2]) * 0.5)
    latents = kgan.latents.from_seeds(kgan.latents.example_seeds(0, 8), 16)
    labels = tf.ones([8], tf.int32)

    def images(points):
        return generator([points, labels[: len(points)]], training=False).numpy()

    kgan.latents.check_truncates(images, latents)
    norm = keras.Model(generator.inputs, _first_normalised(generator))
    spread, share = [], []
    for limit in (4.0, 1.0, 0.25, 0.01):
        near = kgan.latents.truncated(latents, limit)
        joined = np.concatenate([near, np.tile(table[1], (8, 1))], axis=1).astype(np.float64)
        expected = joined / np.sqrt((joined**2).mean(axis=1, keepdims=True))
        np.testing.assert_allclose(norm([near, labels]), expected, atol=1e-4)
        share.append((expected[:, 16:] ** 2).sum() / (expected**2).sum())
        spread.append(images(near).std(axis=0).mean())
    assert (np.diff(share) > 0).all()
    assert (np.diff(spread) < 0).all()
    assert spread[-1] < 0.05 * spread[0]
    # Without classes nothing is left to fall back on.
    alone = kgan.networks.progan_generator((8, 8, 1), 16, width=2)
    with pytest.raises(ValueError, match="normalises latents alone, as that of networks progan wi"):
        kgan.latents.check_truncates(lambda points: alone(points, training=False), latents)


def _first_normalised(generator):
    return next(one.output for one in generator.layers if "pixel_norm" in one.name)
