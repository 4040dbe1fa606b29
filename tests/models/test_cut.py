"""PatchNCE against numpy, a step of CUT against its objective written anew, and its files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.models
import kgan.random
from kgan.kinds import Images
from kgan.models.cut import patch_nce
from kgan.networks import patch_projector, translation_generator
from kgan.networks.translation import depths
from tests.conftest import slow_but

SHAPE = (6, 8, 2)


def network(name, closing=None):
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="first"),
            keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh", name="second"),
            keras.layers.UpSampling2D(),
            keras.layers.Conv2D(2 if closing else 1, 3, padding="same", activation=closing),
        ],
        name=name,
    )


def build(*, rate=0.1, **options):
    keras.utils.set_random_seed(3)
    gan = kgan.models.CUT(
        network("generator", "sigmoid"),
        network("discriminator"),
        patch_projector([3, 4], width=5),
        **{"layers": ["first", "second"], "patches": 20, "seed": 7, **options},
    )
    optimizers = {name: keras.optimizers.SGD(rate) for name in ("g_optimizer", "d_optimizer")}
    gan.compile(**optimizers, run_eagerly=True)
    return gan


def batches(count, n=2):
    random = np.random.default_rng(0)
    for _ in range(count):
        yield tuple(random.random((n, *SHAPE), dtype=np.float32) for _ in "ab")


def test_patch_nce_is_a_cross_entropy_over_places():
    random = np.random.default_rng(0)
    queries, keys = (random.normal(size=(2, 7, 4)) for _ in range(2))
    queries, keys = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (queries, keys))
    logits = np.einsum("npd,nqd->npq", queries, keys) / 0.07
    own = np.diagonal(logits, axis1=1, axis2=2)
    expected = (np.log(np.exp(logits).sum(-1)) - own).mean(axis=1)
    np.testing.assert_allclose(patch_nce(tf.constant(queries), tf.constant(keys)), expected)
    # Vectors that tell nothing: the logarithm of the number of places.
    flat = tf.ones((1, 16, 4)) / 2.0
    np.testing.assert_allclose(patch_nce(flat, flat), np.log(16), rtol=1e-6)


def places(step, purpose, count, patches):
    seed = kgan.random.step_seed(7, step, purpose)
    draws = kgan.random.stateless_uniform(seed, [count]).numpy()
    return np.argsort(draws, kind="stable")[: min(patches, count)]


@pytest.mark.parametrize("identity", slow_but([True, False], True))
def test_a_step_is_the_published_one(identity):
    gan = build(identity=identity, nce_weight=3.0)
    names = ("generator", "discriminator", "projector")
    makes, judges, projects = (keras.models.clone_model(getattr(gan, name)) for name in names)
    for own, name in zip((makes, judges, projects), names, strict=True):
        own.set_weights(getattr(gan, name).get_weights())
    layers = [makes.get_layer(name).output for name in ("first", "second")]
    encodes = keras.Model(makes.inputs[0], layers)

    def content(step, purpose, of, made):
        total = 0.0
        vectors = []
        for images in (made, of):
            chosen = []
            for depth, maps in enumerate(encodes(images)):
                flat = tf.reshape(maps, [len(images), -1, maps.shape[-1]])
                numbers = places(step, f"{purpose} {depth}", flat.shape[1], 20)
                chosen.append(tf.gather(flat, numbers, axis=1))
            vectors.append(projects(chosen))
        for query, key in zip(*vectors, strict=True):
            logits = tf.einsum("npd,nqd->npq", query, tf.stop_gradient(key)) / 0.07
            labels = tf.tile(tf.range(query.shape[1])[None], [len(of), 1])
            total += tf.reduce_mean(
                keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
            )
        return total / 2

    for step, (a, b) in enumerate(batches(3)):
        with tf.GradientTape() as tape:
            fake = makes(a)
            adversarial = tf.reduce_mean((judges(fake) - 1) ** 2)
            parts = [content(step, "places", a, fake)]
            if identity:
                parts.append(content(step, "places of B", b, makes(b)))
            # As published: twice what is minimised here.
            loss = adversarial + 3.0 * sum(parts) / len(parts)
        variables = [*makes.trainable_variables, *projects.trainable_variables]
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.1 * 0.5 * gradient)
        with tf.GradientTape() as tape:
            d_loss = 0.5 * tf.reduce_mean((judges(b) - 1) ** 2) + 0.5 * tf.reduce_mean(
                judges(fake) ** 2
            )
        variables = judges.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(d_loss, variables), strict=True):
            variable.assign_sub(0.1 * gradient)
        gan.reset_metrics()
        logs = gan.train_step((a, b))
        assert float(logs["nce"]) == pytest.approx(float(parts[0]), rel=1e-4)
        assert float(logs["d_loss"]) == pytest.approx(float(d_loss), rel=1e-4)
        assert ("identity" in logs) == identity
    for own, name in zip((makes, judges, projects), names, strict=True):
        for one, other in zip(own.get_weights(), getattr(gan, name).get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=5e-6)


def test_mirrored_steps_compare_what_belongs_together():
    """Of a generator that looks at points alone, mirroring both changes nothing."""
    keras.utils.set_random_seed(3)
    images = keras.Input(SHAPE)
    first = keras.layers.Conv2D(3, 1, activation="tanh", name="first")(images)
    made = keras.layers.Conv2D(2, 1, activation="sigmoid")(first)
    gan = kgan.models.CUT(
        keras.Model(images, made),
        network("discriminator"),
        patch_projector([3], width=5),
        layers=["first"],
        patches=48,
        flip_equivariance=True,
        identity=False,
        seed=7,
    )
    [(a, b)] = batches(1)
    coins, content = set(), []
    for step in range(8):
        gan.step.assign(step)
        coins.add(bool(gan._flipped()))
        _, (_, nce) = gan._generator_losses(a, b, training=True)
        content.append(nce.numpy())
    assert coins == {True, False}
    # All places take part, so the seed's order of them makes no difference either.
    np.testing.assert_allclose(content, np.broadcast_to(content[0], (8, 2)), rtol=1e-5)


def test_a_file_holds_everything(tmp_path):
    gan = build(nce_weight=2.0, flip_equivariance=True)
    first, *later = batches(3)
    gan.train_step(first)
    gan.save(tmp_path / "half.keras")
    # As a run is resumed: into a model of the same settings.
    resumed = build(nce_weight=1.0, flip_equivariance=True)
    resumed.nce_weight = 2.0
    kgan.models.restore(resumed, tmp_path / "half.keras")
    loaded = kgan.models.load(tmp_path / "half.keras")
    loaded.run_eagerly = True
    for batch in later:
        for one in (gan, resumed, loaded):
            one.train_step(batch)
    for other in (resumed, loaded):
        ours, theirs = (
            [*one.variables, *one.g_optimizer.variables, *one.d_optimizer.variables]
            for one in (gan, other)
        )
        for one, two in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(two))
    assert (int(loaded.step), loaded.layers_compared) == (3, ("first", "second"))
    networks = (gan.generator, gan.discriminator, gan.projector)
    # Nothing is kept twice.
    assert sum(len(one.weights) for one in networks) == len(gan.weights) - 1
    assert gan.kinds == (Images(*SHAPE),) * 2
    assert list(gan.endpoints().endpoints) == ["translate"]


def test_the_depths_of_a_residual_generator():
    generator = translation_generator((16, 16, 1), width=2, blocks=6, halvings=2)
    shapes = [generator.get_layer(name).output.shape[1:] for name in depths(generator)]
    assert shapes == [(22, 22, 1), (8, 8, 4), (4, 4, 8), (4, 4, 8), (4, 4, 8)]
    blocks = [one.name for one in generator.layers if isinstance(one, keras.layers.Add)]
    assert depths(generator)[-2:] == (blocks[0], blocks[4])
    with pytest.raises(ValueError, match="the generator must be a residual network"):
        depths(network("plain", "sigmoid"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nce_weight": -1.0}, "nce_weight must be at least 0, got -1"),
        ({"patches": 1}, "patches must be at least 2, got 1"),
        ({"layers": ["first", "third"]}, "layers must be those of the generator, got third"),
        ({"layers": ["first"]}, "projector must take 1 inputs of the channels"),
        ({"kind_a": Images(8, 8, 2)}, "kind_a must have the shape of the networks' samples"),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_batches_that_do_not_fit():
    gan = build()
    a, b = next(batches(1))
    with pytest.raises(ValueError, match=r"batches .a, b. of images of its two domains"):
        gan.train_step(a)
    with pytest.raises(ValueError, match="direction must be one of a_to_b, got 'b_to_a'"):
        gan.translate(b, "b_to_a")
    assert set(gan.test_step((a, b))) == {"d_loss", "g_loss", "nce", "identity"}
