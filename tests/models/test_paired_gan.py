"""A PairedGAN's step against its objective written anew, its files, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.losses
import kgan.models
from kgan.kinds import Images
from kgan.networks import multiscale_discriminator

SHAPE = (4, 5, 1)


def tiny(shape, channels, *, closing=None, name=None):
    """A smooth network of two convolutions."""
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(3, 3, padding="same", activation="tanh"),
            keras.layers.Conv2D(channels, 2, padding="same", activation=closing),
        ],
        name=name,
    )


def build(*, judge=True, conditional=True, rate=0.1, out=2, seed=2, **options):
    keras.utils.set_random_seed(seed)
    shown = (*SHAPE[:2], SHAPE[2] + out if conditional else out)
    gan = kgan.models.PairedGAN(
        tiny(SHAPE, out, closing="sigmoid"),
        tiny(shown, 1) if judge else None,
        conditional=conditional,
        **options,
    )
    optimizers = {"g_optimizer": keras.optimizers.SGD(rate)}
    if judge:
        optimizers["d_optimizer"] = keras.optimizers.SGD(rate)
    gan.compile(**optimizers, run_eagerly=True)
    return gan


def batches(count, n=2, out=2):
    random = np.random.default_rng(0)
    for _ in range(count):
        yield (
            random.random((n, *SHAPE), dtype=np.float32),
            random.random((n, *SHAPE[:2], out), dtype=np.float32),
        )


def feature_network():
    keras.utils.set_random_seed(8)
    return keras.Sequential(
        [
            keras.Input((*SHAPE[:2], 2)),
            keras.layers.Conv2D(3, 2, activation="relu", name="first"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="relu", name="second"),
            keras.layers.Dense(2),
        ]
    )


PUBLISHED = {
    # Of images in [-1, 1].
    "l1": lambda x: tf.reduce_mean(tf.abs(x)),
    "mse": lambda x: tf.reduce_mean(x**2),
    "charbonnier": lambda x: tf.reduce_mean(tf.sqrt(x**2 + 1e-6)),
}


@pytest.mark.parametrize(
    ("distance", "conditional", "weight"),
    [("l1", True, 1.0), ("mse", False, 0.5), ("charbonnier", True, 1.0)],
)
def test_a_step_is_the_published_one(distance, conditional, weight):
    gan = build(
        distance=distance,
        conditional=conditional,
        reconstruction_weight=7.0,
        adversarial_weight=weight,
    )
    makes, judges = (keras.models.clone_model(one) for one in (gan.generator, gan.discriminator))
    makes.set_weights(gan.generator.get_weights())
    judges.set_weights(gan.discriminator.get_weights())

    def logits(a, images):
        return judges(tf.concat([a, images], -1) if conditional else images)

    def cross_entropy(found, label):
        labels = tf.fill(tf.shape(found), float(label))
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, found))

    for a, b in batches(4):
        fake = makes(a)
        with tf.GradientTape() as tape:
            d_loss = cross_entropy(logits(a, b), 1) + cross_entropy(logits(a, fake), 0)
        variables = judges.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(d_loss, variables), strict=True):
            variable.assign_sub(0.1 * gradient)
        # The generator meets the discriminator that has just learnt.
        with tf.GradientTape() as tape:
            fake = makes(a)
            adversarial = cross_entropy(logits(a, fake), 1)
            far = PUBLISHED[distance]((2 * fake - 1) - (2 * b - 1))
            loss = weight * adversarial + 7.0 * far
        variables = makes.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.1 * gradient)
        gan.reset_metrics()
        logs = gan.train_step((a, b))
        assert float(logs["d_loss"]) == pytest.approx(float(d_loss), rel=1e-5)
        assert float(logs["g_loss"]) == pytest.approx(float(adversarial), rel=1e-5)
        assert float(logs["reconstruction"]) == pytest.approx(float(far), rel=1e-5)
    for own, other in ((makes, gan.generator), (judges, gan.discriminator)):
        for one, weights in zip(own.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(one, weights, atol=3e-6)
    assert int(gan.step) == 4


def test_without_a_judge_it_learns_the_target():
    gan = build(
        judge=False, distance="mse", adversarial_weight=0.0, reconstruction_weight=1.0, rate=2.0
    )
    assert gan.logs == ("reconstruction",)
    assert gan.playing == ["g_optimizer"]
    [(a, _)] = batches(1, n=8)
    b = np.concatenate([1 - a, 0.5 * a], axis=-1)
    first = float(gan.train_step((a, b))["reconstruction"])
    for _ in range(60):
        gan.reset_metrics()
        last = float(gan.train_step((a, b))["reconstruction"])
    assert last < 0.5 * first


def test_a_feature_distance_against_numpy():
    network = feature_network()
    distance = kgan.losses.FeatureDistance(network)
    assert distance.layers == ("first", "second")
    [(_, b), (_, other)] = batches(2)
    expected = np.zeros(2)
    for name in distance.layers:
        maps = keras.Model(network.inputs[0], network.get_layer(name).output)
        ours, theirs = (np.asarray(maps(one), np.float64) for one in (b, other))
        unit = [one / np.sqrt((one**2).sum(-1, keepdims=True) + 1e-10) for one in (ours, theirs)]
        squares = ((unit[0] - unit[1]) ** 2).sum(-1)
        expected += squares.reshape(2, -1).mean(axis=1) / 2
    np.testing.assert_allclose(distance(b, other), expected, atol=1e-6)
    np.testing.assert_allclose(distance(b, b), 0, atol=1e-7)
    apart = np.square(np.asarray(distance.vectors(b)) - distance.vectors(other))
    np.testing.assert_allclose(apart.mean(axis=1), expected, atol=1e-6)
    assert kgan.losses.FeatureDistance(network, ["first"]).layers == ("first",)
    with pytest.raises(ValueError, match=r"must be layers of sequential.*, got third"):
        kgan.losses.FeatureDistance(network, ["third"])


def test_features_are_compared_and_do_not_learn(tmp_path):
    network = feature_network()
    before = network.get_weights()
    gan = build(features=network, feature_weight=3.0, reconstruction_weight=0.0)
    for batch in batches(3):
        logs = gan.train_step(batch)
    assert set(logs) == {"d_loss", "g_loss", "reconstruction", "features"}
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    gan.save(tmp_path / "features.keras")
    again = kgan.models.load(tmp_path / "features.keras")
    again.run_eagerly = True
    [batch] = batches(1)
    for one in (gan, again):
        one.reset_metrics()
    ours, theirs = ({k: float(v) for k, v in one.test_step(batch).items()} for one in (gan, again))
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert again.feature_weight == 3.0


def test_each_scale_counts_alike():
    shape = (24, 24, 1)
    keras.utils.set_random_seed(0)
    judge = multiscale_discriminator((24, 24, 2), width=2)
    gan = kgan.models.PairedGAN(tiny(shape, 1, closing="sigmoid"), judge, loss="least_squares")
    gan.compile("sgd", run_eagerly=True)
    a, b = (np.random.default_rng(i).random((2, *shape), dtype=np.float32) for i in range(2))
    maps = [np.asarray(one, np.float64) for one in judge(np.concatenate([a, gan.translate(a)], -1))]
    assert maps[0].shape != maps[1].shape
    expected = np.mean([(0.5 * (one - 1) ** 2).mean() for one in maps])
    assert float(gan.test_step((a, b))["g_loss"]) == pytest.approx(expected, rel=1e-5)
    gan.train_step((a, b))


def test_larger_images_and_a_conditional_judge():
    keras.utils.set_random_seed(0)
    small, large = (3, 4, 1), (6, 8, 1)
    generator = keras.Sequential(
        [
            keras.Input(small),
            keras.layers.UpSampling2D(),
            keras.layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    gan = kgan.models.PairedGAN(generator, tiny((6, 8, 2), 1), loss="relativistic")
    gan.compile("sgd", run_eagerly=True)
    a, b = (np.random.default_rng(0).random((2, *one), dtype=np.float32) for one in (small, large))
    gan.train_step((a, b))
    assert gan.translate(a).shape == (2, *large)
    assert gan.kinds == (Images(*small), Images(*large))
    doubled = a.repeat(2, axis=1).repeat(2, axis=2)
    real, fake = (
        gan.discriminator(np.concatenate([doubled, x], -1)) for x in (b, gan.translate(a))
    )
    expected = np.log1p(np.exp(np.asarray(real, np.float64) - np.asarray(fake, np.float64))).mean()
    gan.reset_metrics()
    assert float(gan.test_step((a, b))["g_loss"]) == pytest.approx(expected, rel=1e-5)


def test_a_file_holds_everything(tmp_path):
    gan = build(distance="charbonnier", reconstruction_weight=3.0)
    first, *later = batches(4)
    gan.train_step(first)
    gan.save(tmp_path / "half.keras")
    again = kgan.models.load(tmp_path / "half.keras")
    again.run_eagerly = True
    for batch in later:
        gan.train_step(batch)
        again.train_step(batch)
    ours, theirs = (
        [*one.variables, *one.g_optimizer.variables, *one.d_optimizer.variables]
        for one in (gan, again)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert (again.distance, again.reconstruction_weight) == ("charbonnier", 3.0)


def test_testing_changes_nothing_and_endpoints_answer():
    gan = build()
    before = gan.get_weights()
    [(a, b)] = batches(1)
    assert set(gan.test_step((a, b))) == {"d_loss", "g_loss", "reconstruction"}
    for one, other in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    endpoints = gan.endpoints()
    # A file of two channels there is not.
    assert list(endpoints.endpoints) == ["translate"]
    found = endpoints.endpoints["translate"].function({"images": tf.constant(a)})["images"]
    np.testing.assert_allclose(found, gan.translate(a), atol=1e-6)
    np.testing.assert_allclose(gan(a), gan.translate(a), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": "l3"}, "distance must be one of l1, mse, charbonnier, got 'l3'"),
        ({"reconstruction_weight": -1.0}, "reconstruction_weight must be at least 0, got -1"),
        ({"adversarial_weight": 0.0}, "discriminator must be left out where adversarial_weight"),
        (
            {"feature_weight": 1.0},
            "features and a feature_weight above 0 belong together, got none",
        ),
        ({"kind_a": Images(4, 4, 1)}, "kind_a must have the shape"),
        (
            {"judge": False, "adversarial_weight": 0.0, "reconstruction_weight": 0.0},
            "one of reconstruction_weight, adversarial_weight, feature_weight must be above 0",
        ),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_networks_and_batches_that_do_not_fit():
    generator = tiny(SHAPE, 2, closing="sigmoid")
    with pytest.raises(
        ValueError, match=r"must take samples of the shape \(4, 5, 3\), the channel"
    ):
        kgan.models.PairedGAN(generator, tiny((4, 5, 2), 1))
    odd = keras.Sequential([keras.Input(SHAPE), keras.layers.ZeroPadding2D(1)])
    with pytest.raises(ValueError, match="must give samples of the size of those it takes"):
        kgan.models.PairedGAN(odd)
    gan = build()
    [(a, b)] = batches(1)
    with pytest.raises(ValueError, match=r"batches .a, b. of pairs"):
        gan.train_step(a)
    with pytest.raises(ValueError, match="sample_weight and class_weight must be left out"):
        gan.train_step((a, b, np.ones(2)))
    with pytest.raises(ValueError, match="direction must be one of a_to_b, got 'b_to_a'"):
        gan.translate(a, "b_to_a")
