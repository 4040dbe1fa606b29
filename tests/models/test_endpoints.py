"""What the models can be asked, against their own methods and the networks they hold."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.kinds
import kgan.latents
import kgan.models
from kgan.attacks.norms import project
from kgan.export.classifier import classifier_endpoints
from kgan.models import translating
from kgan.models.norm_ball import within_ball
from kgan.networks import (
    dcgan_decoder,
    dcgan_discriminator,
    dcgan_encoder,
    mlp_discriminator,
    mlp_generator,
    perturbation_network,
    translation_generator,
)


def ask(model, name, **request):
    """The endpoint's answer, in a graph."""
    return asking(model.endpoints().endpoints[name])(**request)


def asking(endpoint):
    """What asks an endpoint, in one graph for all requests."""
    function = tf.function(endpoint.function, input_signature=[dict(endpoint.inputs)])

    def answer(**request):
        assert {spec.name for spec in endpoint.inputs.values()} == set(request)
        tensors = {
            key: tf.constant(value, endpoint.inputs[key].dtype) for key, value in request.items()
        }
        return {key: value.numpy() for key, value in function(tensors).items()}

    return answer


def test_a_gan_answers_as_its_methods_do(make_gan, images):
    gan = make_gan(num_classes=3)
    labels, seeds = np.arange(4) % 3, kgan.latents.example_seeds(7, 4)
    latents = ask(gan, "latents", seeds=seeds)["latents"]
    np.testing.assert_array_equal(latents, kgan.latents.from_seeds(seeds, 6))
    wanted = gan.generate(4, labels, seed=7)
    made = ask(gan, "generate", seeds=seeds, labels=labels)["images"]
    np.testing.assert_allclose(made, wanted, atol=1e-6)
    decoded = ask(gan, "decode", latents=latents, labels=labels)["images"]
    np.testing.assert_array_equal(decoded, made)
    between = ask(
        gan,
        "interpolate",
        start=latents,
        end=latents[::-1],
        share=[0.0, 1.0, 0.5, 0.25],
        labels=labels,
    )["images"]
    np.testing.assert_allclose(between[0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(between[1], gan.decode(latents[2:3], labels[1:2])[0], atol=1e-5)
    score = ask(gan, "score", images=images[:4], labels=labels)
    np.testing.assert_allclose(score["logits"], gan.judge(images[:4], labels), atol=1e-6)
    np.testing.assert_allclose(score["probabilities"], 1 / (1 + np.exp(-score["logits"])), 1e-5)


@pytest.mark.parametrize("loss", ["hinge", "smooth_hinge", "wasserstein", "relativistic"])
def test_a_loss_without_probabilities_gives_none(make_gan, images, loss):
    gan = make_gan(loss=loss)
    score = ask(gan, "score", images=images[:4])
    assert set(score) == {"logits"}
    np.testing.assert_allclose(score["logits"], gan.judge(images[:4]), atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "smoothing", "wanted"),
    [
        ("minimax", 0.0, lambda x: 1 / (1 + np.exp(-x))),
        ("non_saturating", 0.2, lambda x: np.minimum(1, 1.25 / (1 + np.exp(-x)))),
        ("least_squares", 0.0, lambda x: np.clip(x, 0, 1)),
        ("least_squares", 0.2, lambda x: np.clip(1.25 * x, 0, 1)),
    ],
)
def test_probabilities_are_those_of_the_loss(make_gan, images, loss, smoothing, wanted):
    gan = make_gan(loss=loss, label_smoothing=smoothing)
    score = ask(gan, "score", images=images[:8])
    np.testing.assert_allclose(score["probabilities"], wanted(gan.judge(images[:8])), atol=1e-6)


def test_what_there_is_to_know_about_a_gan(make_gan):
    gan = make_gan(num_classes=3)
    asked = gan.endpoints()
    assert (asked.family, asked.kind) == ("gan", kgan.kinds.Images(8, 8, 1))
    # The first is the default one.
    assert list(asked.endpoints) == [
        *("generate", "latents", "decode", "interpolate", "project", "score")
    ]
    # A search takes long, and is not made longer by the rows of others.
    alone = [name for name, one in asked.endpoints.items() if not one.row_wise]
    assert alone == ["project"]
    assert all(endpoint.role == name for name, endpoint in asked.endpoints.items())
    assert asked.details == {"latent_dim": 6, "sample_shape": [8, 8, 1], "num_classes": 3}
    assert asked.tracked == (gan.ema_generator, gan.discriminator)
    assert asked.network is gan.ema_generator
    # A discriminator of packs cannot score one sample.
    assert "score" not in make_gan(packing=2).endpoints().endpoints


@pytest.mark.parametrize("label", [-1, 3, 2**32])
def test_a_label_that_is_no_class_is_refused_in_the_graph(make_gan, label):
    gan = make_gan(num_classes=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"labels must be in \[0, 2\]"):
        ask(gan, "generate", seeds=[1, 2], labels=[0, label])


def test_nothing_asked_is_nothing_answered(make_gan):
    gan = make_gan(num_classes=3)
    made = ask(gan, "generate", seeds=np.zeros(0), labels=np.zeros(0))["images"]
    assert made.shape == (0, 8, 8, 1)


def test_a_gan_of_points_speaks_of_points():
    networks = mlp_generator((2,), 4, width=8), mlp_discriminator((2,), width=8)
    gan = kgan.models.GAN(*networks)
    assert gan.kind == kgan.kinds.Points(2)
    assert ask(gan, "generate", seeds=[1, 2, 3])["points"].shape == (3, 2)
    assert "points" in gan.endpoints().endpoints["score"].inputs


def test_a_declared_kind_is_kept(make_gan, tmp_path):
    kind = kgan.kinds.Images(8, 8, 1)
    gan = make_gan(kind=kind)
    gan.save(tmp_path / "gan.keras")
    loaded = kgan.models.load(tmp_path / "gan.keras")
    assert loaded.get_config()["kind"] == kind.get_config()
    assert loaded.kind == kind
    with pytest.raises(ValueError, match=r"kind must have the shape .*\(8, 8, 1\), got Points"):
        make_gan(kind=kgan.kinds.Points(2))


def test_samples_of_a_shape_that_says_nothing_need_a_kind():
    generator = keras.Sequential([keras.Input((4,)), keras.layers.Reshape((2, 2))])
    discriminator = keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten()])
    gan = kgan.models.GAN(generator, discriminator)
    with pytest.raises(ValueError, match=r"kind must be given to a GAN whose samples"):
        gan.endpoints()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_perturbation_is_within_its_radius(norm):
    keras.utils.set_random_seed(1)
    generator = perturbation_network((8, 8, 1), num_classes=3, epsilon=True, width=4, blocks=1)
    gan = kgan.models.PerturbationGAN(
        generator,
        dcgan_discriminator((8, 8, 1), width=4),
        epsilon=0.3,
        norm=norm,
        targets="any",
        least_epsilon=0.1,
    )
    for variable in generator.trainable_variables:
        variable.assign(30.0 * np.random.default_rng(0).standard_normal(variable.shape))
    images = np.random.default_rng(1).random((4, 8, 8, 1), dtype=np.float32)
    epsilon = np.array([0.0, 0.1, 0.3, 7.0], np.float32)
    found = ask(gan, "perturb", images=images, epsilon=epsilon, targets=[0, 1, 2, 0])["images"]
    change = np.abs(found.astype(np.float64) - images).reshape(4, -1)
    length = change.max(axis=1) if norm == "linf" else np.sqrt((change**2).sum(axis=1))
    # No more than it was trained for, and all of it where that is asked.
    assert np.all(length <= np.minimum(epsilon, 0.3) + 1e-6)
    assert np.all(length >= 0.2 * np.minimum(epsilon, 0.3))
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"labels must be in \[0, 2\]"):
        ask(gan, "perturb", images=images, epsilon=epsilon, targets=[0, 1, 2, 3])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_last_bits_are_those_of_the_attacks_projection(norm):
    random = np.random.default_rng(0)
    original = tf.constant(random.random((5, 4, 4, 1), dtype=np.float32))
    moved = original + tf.constant(random.uniform(-1, 1, (5, 4, 4, 1)).astype(np.float32))
    epsilon = tf.constant([0.0, 0.1, 0.5, 1.0, 9.0])
    np.testing.assert_allclose(
        within_ball(moved, original, epsilon, norm),
        project(moved, original, epsilon, norm),
        rtol=0,
        atol=0,
    )


