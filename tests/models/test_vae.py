"""The VAE against closed forms: the uniform model, a linear Gaussian model, one step by hand."""

import math

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import kgan.kinds
import kgan.latents
import kgan.models
import kgan.random
from kgan.callbacks import PosteriorDoctor, ReconstructionGrid
from kgan.losses.likelihood import gaussian_divergence, log_likelihood
from kgan.networks import dcgan_decoder, dcgan_encoder
from tests.models.test_endpoints import ask

SHAPE, LATENTS = (8, 8, 1), 5
LOGS = {"loss", "reconstruction", "kl", "bits_per_dimension", "active_units"}


def build_vae(*, num_classes=None, optimizer=None, run_eagerly=False, width=4, **options):
    """A small compiled VAE of 8x8 images; equal arguments give equal weights."""
    keras.utils.set_random_seed(1)
    sizes = {"num_classes": num_classes, "width": width}
    vae = kgan.models.VAE(
        dcgan_encoder(SHAPE, LATENTS, **sizes),
        dcgan_decoder(SHAPE, LATENTS, **sizes),
        num_classes=num_classes,
        **options,
    )
    vae.compile(optimizer=optimizer or keras.optimizers.Adam(1e-2), run_eagerly=run_eagerly)
    return vae


@pytest.fixture(scope="module")
def levels():
    """Images of 8 bits."""
    random = np.random.default_rng(0)
    return (random.integers(0, 256, (24, *SHAPE)) / 255).astype(np.float32)


@pytest.fixture(scope="module")
def labels():
    return np.arange(24, dtype=np.int32) % 3


def silent(vae):
    """The encoder says N(0, 1) of everything."""
    for name in ("mean", "log_variance"):
        layer = vae.encoder.get_layer(name)
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    return vae


# Oracles


@pytest.mark.parametrize("importance_samples", [1, 7])
def test_the_uniform_model_costs_8_bits_a_dimension(levels, importance_samples):
    vae = silent(build_vae(likelihood="uniform", run_eagerly=True))
    nats = vae.log_likelihood(levels, importance_samples=importance_samples)
    np.testing.assert_allclose(nats / (-64 * math.log(2)), 8.0, rtol=1e-6)
    logs = vae.evaluate(levels, verbose=0, return_dict=True)
    assert logs["bits_per_dimension"] == pytest.approx(8.0, rel=1e-6)
    assert logs["kl"] == logs["active_units"] == 0.0
    assert set(logs) == LOGS
    # And it stays so: nothing can be learnt.
    logs = vae.fit(levels, batch_size=8, epochs=1, verbose=0).history
    assert logs["bits_per_dimension"][0] == pytest.approx(8.0, rel=1e-6)


