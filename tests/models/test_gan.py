"""The GAN: its steps against gradients by hand, and what users do with it."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
import kgan.losses
import kgan.models
import kgan.networks
import kgan.penalties
import kgan.random
from kgan.augmentation import ADA
from kgan.models.splitting import pack
from tests.conftest import slow_but


def sgd(rate=0.1):
    return lambda: keras.optimizers.SGD(rate)


def fit(gan, data, steps=1, batch=None, *, graph=False):
    """Trains, by default eagerly: the same step, without the cost of tracing it."""
    gan.run_eagerly = not graph
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(batch or len(data)).repeat()
    return gan.fit(dataset, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0).history


def equal(first, second):
    return all(
        np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True)
    )


class ScalarGAN:
    """Generator a * z + b and discriminator c * x + d in float64, one SGD step by hand."""

    def __init__(self, a, b, c, d):
        self.weights = np.array([a, b, c, d], float)

    def step(self, real, latents, rate):
        a, b, c, d = self.weights
        sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
        fake = a * latents + b
        # d/dlogit of softplus(-real) + softplus(fake).
        real_slope, fake_slope = -sigmoid(-(c * real + d)), sigmoid(c * fake + d)
        c, d = (
            c - rate * np.mean(real_slope * real + fake_slope * fake),
            d - rate * np.mean(real_slope + fake_slope),
        )
        # The generator sees the new discriminator.
        slope = -sigmoid(-(c * fake + d)) * c
        a, b = a - rate * np.mean(slope * latents), b - rate * np.mean(slope)
        self.weights = np.array([a, b, c, d])


def scalar_networks(weights):
    a, b, c, d = weights
    networks = []
    for kernel, bias in ((a, b), (c, d)):
        inputs = keras.Input((1,))
        dense = keras.layers.Dense(1)
        outputs = dense(inputs)
        networks.append([inputs, outputs, dense, kernel, bias])
    generator = keras.Model(*networks[0][:2])
    logits = keras.layers.Reshape(())(networks[1][1])
    discriminator = keras.Model(networks[1][0], logits)
    for _, _, dense, kernel, bias in networks:
        dense.set_weights([np.array([[kernel]]), np.array([bias])])
    return generator, discriminator


def test_steps_are_the_formulas():
    start = [0.7, -0.3, 0.4, 0.1]
    gan = kgan.models.GAN(*scalar_networks(start), seed=3)
    gan.compile(g_optimizer=sgd()(), d_optimizer=sgd()())
    reference = ScalarGAN(*start)
    real = np.random.default_rng(0).normal(2, 1, (8, 1)).astype(np.float32)
    for step in range(3):
        seed = kgan.random.step_seed(3, step, "latents 0")
        reference.step(real, kgan.random.normal(seed, [8, 1]).numpy(), 0.1)
        fit(gan, real)
    (a,), b, (c,), d = gan.generator.get_weights() + gan.discriminator.get_weights()
    np.testing.assert_allclose(np.concatenate([a, b, c, d]), reference.weights, rtol=1e-5)


def test_logs_are_unscaled_means_and_probabilities(make_gan, images):
    gan = make_gan(penalties=[kgan.penalties.R1(1.0)])
    logs = fit(gan, images)
    rates = {"g_learning_rate", "d_learning_rate"}
    assert set(logs) == {"d_loss", "g_loss", "penalty", "d_real", "d_fake"} | rates
    # An untrained discriminator with small weights is at the equilibrium.
    assert logs["d_loss"][0] == pytest.approx(2 * np.log(2), abs=0.05)
    assert logs["d_real"][0] == pytest.approx(0.5, abs=0.02)
    assert logs["d_fake"][0] == pytest.approx(0.5, abs=0.02)


def test_n_critic_updates_and_splits_the_batch(make_gan, images):
    gan = make_gan(n_critic=4)
    fit(gan, images)
    assert int(gan.d_optimizer.iterations.numpy()) == 4
    assert int(gan.g_optimizer.iterations.numpy()) == 1


@pytest.mark.parametrize("option", ["n_critic", "packing"])
def test_a_batch_that_cannot_be_split_is_an_error(make_gan, images, option):
    gan = make_gan(**{option: 3})
    with pytest.raises(ValueError, match=f"{option} must divide the batch of 16 samples, got 3"):
        gan.train_step(tf.constant(images))


@pytest.mark.parametrize("option", slow_but(["n_critic", "packing"], "packing"))
def test_in_a_graph_it_is_an_error_of_the_step(make_gan, images, option):
    gan = make_gan(**{option: 3})
    with pytest.raises(ValueError, match=f"{option} must divide every batch, got 3.* has 16"):
        fit(gan, images, graph=True)


def test_packing_puts_neighbours_in_the_channels(make_gan, images):
    gan = make_gan(packing=2)
    packs = pack(tf.constant(images), 2).numpy()
    np.testing.assert_array_equal(packs, np.concatenate([images[::2], images[1::2]], axis=-1))
    fit(gan, images, steps=2)
    points = tf.reshape(tf.range(8.0), [4, 2])
    np.testing.assert_array_equal(pack(points, 2), [[0, 1, 2, 3], [4, 5, 6, 7]])


def test_ema_ramps_up_and_covers_batch_norm(make_gan, images):
    gan = make_gan(ema_decay=0.5)
    expected = [weight.numpy() for weight in gan.generator.weights]
    assert any("moving" in weight.path for weight in gan.generator.weights)
    for step in range(12):
        fit(gan, images, graph=True)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = [
            decay * old + (1 - decay) * new.numpy()
            for old, new in zip(expected, gan.generator.weights, strict=True)
        ]
    for reference, average in zip(expected, gan.ema_generator.weights, strict=True):
        np.testing.assert_allclose(average.numpy(), reference, rtol=1e-4, atol=1e-6)


def test_lazy_penalty_is_due_at_every_interval(make_gan, images):
    gan = make_gan(penalties=[kgan.penalties.R1(1.0, interval=3)], optimizer=sgd(0.0))
    always = make_gan(penalties=[kgan.penalties.R1(1.0)], optimizer=sgd(0.0))
    # In a graph, where the step decides by a tensor.
    seen = [fit(gan, images, graph=True)["penalty"][0] for _ in range(6)]
    value = fit(always, images)["penalty"][0]
    assert value > 0
    np.testing.assert_allclose(seen, [3 * value, 0, 0, 3 * value, 0, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "name"),
    [(loss, "r1") for loss in kgan.losses.LOSSES]
    + [("hinge", name) for name in kgan.penalties.PENALTIES if name != "r1"],
)
def test_every_loss_and_every_penalty_trains(make_gan, images, loss, name):
    gan = make_gan(loss=loss, penalties=[kgan.penalties.get(name, 1.0)])
    before = gan.discriminator.get_weights(), gan.generator.get_weights()
    fit(gan, images)
    for old, network in zip(before, (gan.discriminator, gan.generator), strict=True):
        assert any(
            not np.array_equal(a, b) for a, b in zip(old, network.get_weights(), strict=True)
        )


def test_a_pair_of_callables_trains(make_gan, images):
    pair = (lambda r, f: tf.square(r - 1) + tf.square(f), lambda r, f: tf.square(f - 1))
    assert fit(make_gan(loss=pair), images)["d_loss"][0] == pytest.approx(1.0, abs=0.05)


def test_a_map_of_logits_counts_as_its_mean(images):
    """The loss of Wasserstein is linear, so a mean of the map inside the network is the same."""
    found = []
    for pooled in (False, True):
        keras.utils.set_random_seed(1)
        generator = kgan.networks.dcgan_generator((8, 8, 1), 6, width=4)
        inputs = keras.Input((8, 8, 1))
        outputs = keras.layers.Conv2D(4, 3, strides=2, activation="tanh")(inputs)
        outputs = keras.layers.Conv2D(1, 2)(outputs)
        if pooled:
            outputs = keras.layers.GlobalAveragePooling2D()(outputs)
        gan = kgan.models.GAN(
            generator,
            keras.Model(inputs, outputs),
            loss="wasserstein",
            penalties=[kgan.penalties.R1(1.0), kgan.penalties.GradientPenalty(1.0, interval=2)],
        )
        gan.compile(g_optimizer=sgd()(), d_optimizer=sgd()())
        fit(gan, images, steps=2)
        found.append(gan.get_weights())
        assert gan.judge(images).shape == (16,)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_lazy_penalty_moves_no_running_statistics(images):
    """They come to the same whether a penalty is due or there is none."""

    def moved(penalties):
        keras.utils.set_random_seed(1)
        discriminator = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(4, 3),
                kgan.networks.BatchNormalization(),
                keras.layers.Flatten(),
                keras.layers.Dense(1),
            ]
        )
        generator = kgan.networks.dcgan_generator((8, 8, 1), 6, width=4)
        gan = kgan.models.GAN(generator, discriminator, penalties=penalties)
        gan.compile(g_optimizer=sgd(0.0)(), d_optimizer=sgd(0.0)())
        fit(gan, images, steps=2)
        return [np.asarray(one) for one in discriminator.non_trainable_variables]

    plain, lazy = moved([]), moved([kgan.penalties.R1(1.0, interval=2)])
    assert abs(plain[0]).max() > 0
    for one, other in zip(plain, lazy, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
def test_ada_does_not_hang_on_an_offset_that_the_loss_leaves_open(make_gan, images, loss):
    def trained(offset):
        ada = ADA(images=len(images) * 10, interval=1, strength=0.4, limit=1.0)
        gan = make_gan(optimizer=sgd(0.0), loss=loss, augmentation=ada)
        bias = [one for one in gan.discriminator.variables if one.name == "bias"][-1]
        bias.assign(bias + offset)
        return fit(gan, images)["d_loss"][0], float(ada.strength.numpy())

    found = np.array([trained(offset) for offset in (-20.0, 0.0, 20.0)])
    np.testing.assert_allclose(found[:, 0], found[1, 0], atol=1e-4)
    # A discriminator that has learnt nothing does not tell 80% of the real images.
    np.testing.assert_allclose(found[:, 1], 0.3, atol=1e-6)


def test_spectral_vectors_move_once_a_discriminator_step(make_gan, images):
    gan = make_gan(discriminator={"spectral": True}, optimizer=sgd(0.0), n_critic=2)
    layer = next(x for x in gan.discriminator._flatten_layers() if hasattr(x, "power_iteration"))
    twin = layer.right_vector.numpy().astype(np.float64)
    kernel = layer.kernel.numpy().astype(np.float64).reshape(-1, layer.kernel.shape[-1])
    for _ in range(2):
        twin = kernel.T @ (kernel @ (twin / np.linalg.norm(twin)))
        twin /= np.linalg.norm(twin)
    fit(gan, images)
    np.testing.assert_allclose(layer.right_vector.numpy(), twin, rtol=1e-4, atol=1e-6)


def test_conditional_uses_labels(make_gan, images):
    labels = np.arange(16) % 3
    gan = make_gan(num_classes=3)
    fit(gan, (images, labels), batch=8)
    zero, one = gan.generate(2, labels=0), gan.generate(2, labels=1)
    assert not np.allclose(zero, one)
    with pytest.raises(ValueError, match=r"labels must be in \[0, 2\], got 3"):
        gan.generate(1, labels=3)
    with pytest.raises(ValueError, match="got batches without labels"):
        fit(gan, images)


def test_same_seed_same_images_whatever_the_number(make_gan):
    gan = make_gan()
    many = gan.generate(70, seed=5)
    assert many.shape == (70, 8, 8, 1)
    assert many.dtype == np.float32
    np.testing.assert_array_equal(gan.generate(3, seed=5), many[:3])
    assert not np.allclose(gan.generate(3, seed=6), many[:3])
    assert gan.generate(0).shape == (0, 8, 8, 1)


def test_interpolation_starts_and_ends_at_its_latents(make_gan):
    gan = make_gan()
    start, end = np.random.default_rng(0).standard_normal((2, 3, 6)).astype(np.float32)
    for method in ("linear", "spherical"):
        path = gan.interpolate(start, end, steps=5, method=method)
        assert path.shape == (3, 5, 8, 8, 1)
        np.testing.assert_allclose(path[:, 0], gan.decode(start), atol=1e-5)
        np.testing.assert_allclose(path[:, -1], gan.decode(end), atol=1e-5)
    with pytest.raises(ValueError, match="method must be one of linear, spherical, got 'cubic'"):
        gan.interpolate(start, end, method="cubic")


def test_latents_of_another_shape_are_refused(make_gan):
    gan = make_gan(num_classes=2)
    wrong = np.zeros((3, 5), np.float32)
    right = np.zeros((3, 6), np.float32)
    for latents in (wrong, right[0]):
        with pytest.raises(ValueError, match=r"latents must have the shape \(n, 6\), got \("):
            gan.decode(latents, 0)
        with pytest.raises(ValueError, match=r"end must have the shape \(n, 6\), got \("):
            gan.interpolate(right, latents)
    with pytest.raises(ValueError, match="end must have as many latents as start, 3, got 2"):
        gan.interpolate(right, right[:2])
    # As for generate, the classes in turn.
    np.testing.assert_array_equal(gan.decode(right), gan.decode(right, [0, 1, 0]))


def test_no_way_in_answers_for_what_is_no_class_or_no_sample(make_gan, images):
    gan = make_gan(num_classes=3)
    latents, some = np.zeros((2, 6), np.float32), images[:2]
    for ask in (
        lambda labels: gan(latents, labels),
        lambda labels: gan.predict((latents, labels), verbose=0),
        lambda labels: gan.judge(some, labels),
    ):
        for labels in ([0, 3], [-1, 0]):
            wanted = r"labels must be in \[0, 2\], counted from 0"
            with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=wanted):
                ask(np.array(labels))
    with pytest.raises(ValueError, match="labels must be given: the GAN has 3 classes"):
        gan.judge(some)
    labels = np.array([0, 2])
    with pytest.raises(ValueError, match=r"samples must be in \[0, 1\] .*, got 0.0 to 255.0"):
        gan.judge(np.float32(some > 0.5) * 255, labels)
    as_bytes = np.round(some * 255).astype(np.uint8)
    expected = gan.judge(np.float32(as_bytes) / 255, labels)
    np.testing.assert_allclose(gan.judge(as_bytes, labels), expected, atol=1e-6)


@pytest.mark.parametrize("networks", [name for name in kgan.networks.NETWORKS if "mlp" not in name])
def test_networks_of_other_classes_are_refused(networks):
    pair = kgan.networks.NETWORKS[networks]

    def build(classes, others):
        return kgan.models.GAN(
            pair.generator((8, 8, 3), 8, num_classes=classes, width=4),
            pair.discriminator((8, 8, 3), num_classes=others, width=4),
            num_classes=4,
        )

    build(4, 5)
    for player, classes in (("generator", (3, 4)), ("discriminator", (4, 3))):
        wanted = f"num_classes must be at most that of the {player}'s layer .*, 3, got 4"
        with pytest.raises(ValueError, match=wanted):
            build(*classes)


def test_points_of_other_classes_are_refused():
    pair = kgan.networks.NETWORKS["mlp"]
    with pytest.raises(ValueError, match="must be at most that of the generator's layer"):
        kgan.models.GAN(
            pair.generator((2,), 2, num_classes=3, width=4),
            pair.discriminator((2,), num_classes=4, width=4),
            num_classes=4,
        )


@pytest.mark.parametrize(
    ("shape", "packing", "match"),
    [
        ((8, 8, 1), 1, r"\(8, 8, 3\), got one that takes \(8, 8, 1\)"),
        ((16, 16, 3), 1, r"\(8, 8, 3\), got one that takes \(16, 16, 3\)"),
        ((8, 8, 3), 2, r"\(8, 8, 6\) for 2 samples at once, got one that takes \(8, 8, 3\)"),
    ],
)
def test_a_discriminator_of_another_shape_is_refused(shape, packing, match):
    generator = kgan.networks.dcgan_generator((8, 8, 3), 6, width=4)
    with pytest.raises(ValueError, match="must take the shape that the generator gives, " + match):
        kgan.models.GAN(
            generator, kgan.networks.dcgan_discriminator(shape, width=4), packing=packing
        )


def test_predict_and_call_use_the_average(make_gan):
    gan = make_gan(num_classes=2)
    latents = np.zeros((4, 6), np.float32)
    labels = np.array([0, 1, 0, 1])
    expected = gan.decode(latents, labels)
    np.testing.assert_allclose(gan(latents, labels), expected, atol=1e-6)
    np.testing.assert_allclose(gan.predict((latents, labels), verbose=0), expected, atol=1e-6)


def test_evaluate_repeats_and_changes_nothing(make_gan, images):
    gan = make_gan(discriminator={"minibatch_stddev": True})
    fit(gan, images)
    before = gan.get_weights()
    data = tf.data.Dataset.from_tensor_slices(images).batch(8)
    first = gan.evaluate(data, verbose=0, return_dict=True)
    assert first == gan.evaluate(data, verbose=0, return_dict=True)
    assert {"d_loss", "g_loss", "d_real", "d_fake"} <= set(first)
    changed = [
        w.path
        for old, w in zip(before, gan.weights, strict=True)
        if not np.array_equal(old, w.numpy())
    ]
    assert all("test_batch" in path for path in changed)


@pytest.mark.parametrize(
    ("num_classes", "graph"),
    [(None, False), (3, False), pytest.param(3, True, marks=pytest.mark.slow)],
)
def test_saved_and_loaded_it_goes_on_identically(make_gan, images, tmp_path, num_classes, graph):
    gan = make_gan(
        num_classes=num_classes,
        loss="hinge",
        penalties=[kgan.penalties.R1(0.5, interval=2)],
        discriminator={"spectral": True, "minibatch_stddev": True},
    )
    data = images if num_classes is None else (images, np.arange(16) % 3)
    how = {"steps": 2, "batch": 8, "graph": graph}
    fit(gan, data, **how)
    gan.save(tmp_path / "gan.keras")
    again = kgan.models.load(tmp_path / "gan.keras")
    restored = make_gan(
        num_classes=num_classes,
        loss="hinge",
        penalties=[kgan.penalties.R1(0.5, interval=2)],
        discriminator={"spectral": True, "minibatch_stddev": True},
    )
    kgan.models.restore(restored, tmp_path / "gan.keras")
    for other in again, restored:
        assert equal(gan, other)
        for name in ("g_optimizer", "d_optimizer"):
            own, its = getattr(gan, name), getattr(other, name)
            for a, b in zip(own.variables, its.variables, strict=True):
                np.testing.assert_array_equal(a.numpy(), b.numpy())
    for each in gan, again, restored:
        fit(each, data, **how)
    assert equal(gan, again)
    assert equal(gan, restored)


def test_a_registered_pair_of_callables_is_saved(make_gan, tmp_path):
    pair = (registered_discriminator_loss, registered_generator_loss)
    make_gan(loss=pair).save(tmp_path / "gan.keras")
    again = kgan.models.load(tmp_path / "gan.keras")
    assert again.adversarial_loss.discriminator is registered_discriminator_loss
    assert again.adversarial_loss.neutral is None
    assert again.adversarial_loss.probability is None
    loss = dataclasses.replace(
        again.adversarial_loss, neutral=0.5, probability=registered_probability
    )
    make_gan(loss=loss).save(tmp_path / "gan.keras")
    third = kgan.models.load(tmp_path / "gan.keras").adversarial_loss
    assert third.neutral == 0.5
    assert third.probability is registered_probability


@keras.saving.register_keras_serializable(package="tests")
def registered_discriminator_loss(real_logits, fake_logits):
    return fake_logits - real_logits


@keras.saving.register_keras_serializable(package="tests")
def registered_probability(logits):
    return tf.sigmoid(2.0 * logits)


@keras.saving.register_keras_serializable(package="tests")
def registered_generator_loss(real_logits, fake_logits):
    return -fake_logits


def test_a_file_that_does_not_fit_is_an_error(make_gan, tmp_path):
    make_gan().save(tmp_path / "gan.keras")
    with pytest.raises(ValueError, match=r"gan\.keras does not fit this model"):
        kgan.models.restore(make_gan(optimizer=sgd()), tmp_path / "gan.keras")
    with pytest.raises(FileNotFoundError, match="no saved model at"):
        kgan.models.load(tmp_path / "none.keras")


def test_mixed_bfloat16_trains(images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        gan = kgan.models.GAN(
            kgan.networks.dcgan_generator((8, 8, 1), 6, width=4),
            kgan.networks.dcgan_discriminator((8, 8, 1), width=4),
            penalties=[kgan.penalties.R1(1.0)],
        )
    finally:
        keras.config.set_dtype_policy("float32")
    gan.compile(g_optimizer=keras.optimizers.Adam(1e-3), d_optimizer=keras.optimizers.Adam(1e-3))
    before = gan.generator.get_weights()
    logs = fit(gan, images, steps=3)
    assert all(np.isfinite(value[0]) for value in logs.values())
    assert any(
        not np.array_equal(a, b) for a, b in zip(before, gan.generator.get_weights(), strict=True)
    )
    assert gan.generate(2).dtype == np.float32


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["dcgan", "biggan", "within a model"])
def test_the_average_computes_in_float32(images, tmp_path, policy, name):
    """As a generator of the same weights that never knew mixed precision."""
    made = []
    for one in (policy, "float32"):
        keras.config.set_dtype_policy(one)
        keras.utils.set_random_seed(1)
        shape = (8, 8, 1)
        networks = kgan.networks.NETWORKS["biggan" if name == "biggan" else "dcgan"]
        generator = networks.generator(shape, 6, width=4)
        if name == "within a model":
            latents = keras.Input((6,))
            generator = keras.Model(latents, generator(keras.layers.Activation("tanh")(latents)))
        made.append((generator, networks.discriminator(shape, width=4)))
    (mixed, discriminator), (plain, _) = made
    # As in a notebook, where it is set for all.
    keras.config.set_dtype_policy(policy)
    try:
        gan = kgan.models.GAN(mixed, discriminator)
    finally:
        keras.config.set_dtype_policy("float32")
    gan.compile(g_optimizer=keras.optimizers.SGD(0.1), d_optimizer=keras.optimizers.SGD(0.1))
    fit(gan, images)
    assert {one.compute_dtype for one in gan.ema_generator._flatten_layers()} == {"float32"}
    assert any(one.compute_dtype != "float32" for one in gan.generator._flatten_layers())
    plain.set_weights(gan.ema_generator.get_weights())
    latents = tf.random.stateless_normal([3, 6], [0, 1])
    np.testing.assert_array_equal(gan.ema_generator(latents), plain(latents))
    if name == "dcgan":
        gan.save(tmp_path / "gan.keras")
        again = kgan.models.load(tmp_path / "gan.keras")
        np.testing.assert_array_equal(again.generate(3, seed=2), gan.generate(3, seed=2))


def test_scaled_losses_make_the_same_step(make_gan, images):
    def scaled():
        return keras.optimizers.LossScaleOptimizer(sgd()(), initial_scale=256.0)

    plain, other = make_gan(optimizer=sgd()), make_gan(optimizer=scaled)
    start = plain.generator.get_weights()
    for gan in (plain, other):
        fit(gan, images, steps=3)
    moved = 0.0
    for name in ("generator", "discriminator"):
        ours, theirs = (getattr(gan, name).get_weights() for gan in (plain, other))
        for one, two in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-5)
    for before, after in zip(start, plain.generator.get_weights(), strict=True):
        moved = max(moved, np.abs(after - before).max())
    assert moved > 1e-3


def test_jit_compiled_step_is_the_same(make_gan, images):
    plain, compiled = make_gan(optimizer=sgd()), make_gan(optimizer=sgd())
    compiled.compile(g_optimizer=sgd()(), d_optimizer=sgd()(), jit_compile=True)
    fit(plain, images)
    fit(compiled, images, graph=True)
    # One step only: batch norm of 16 samples amplifies float32's rounding from step to step.
    for a, b in zip(plain.get_weights(), compiled.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_critic": 0}, "n_critic must be at least 1, got 0"),
        ({"ema_decay": 1.0}, r"ema_decay must be in \[0, 1\), got 1.0"),
        ({"packing": 2, "num_classes": 3}, "packing must be 1 for a conditional GAN"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"loss": "bce"}, "loss must be one of"),
    ],
)
def test_bad_arguments(make_gan, options, message):
    with pytest.raises(ValueError, match=message):
        make_gan(**options)


def test_wrong_samples_are_named(make_gan, images):
    with pytest.raises(ValueError, match=r"samples must have the generator's shape \(8, 8, 1\)"):
        fit(make_gan(), images[:, :4])
    with pytest.raises(ValueError, match=r"samples must be float32 .* got int64"):
        fit(make_gan(), (images * 255).astype(np.int64))


def test_one_optimizer_for_both_is_an_error(make_gan):
    gan = make_gan()
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="must be different objects"):
        gan.compile(g_optimizer=adam, d_optimizer=adam)