def asked_about_images(make_gan):
    """Every endpoint that takes images, with what else it takes of two."""
    shape, kind = (8, 8, 1), kgan.kinds.Images(8, 8, 1)
    yield make_gan().endpoints().endpoints, "score", {}
    yield make_gan().endpoints().endpoints, "project", {"steps": [0, 0]}
    vae = kgan.models.VAE(dcgan_encoder(shape, 5, width=4), dcgan_decoder(shape, 5, width=4))
    yield vae.endpoints().endpoints, "encode", {}
    yield vae.endpoints().endpoints, "reconstruct", {}
    generator = perturbation_network(shape, width=4, blocks=1)
    judge = dcgan_discriminator(shape, width=4)
    perturbs = kgan.models.PerturbationGAN(generator, judge, epsilon=0.3)
    yield perturbs.endpoints().endpoints, "perturb", {"epsilon": [0.1, 0.1]}
    network = translation_generator(shape, width=4, halvings=0, blocks=1)
    translates = translating.endpoints("translate", network, kind, kind)
    yield translates, "translate", {}
    statistics = translates["translate_tile"].inputs["statistics"].shape[1:]
    yield translates, "translate_tile", {"statistics": np.full((2, *statistics), np.nan)}
    images = keras.Input(shape)
    flat = keras.layers.Flatten()(images)
    codes = keras.Model(images, [keras.layers.Dense(1)(flat), keras.layers.Dense(1)(flat)])
    coded = keras.Input((8, 8, 2))
    makes = keras.Model(coded, keras.layers.Conv2D(1, 1, activation="sigmoid")(coded))
    judges = keras.Model(coded, keras.layers.Conv2D(1, 1)(coded))
    varies = kgan.models.PairedGAN(makes, judges, encoder=codes)
    yield varies.endpoints().endpoints, "vary", {"seeds": [1, 2]}
    classifier = keras.Model(images, keras.layers.Dense(3)(flat))
    yield classifier_endpoints(classifier).endpoints, "classify", {}