class Linear:
    """A linear Gaussian model of 2x2 images, all of whose numbers are known in float64.

    location = w z + b and one scale; the encoder says N(a x + c, diag v).
    """

    scale = 0.3

    def __init__(self):
        random = np.random.default_rng(2)
        # Orthogonal columns make the true posterior a diagonal one.
        basis, _ = np.linalg.qr(random.normal(size=(4, 4)))
        self.w = basis[:, :2] * [0.5, 0.2]
        self.b = np.full(4, 0.5)

    def exact(self):
        """The encoder that gives the true posterior."""
        precision = np.eye(2) + self.w.T @ self.w / self.scale**2
        v = 1 / np.diag(precision)
        a = (self.w / self.scale**2) * v
        return a, -self.b @ a, v

    def model(self, a, c, v):
        images = keras.Input((2, 2, 1), name="images")
        flat = keras.layers.Flatten()(images)
        # The decoder speaks of (level + noise) / 256, whose mean is (255 x + 1/2) / 256.
        mean = keras.layers.Dense(2)
        log_variance = keras.layers.Dense(2)
        encoder = keras.Model(images, [mean(flat), log_variance(flat)])
        mean.set_weights([a * 255 / 256, c + a.sum(axis=0) / 512])
        log_variance.set_weights([np.zeros((4, 2)), np.log(v)])
        latents = keras.Input((2,), name="latents")
        location, log_scale = keras.layers.Dense(4), keras.layers.Dense(4)
        shape = keras.layers.Reshape((2, 2, 1))
        decoder = keras.Model(latents, [shape(location(latents)), shape(log_scale(latents))])
        location.set_weights([self.w.T, self.b])
        log_scale.set_weights([np.zeros((2, 4)), np.full(4, math.log(self.scale))])
        return kgan.models.VAE(encoder, decoder, likelihood="gaussian")

    def values(self, images):
        """Means of the noisy values, (n, 4)."""
        return (np.round(images.reshape(-1, 4) * 255) + 0.5) / 256

    def evidence(self, images):
        """The marginal log probability of the levels, but for the curvature inside of a level."""
        covariance = self.w @ self.w.T + self.scale**2 * np.eye(4)
        density = scipy.stats.multivariate_normal(self.b, covariance).logpdf(self.values(images))
        noise = np.trace(np.linalg.inv(covariance)) / (2 * 12 * 256**2)
        return density - 4 * math.log(256) - noise

    def bound(self, images, a, c, v):
        """The evidence lower bound, its mean over noise and latents in closed form."""
        u = self.values(images)
        mean = u @ a + c
        distance = (u - mean @ self.w.T - self.b) ** 2 + (self.w**2) @ v + 1 / (12 * 256**2)
        likely = -0.5 * distance / self.scale**2 - math.log(self.scale) - 0.5 * math.log(2 * np.pi)
        divergence = 0.5 * (mean**2 + v - 1 - np.log(v)).sum(axis=1)
        return likely.sum(axis=1) - 4 * math.log(256) - divergence


@pytest.fixture(scope="module")
def few():
    return (np.random.default_rng(3).integers(0, 256, (3, 2, 2, 1)) / 255).astype(np.float32)


def test_the_bound_is_that_of_the_linear_gaussian_model(few):
    linear = Linear()
    a, c, v = linear.exact()
    wrong = a * 0.5, c + 0.2, v * 1.5
    vae = linear.model(*wrong)
    drawn = np.array([vae.log_likelihood(few, seed=seed) for seed in range(400)])
    error = drawn.std(axis=0) / math.sqrt(len(drawn))
    assert (abs(drawn.mean(axis=0) - linear.bound(few, *wrong)) < 4 * error).all()
    assert (error < 0.1).all()
    # A wrong posterior loses, the true one loses nothing.
    assert (linear.bound(few, *wrong) < linear.evidence(few) - 0.05).all()
    np.testing.assert_allclose(linear.bound(few, a, c, v), linear.evidence(few), atol=1e-3)


def test_weighted_draws_of_the_true_posterior_are_the_evidence(few):
    linear = Linear()
    # Then every weight is the evidence, but for the noise inside of a level.
    for k in (2, 5):
        found = linear.model(*linear.exact()).log_likelihood(few, importance_samples=k)
        np.testing.assert_allclose(found, linear.evidence(few), atol=0.1)


def test_many_weighted_draws_come_near_the_evidence(few):
    linear = Linear()
    a, c, v = linear.exact()
    vae = linear.model(a * 0.5, c + 0.2, v * 1.5)
    one, many = (vae.log_likelihood(few, importance_samples=k) for k in (1, 3000))
    evidence = linear.evidence(few)
    np.testing.assert_allclose(many, evidence, atol=0.05)
    assert (one < evidence + 1).all()
    # Bounds of more draws are tighter, on average over the draws.
    means = [
        np.mean([vae.log_likelihood(few, importance_samples=k, seed=s) for s in range(100)])
        for k in (1, 10)
    ]
    assert means[0] < means[1] < evidence.mean()


