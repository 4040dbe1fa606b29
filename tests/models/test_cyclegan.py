"""A CycleGAN's step against the published objective, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.losses
import kgan.models
import kgan.random
from kgan.kinds import Images
from tests.models.test_image_pool import SlowPool

SHAPE = (4, 5, 1)
NAMES = ("a_to_b", "b_to_a", "discriminator_a", "discriminator_b")


def tiny(shape, channels, *, name):
    """A smooth network of two convolutions."""
    closing = {"activation": "sigmoid"} if name.endswith(("to_a", "to_b")) else {}
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(3, 3, padding="same", activation="tanh"),
            keras.layers.Conv2D(channels, 2, padding="same", **closing),
        ],
        name=name,
    )


def build(shape_a=SHAPE, shape_b=SHAPE, *, rate=0.1, **options):
    keras.utils.set_random_seed(2)
    gan = kgan.models.CycleGAN(
        tiny(shape_a, shape_b[-1], name="a_to_b"),
        tiny(shape_b, shape_a[-1], name="b_to_a"),
        tiny(shape_a, 1, name="discriminator_a"),
        tiny(shape_b, 1, name="discriminator_b"),
        **options,
    )
    optimizers = {name: keras.optimizers.SGD(rate) for name in ("g_optimizer", "d_optimizer")}
    gan.compile(**optimizers, run_eagerly=True)
    return gan


def batches(n, count, shape_a=SHAPE, shape_b=SHAPE):
    random = np.random.default_rng(0)
    for _ in range(count):
        yield tuple(random.random((n, *shape), dtype=np.float32) for shape in (shape_a, shape_b))


def published_generator_loss(networks, a, b, cycle, identity):
    """Zhu et al., for images in [-1, 1]: a squared distance, and absolute differences."""
    to_b, to_a, judge_a, judge_b = networks
    wide = [lambda x: 2.0 * x - 1.0] * 2
    fake_b, fake_a = to_b(a), to_a(b)
    mean = tf.reduce_mean
    loss = mean((judge_b(fake_b) - 1.0) ** 2) + mean((judge_a(fake_a) - 1.0) ** 2)
    there_and_back = [(to_a(fake_b), a), (to_b(fake_a), b)]
    loss += cycle * sum(mean(abs(wide[0](x) - wide[1](y))) for x, y in there_and_back)
    if identity:
        alone = [(to_a(a), a), (to_b(b), b)]
        loss += identity * sum(mean(abs(wide[0](x) - wide[1](y))) for x, y in alone)
    return loss, fake_a, fake_b


@pytest.mark.parametrize(("cycle", "identity"), [(10.0, 5.0), (10.0, 0.0), (0.0, 5.0)])
def test_a_step_is_the_published_one(cycle, identity):
    gan = build(cycle_weight=cycle, identity_weight=identity, pool_size=3, seed=7)
    reference = [keras.models.clone_model(getattr(gan, name)) for name in NAMES]
    for own, name in zip(reference, NAMES, strict=True):
        own.set_weights(getattr(gan, name).get_weights())
    players = [variable for own in reference[:2] for variable in own.trainable_variables]
    judges = [variable for own in reference[2:] for variable in own.trainable_variables]
    pools = {name: SlowPool(3) for name in "ab"}
    exchanged = False
    for step, (a, b) in enumerate(batches(2, 5)):
        with tf.GradientTape() as tape:
            loss, fake_a, fake_b = published_generator_loss(reference, a, b, cycle, identity)
        g_gradients = tape.gradient(loss, players)
        shown = {}
        for name, fake in (("a", fake_a), ("b", fake_b)):
            seed = kgan.random.step_seed(7, step, f"pool {name}")
            shown[name] = pools[name].exchange(fake.numpy(), seed)
            exchanged |= not np.array_equal(shown[name], fake)
        # The generators have moved when the discriminators learn from what they made before.
        for variable, gradient in zip(players, g_gradients, strict=True):
            variable.assign_sub(0.1 * 0.5 * gradient)  # This library's loss is half of theirs.
        with tf.GradientTape() as tape:
            d_losses = [
                0.5 * tf.reduce_mean((judge(real) - 1.0) ** 2)
                + 0.5 * tf.reduce_mean(judge(shown[name]) ** 2)
                for judge, real, name in ((reference[2], a, "a"), (reference[3], b, "b"))
            ]
            d_loss = tf.add_n(d_losses)
        for variable, gradient in zip(judges, tape.gradient(d_loss, judges), strict=True):
            variable.assign_sub(0.1 * gradient)

        gan.reset_metrics()
        logs = gan.train_step((a, b))
        assert float(logs["d_loss"]) == pytest.approx(float(d_loss) / 2, rel=1e-5)
        distances = logs.get("cycle", 0.0) * cycle + logs.get("identity", 0.0) * identity
        # Weighted sums over both domains, halved: what was minimised above.
        total = 2 * float(logs["g_loss"]) + 2 * float(distances)
        assert total == pytest.approx(float(loss) / 2, rel=1e-5)
    for own, name in zip(reference, NAMES, strict=True):
        for one, other in zip(own.get_weights(), getattr(gan, name).get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-6)
    assert exchanged
    assert int(gan.step) == 5
    weighed = {name for name, weight in (("cycle", cycle), ("identity", identity)) if weight}
    assert set(logs) == {"d_loss", "g_loss", *weighed}


def test_a_cycle_of_no_weight_costs_no_pass():
    passes = {}
    for weight in (0.0, 1.0):
        gan = build(cycle_weight=weight, identity_weight=0.0)
        count = []
        call = gan.a_to_b.call
        gan.a_to_b.call = lambda *args, call=call, count=count, **kw: (
            count.append(1),
            call(*args, **kw),
        )[1]
        gan.train_step(next(batches(2, 1)))
        passes[weight] = len(count)
    assert passes == {0.0: 1, 1.0: 2}


def test_a_loss_that_compares_with_real_samples():
    gan = build(loss="relativistic", pool_size=0, identity_weight=0.0)
    a, b = next(batches(3, 1))
    fake_a, fake_b = (gan.b_to_a(b).numpy(), gan.a_to_b(a).numpy())
    per_image = lambda x: np.asarray(x, np.float64)  # noqa: E731
    expected = np.mean(
        [
            np.log1p(np.exp(per_image(judge(real)) - per_image(judge(fake)))).mean()
            for judge, real, fake in (
                (gan.discriminator_a, a, fake_a),
                (gan.discriminator_b, b, fake_b),
            )
        ]
    )
    assert float(gan.train_step((a, b))["g_loss"]) == pytest.approx(expected, rel=1e-5)


def test_testing_changes_nothing():
    gan = build()
    before = gan.get_weights()
    batch = next(batches(3, 1))
    first, second = ({k: float(v) for k, v in gan.test_step(batch).items()} for _ in range(2))
    assert first == second
    assert set(first) == {"d_loss", "g_loss", "cycle", "identity"}
    for one, other in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def sees_classes(shape=SHAPE):
    return keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(3)], name="sees"
    )


def test_a_classifier_must_see_the_same(tmp_path):
    options = {"identity_weight": 0.0, "cycle_weight": 0.0, "pool_size": 0}
    plain = build(**options)
    judge = sees_classes()
    gan = build(**options, consistency=judge, consistency_weight=0.7)
    networks = [getattr(plain, name) for name in ("a_to_b", "b_to_a")]
    weights, bias = (one.copy() for one in judge.get_weights())
    logits_of = lambda samples: tf.reshape(samples, [2, -1]) @ weights + bias  # noqa: E731
    first, second = batches(2, 2)
    a, b = first
    variables = [variable for own in networks for variable in own.trainable_variables]
    with tf.GradientTape() as tape:
        losses = []
        for network, samples in zip(networks, (a, b), strict=True):
            labels = np.argmax(logits_of(samples), axis=-1)
            chances = tf.nn.softmax(logits_of(network(samples)))
            losses.append(-tf.reduce_mean(tf.math.log(tf.gather(chances, labels, batch_dims=1))))
        loss = tf.add_n(losses)
    gradients = tape.gradient(loss, variables)
    logs = gan.train_step(first)
    assert float(logs["consistency"]) == pytest.approx(float(loss) / 2, rel=1e-5)
    plain.train_step(first)
    for index, name in enumerate(("a_to_b", "b_to_a")):
        own, other = (getattr(one, name).trainable_variables for one in (gan, plain))
        for ours, theirs in zip(own, other, strict=True):
            moved = 0.1 * 0.7 * gradients.pop(0)
            np.testing.assert_allclose(ours, theirs - moved, atol=1e-6, err_msg=f"{index}")
    # It judges, and learns nothing.
    np.testing.assert_array_equal(judge.get_weights()[0], weights)
    gan.save(tmp_path / "gan.keras")
    again = kgan.models.load(tmp_path / "gan.keras")
    again.run_eagerly = True
    for one in (gan, again):
        one.train_step(second)
    for one, other in zip(gan.variables, again.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert again.consistency_weight == 0.7


def test_a_classifier_that_judges_one_domain():
    options = {"identity_weight": 0.0, "pool_size": 0, "consistency_weight": 1.0}
    [batch] = batches(2, 1)
    values = {}
    for domains in (("a", "b"), ("a",), ("b",)):
        keras.utils.set_random_seed(4)
        gan = build(consistency=sees_classes(), consistency_domains=domains, **options)
        values[domains] = float(gan.train_step(batch)["consistency"])
    assert values["a", "b"] == pytest.approx((values["a",] + values["b",]) / 2, rel=1e-5)
    assert values["a",] != values["b",]
    with pytest.raises(ValueError, match="consistency_domains must be one of a, b, got 'c'"):
        build(consistency=sees_classes(), consistency_domains=("c",), **options)
    with pytest.raises(ValueError, match="consistency_domains must be a, b or both, got none"):
        build(consistency=sees_classes(), consistency_domains=(), **options)


@pytest.mark.parametrize(
    ("judge", "weight", "message"),
    [
        (None, 1.0, "consistency and a consistency_weight above 0 belong together, got none and 1"),
        (sees_classes, 0.0, "belong together, got sees and 0"),
        (sees_classes, -1.0, "consistency_weight must be at least 0, got -1"),
        (lambda: sees_classes((4, 4, 1)), 1.0, "must take samples of both domains, .4, 5, 1."),
        (lambda: tiny(SHAPE, 1, name="map"), 1.0, "consistency must give logits .batch, classes."),
    ],
)
def test_classifiers_that_do_not_fit(judge, weight, message):
    with pytest.raises(ValueError, match=message):
        build(consistency=judge and judge(), consistency_weight=weight)


def test_domains_of_different_channels():
    colour = (4, 5, 3)
    gan = build(SHAPE, colour, identity_weight=0.0)
    for batch in batches(2, 2, SHAPE, colour):
        gan.train_step(batch)
    grey = np.zeros((70, *SHAPE), np.uint8)
    assert gan.translate(grey).shape == (70, *colour)
    assert gan.translate(gan.translate(grey), "b_to_a").shape == (70, *SHAPE)
    assert gan.kind == Images(*colour)
    assert gan.kinds == (Images(*SHAPE), Images(*colour))
    with pytest.raises(ValueError, match=r"identity_weight must be 0 where .* different shapes"):
        build(SHAPE, colour)


def test_a_file_holds_everything(tmp_path):
    gan = build(pool_size=5, cycle_weight=3.0, seed=11)
    first, second, *later = batches(2, 6)
    gan.train_step(first)
    gan.train_step(second)
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
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    for one in (gan, again):
        assert (one.pool_size, one.cycle_weight, one.seed) == (5, 3.0, 11)
    # Five of the twelve translations that there were, and not those of the start.
    assert int(gan.pool_a.kept) == 5
    assert np.asarray(gan.pool_a.samples).any(axis=(1, 2, 3)).all()


def test_endpoints_answer_as_translate_does():
    gan = build()
    a, b = next(batches(3, 1))
    endpoints = gan.endpoints()
    assert {name: one.role for name, one in endpoints.endpoints.items()} == {
        "a_to_b": "translate",
        "b_to_a": "translate",
        "a_to_b_png": "translate_files",
        "b_to_a_png": "translate_files",
    }
    for name, samples in (("a_to_b", a), ("b_to_a", b)):
        found = endpoints.endpoints[name].function({"images": tf.constant(samples)})
        np.testing.assert_allclose(found["images"], gan.translate(samples, name), atol=1e-6)
    np.testing.assert_allclose(gan(a), gan.translate(a), atol=1e-6)
    assert gan.translate(a[:0]).shape == (0, *SHAPE)


def test_one_image_does_not_depend_on_the_others():
    keras.utils.set_random_seed(0)
    generator = kgan.networks.translation_generator((8, 8, 1), width=4, blocks=1)
    images = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)
    whole = generator(images, training=True)
    alone = generator(images[1:2], training=False)
    np.testing.assert_allclose(whole[1:2], alone, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a_to_b": ((4, 4, 1), 1)}, "a_to_b must give samples of the shape"),
        ({"b_to_a": (SHAPE, 3)}, "b_to_a must give samples of the shape .4, 5, 1., got .4, 5, 3."),
        ({"discriminator_b": ((4, 5, 3), 1)}, "discriminator_b must take samples of the shape"),
        ({"a_to_b": ((None, None, 1), 1)}, "a_to_b must take samples of one shape"),
    ],
)
def test_networks_that_do_not_fit(change, message):
    networks = {name: tiny(*change.get(name, (SHAPE, 1)), name=name) for name in NAMES}
    with pytest.raises(ValueError, match=message):
        kgan.models.CycleGAN(**networks)


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="cycle_weight must be at least 0, got -1"):
        build(cycle_weight=-1)
    with pytest.raises(ValueError, match="kind_b must have the shape"):
        build(kind_b=Images(4, 4, 1))
    gan = build()
    a, b = next(batches(2, 1))
    with pytest.raises(ValueError, match=r"batches .a, b. of samples of its two domains"):
        gan.train_step(a)
    with pytest.raises(ValueError, match="sample_weight and class_weight must be left out"):
        gan.train_step((a, b, np.ones(2)))
    with pytest.raises(ValueError, match="samples of domain b must have their kind's shape"):
        gan.train_step((a, b[:, :3]))
    with pytest.raises(ValueError, match="direction must be one of a_to_b, b_to_a, got 'b_to_b'"):
        gan.translate(a, "b_to_b")
    with pytest.raises(ValueError, match="images of what is translated must have the shape"):
        gan.translate(a[:, :3])