def test_images_that_are_none_are_refused_in_the_graph(make_gan):
    images = np.linspace(0, 1, 128, dtype=np.float32).reshape(2, 8, 8, 1)
    for named, name, others in asked_about_images(make_gan):
        answer = asking(named[name])
        for wrong, told in (
            (images * 255, r"in \[0, 1\], got\] \[0\] \[to\] \[255\]"),
            (images * 2 - 1, r"in \[0, 1\], got\] \[-1\] \[to\] \[1\]"),
            # A search for latents says so by itself.
            (np.where(images > 0.5, images, np.nan), r"(in \[0, 1\]|finite), got"),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match=rf"images must be {told}"):
                answer(images=wrong, **others)
        # What rounding does is none of a client's faults.
        for right in (images, np.where(images > 0.5, np.float32(1.0005), -0.0005)):
            assert len(next(iter(answer(images=right, **others).values()))) == 2


def test_points_may_lie_anywhere():
    networks = mlp_generator((2,), 4, width=8), mlp_discriminator((2,), width=8)
    points = np.array([[-300.0, 2.0], [7.0, 1e6]], np.float32)
    asked = asking(kgan.models.GAN(*networks).endpoints().endpoints["score"])
    assert asked(points=points)["logits"].shape == (2,)
    for wrong in (np.nan, np.inf):
        with pytest.raises(tf.errors.InvalidArgumentError, match="points must be finite, got"):
            asked(points=np.where(points == 7, wrong, points))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_latents_that_are_no_numbers_are_refused(make_gan, wrong):
    gan = make_gan()
    one = np.ones((2, 6), np.float32)
    bad = np.where(np.arange(6) == 3, np.float32(wrong), one[:1])
    both = np.concatenate([one[:1], bad])
    for name, request, what in (
        ("decode", {"latents": both}, "latents"),
        ("interpolate", {"start": both, "end": one, "share": [0.0, 1.0]}, "start"),
        ("interpolate", {"start": one, "end": both, "share": [0.0, 0.0]}, "end"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{what} must be finite, got"):
            ask(gan, name, **request)
    for method, given in ((gan.decode, (both,)), (gan.interpolate, (both, one))):
        with pytest.raises(ValueError, match="must be finite, got NaN or infinity in 1 of 2 rows"):
            method(*given)


def test_an_epsilon_that_is_no_number_is_refused():
    generator = perturbation_network((8, 8, 1), epsilon=True, width=4, blocks=1)
    judge = dcgan_discriminator((8, 8, 1), width=4)
    gan = kgan.models.PerturbationGAN(generator, judge, epsilon=0.3, least_epsilon=0.1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="epsilon must be finite, got"):
        ask(gan, "perturb", images=np.zeros((2, 8, 8, 1)), epsilon=[0.1, np.nan])


@pytest.mark.parametrize("share", [-0.01, 1.01, 5.0])
def test_what_is_not_on_the_way_is_refused(make_gan, share):
    ends = {"start": np.ones((2, 6)), "end": np.eye(6)[:2]}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"share must be in \[0, 1\], got"):
        ask(make_gan(), "interpolate", **ends, share=[0.5, share])