def test_a_step_is_what_the_papers_say(levels, labels):
    """One update by gradient descent, worked out from the networks and the stated noise."""
    vae = build_vae(
        num_classes=3,
        beta=2.0,
        seed=4,
        likelihood="gaussian",
        optimizer=keras.optimizers.SGD(1e-4),
        run_eagerly=True,
    )
    twin = build_vae(num_classes=3, seed=4, likelihood="gaussian")
    images, classes = tf.constant(levels[:8]), tf.constant(labels[:8])
    with tf.GradientTape() as tape:
        mean, log_variance = twin.encoder([images, classes], training=True)
        noise = kgan.random.normal(kgan.random.step_seed(4, 0, "posterior"), [8, LATENTS])
        latents = mean + tf.exp(log_variance / 2) * noise
        location, log_scale = twin.decoder([latents, classes], training=True)
        noise = kgan.random.uniform(kgan.random.step_seed(4, 0, "values"), [8, *SHAPE])
        likely = log_likelihood(twin.likelihood, images, location, log_scale, noise)
        divergence = tf.reduce_sum(gaussian_divergence(mean, log_variance), axis=1)
        loss = tf.reduce_mean(2.0 * divergence - likely)
    variables = twin.encoder.trainable_variables + twin.decoder.trainable_variables
    wanted = [
        variable.numpy() - 1e-4 * tf.convert_to_tensor(gradient).numpy()
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True)
    ]
    logs = vae.train_step((images, classes))
    found = vae.encoder.trainable_variables + vae.decoder.trainable_variables
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-4, atol=1e-6)
    moved = [np.abs(a.numpy() - b.numpy()).max() for a, b in zip(found, variables, strict=True)]
    assert min(moved) > 0
    assert float(logs["loss"]) == pytest.approx(float(loss), rel=1e-5)
    assert float(logs["kl"]) == pytest.approx(float(tf.reduce_mean(divergence)), rel=1e-4)
    assert float(logs["reconstruction"]) == pytest.approx(-float(tf.reduce_mean(likely)), rel=1e-5)
    # Bits are those of the bound, whatever weighs the divergence.
    bits = float(tf.reduce_mean(divergence - likely)) / (64 * math.log(2))
    assert float(logs["bits_per_dimension"]) == pytest.approx(bits, rel=1e-5)
    # The average moves by 1 - 1/10 at the first step.
    average, now, before = (
        network.get_weights()[0] for network in (vae.ema_decoder, vae.decoder, twin.decoder)
    )
    np.testing.assert_allclose(average, before + 0.9 * (now - before), atol=1e-7)


def test_latents_are_counted_that_tell_more_than_a_hundredth(levels):
    vae = silent(build_vae(run_eagerly=True))
    layer = vae.encoder.get_layer("mean")
    kernel, _ = layer.get_weights()
    # A mean of 0.2 tells 0.02 nats, one of 0.1 half as much as it takes.
    layer.set_weights([kernel, np.array([0.2, 0.1, -0.2, 0.0, 0.0])])
    logs = vae.evaluate(levels, batch_size=7, verbose=0, return_dict=True)
    assert logs["active_units"] == 2.0
    assert logs["kl"] == pytest.approx(0.02 + 0.005 + 0.02, rel=1e-5)
    assert silent(vae).evaluate(levels, verbose=0, return_dict=True)["active_units"] == 0.0


# Behaviour


def test_it_learns_two_images_and_keeps_to_them():
    """On two images: their bits, their reconstructions, and samples that are one or the other."""
    random = np.random.default_rng(0)
    two = (random.integers(0, 2, (2, *SHAPE)) * 0.6 + 0.2).astype(np.float32)
    images = np.repeat(two, 16, axis=0)
    vae = build_vae(width=16)
    vae.fit(images, batch_size=8, epochs=60, verbose=0)
    assert vae.evaluate(images, verbose=0, return_dict=True)["bits_per_dimension"] < 4.5
    np.testing.assert_allclose(vae.reconstruct(two), two, atol=0.1)
    made = vae.generate(32, seed=1)
    distances = np.abs(made[:, None] - two[None]).mean(axis=(2, 3, 4))
    assert np.median(distances.min(axis=1)) < 0.15
    assert set(distances.argmin(axis=1)) == {0, 1}


def test_validation_repeats_and_moves_nothing(levels, labels):
    vae = build_vae(num_classes=3, likelihood="gaussian")
    before = [weight.numpy() for weight in vae.weights]
    held_out = (levels, labels)
    first, second = (vae.evaluate(*held_out, verbose=0, return_dict=True) for _ in range(2))
    assert first == second
    assert set(first) == LOGS
    for weight, value in zip(vae.weights, before, strict=True):
        if weight.name != "test_batch":
            np.testing.assert_array_equal(weight.numpy(), value)
    history = vae.fit(
        levels, labels, validation_data=held_out, batch_size=8, epochs=1, verbose=0
    ).history
    assert set(history) == LOGS | {f"val_{name}" for name in LOGS} | {"learning_rate"}


def test_a_file_goes_on_as_if_nothing_had_happened(levels, tmp_path):
    whole, part = build_vae(draws=True, beta=0.5), build_vae(draws=True, beta=0.5)
    options = {"batch_size": 8, "shuffle": False, "verbose": 0}
    whole.fit(levels, epochs=2, **options)
    part.fit(levels, epochs=1, **options)
    part.save(tmp_path / "vae.keras")
    twin = kgan.models.load(tmp_path / "vae.keras")
    for name in ("beta", "draws", "likelihood", "ema_decay", "seed", "kind"):
        assert twin.get_config()[name] == part.get_config()[name]
    twin.fit(levels, epochs=1, **options)
    assert int(twin.step.numpy()) == 6
    for one, other in zip(twin.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    for one, other in zip(twin.optimizer.variables, whole.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    np.testing.assert_array_equal(twin.generate(3), whole.generate(3))


def test_images_are_encoded_and_decoded_one_by_one(levels, labels):
    vae = build_vae(num_classes=3)
    latents = vae.encode(levels, labels)
    assert latents.shape == (24, LATENTS)
    np.testing.assert_array_equal(vae.encode(levels[3:5], labels[3:5]), latents[3:5])
    made = vae.reconstruct(levels, labels)
    np.testing.assert_array_equal(made, vae.decode(latents, labels))
    assert made.min() >= 0.0
    assert made.max() <= 1.0
    nats = vae.log_likelihood(levels, labels, seed=5)
    assert nats.shape == (24,)
    np.testing.assert_array_equal(nats, vae.log_likelihood(levels, labels, seed=5))
    # As the noise of an image depends on where it stands, not on what stands beside it.
    np.testing.assert_array_equal(nats[:5], vae.log_likelihood(levels[:5], labels[:5], seed=5))
    assert not np.allclose(nats, vae.log_likelihood(levels, labels, seed=6))


def test_draws_have_the_decoders_distribution(levels):
    most_likely, drawing = build_vae(), build_vae(draws=True)
    images = drawing.generate(400, seed=2)
    np.testing.assert_array_equal(images[:7], drawing.generate(7, seed=2))
    np.testing.assert_allclose(images * 255, np.round(images * 255), atol=1e-4)
    # The untrained decoder says nearly the same of everything, symmetric about its location.
    centre = most_likely.generate(400, seed=2)
    assert np.abs(images - centre).mean() > 0.05
    assert np.median(images - centre) == pytest.approx(0.0, abs=0.02)
    # Reconstructions and latents' images are most likely ones.
    np.testing.assert_array_equal(drawing.reconstruct(levels), most_likely.reconstruct(levels))
    assert drawing.generate(0).shape == (0, *SHAPE)


def test_mistakes_are_told(levels, labels):
    vae = build_vae(num_classes=3)
    with pytest.raises(ValueError, match="conditional VAE with 3 classes trains on batches of"):
        vae.encode(levels)
    with pytest.raises(ValueError, match=r"in \[0, 2\], counted from 0, got 0 to 3"):
        vae.encode(levels[:2], [0, 3])
    with pytest.raises(ValueError, match=r"decoder's shape \(8, 8, 1\), got \(9, 8, 1\)"):
        vae.encode(np.zeros((2, 9, 8, 1), np.float32), labels[:2])
    with pytest.raises(ValueError, match="must be float32"):
        vae.encode((levels * 255).astype(np.int32), labels)
    with pytest.raises(ValueError, match="importance_samples must be at least 1, got 0"):
        vae.log_likelihood(levels, labels, importance_samples=0)
    with pytest.raises(ValueError, match="sample_weight and class_weight must be left out: a VAE"):
        vae.fit(levels, labels, sample_weight=np.ones(24), verbose=0)
    with pytest.raises(ValueError, match="beta must be at least 0, got -1"):
        build_vae(beta=-1.0)
    with pytest.raises(ValueError, match="Did you mean 'gaussian'"):
        build_vae(likelihood="gaussain")
    encoder, decoder = dcgan_encoder(SHAPE, 3, width=4), dcgan_decoder(SHAPE, 4, width=4)
    with pytest.raises(ValueError, match="shape of the decoder's latents"):
        kgan.models.VAE(encoder, decoder)
    with pytest.raises(ValueError, match="two outputs of one shape, location and log_scale"):
        kgan.models.VAE(encoder, keras.Model(decoder.inputs, decoder.outputs[0]))
    with pytest.raises(ValueError, match=r"must have 2 input\(s\), got 1"):
        kgan.models.VAE(encoder, decoder, num_classes=3)
    with pytest.raises(ValueError, match="shape of the encoder's images"):
        kgan.models.VAE(encoder, dcgan_decoder((9, 8, 1), 3, width=4))


# What it can be asked


@pytest.mark.parametrize("draws", [False, True])
def test_endpoints_answer_as_the_methods_do(levels, labels, draws):
    vae = build_vae(num_classes=3, draws=draws)
    asked = vae.endpoints()
    assert list(asked.endpoints) == [
        "generate",
        "latents",
        "decode",
        "interpolate",
        "encode",
        "reconstruct",
    ]
    assert all(endpoint.role == name for name, endpoint in asked.endpoints.items())
    assert (asked.family, asked.kind) == ("vae", kgan.kinds.Images(8, 8, 1))
    given = {"images": levels[:3], "labels": labels[:3]}
    np.testing.assert_allclose(
        ask(vae, "encode", **given)["latents"], vae.encode(levels[:3], labels[:3]), atol=1e-6
    )
    np.testing.assert_allclose(
        ask(vae, "reconstruct", **given)["images"],
        vae.reconstruct(levels[:3], labels[:3]),
        atol=1e-5,
    )
    seeds = kgan.latents.example_seeds(3, 4)
    made = ask(vae, "generate", seeds=seeds, labels=labels[:4])["images"]
    # A draw may fall on the other side of the border of two levels.
    np.testing.assert_allclose(
        made, vae.generate(4, labels[:4], seed=3), atol=1.01 / 255 if draws else 1e-5
    )
    latents = ask(vae, "latents", seeds=seeds)["latents"]
    decoded = vae.decode(latents, labels[:4])
    np.testing.assert_allclose(asked.network([latents, labels[:4]]).numpy(), decoded, atol=1e-5)
    np.testing.assert_allclose(vae((latents, labels[:4])).numpy(), decoded, atol=1e-5)
    assert np.allclose(made, decoded, atol=0.02) is not draws
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels must be in"):
        ask(vae, "encode", images=levels[:1], labels=[3])


# Callbacks


def test_the_doctor_names_a_posterior_that_stays_silent(tmp_path, capfd):
    doctor = PosteriorDoctor(folder=tmp_path)
    doctor.set_model(build_vae())
    doctor.on_train_begin()
    for active in (0.0, 3.0, 0.0):
        doctor.on_epoch_end(0, {"active_units": active, "kl": 0.001})
        assert not doctor.findings
    for _ in range(3):
        doctor.on_epoch_end(0, {"active_units": 0.0, "kl": 0.001})
    said = capfd.readouterr().out
    assert said.count("doctor: posterior collapse at step 0 (active units 0, kl 0.001). Try") == 1
    assert (tmp_path / "findings.json").is_file()
    # A resumed run knows.
    again = PosteriorDoctor(folder=tmp_path)
    again.on_train_begin()
    assert again.findings == doctor.findings


def test_reconstructions_are_drawn_below_their_images(levels, labels, tmp_path):
    vae = build_vae(num_classes=3)
    callback = ReconstructionGrid(tmp_path, levels[:5], labels[:5])
    callback.set_model(vae)
    callback.on_epoch_end(0)
    picture = keras.utils.load_img(tmp_path / "reconstructions-0001.png", color_mode="grayscale")
    assert picture.width > 2 * picture.height
