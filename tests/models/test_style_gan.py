"""A GAN with styles, path length, an adaptive augmentation and lazy penalties."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.augmentation
import kgan.kinds
import kgan.latents
import kgan.models
import kgan.networks
import kgan.penalties
from kgan.models.styles import Styles
from tests.conftest import slow_but
from tests.models.style_gan import style_gan
from tests.models.test_endpoints import ask, asking


def build(**options):
    keras.utils.set_random_seed(1)
    return style_gan(**options)


@pytest.fixture(scope="module")
def batches():
    images = np.random.default_rng(0).random((16, 8, 8, 1), dtype=np.float32)
    return tf.data.Dataset.from_tensor_slices(images).batch(8)


def step(gan, images):
    """A training step outside of any graph."""
    gan.run_eagerly = True
    return {name: float(value) for name, value in gan.train_step(images).items()}


@pytest.fixture(scope="module")
def trained(batches):
    gan = build()
    return gan, [step(gan, images) for images in batches]


def test_all_that_it_learns_moves(trained):
    gan, logs = trained
    assert {"g_penalty", "augmentation"} <= set(logs[0])
    assert np.isfinite([list(one.values()) for one in logs]).all()
    assert abs(float(gan.augmentation.strength.numpy()) - 0.3) == pytest.approx(0.08)
    assert float(gan.generator_penalties[0].average_length.numpy()) > 0
    mapping = gan.generator.get_layer("mapping")
    assert np.abs(np.asarray(mapping.average_style)).max() > 0


def test_it_resumes_to_the_bit(trained, batches, tmp_path):
    """A step, a file, a step: all weights, p, lengths and moments are those of two steps."""
    gan = build()
    first, second = batches
    step(gan, first)
    gan.save(tmp_path / "half.keras")
    again = kgan.models.load(tmp_path / "half.keras")
    step(again, second)
    whole, _ = trained
    names = list(whole.optimizers)
    for one, other in ((whole, again), *((getattr(whole, n), getattr(again, n)) for n in names)):
        variables = one.variables if one is not whole else one.weights
        others = other.variables if one is not whole else other.weights
        assert len(variables) == len(others)
        for mine, theirs in zip(variables, others, strict=True):
            np.testing.assert_array_equal(mine, theirs, err_msg=mine.path)


def test_a_generator_with_styles_answers_as_its_parts_do(trained):
    gan, _ = trained
    latents = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    wanted = gan.decode(latents)
    styles = ask(gan, "style", latents=latents)["styles"]
    assert styles.shape == (3, *gan.styles().shape)
    np.testing.assert_allclose(ask(gan, "synthesize", styles=styles)["images"], wanted, atol=1e-5)
    share, cutoff = [1.0, 0.0, 0.0], [gan.styles().shape[0]] * 3
    whole = ask(gan, "truncate", latents=latents, share=share, cutoff=cutoff)["images"]
    np.testing.assert_allclose(whole[0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(whole[1], whole[2], atol=1e-5)
    last = gan.styles().shape[0]
    mixed = ask(gan, "mix", coarse=latents, fine=latents[::-1], layer=[last, 0, 1])["images"]
    np.testing.assert_allclose(mixed[0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(mixed[1], wanted[1], atol=1e-5)
    both = np.concatenate([styles[2:, :1], styles[:1, 1:]], axis=1)
    expected = ask(gan, "synthesize", styles=both)["images"]
    np.testing.assert_allclose(mixed[2], expected[0], atol=1e-5)


def test_moves_are_deviations_along_the_principal_directions(trained):
    """Against directions from the covariance of styles, in float64."""
    gan, _ = trained
    many = kgan.latents.from_seeds(kgan.latents.example_seeds(0, 2000), 6)
    styles = ask(gan, "style", latents=many)["styles"][:, 0].astype(float)
    values, vectors = np.linalg.eigh(np.cov(styles.T))
    directions, deviations = gan.styles().directions(3, latent_dim=6)
    np.testing.assert_allclose(deviations, np.sqrt(values[::-1][:3]), rtol=1e-4)
    shares = np.abs(np.sum(directions * vectors.T[::-1][:3], axis=1))
    np.testing.assert_allclose(shares, 1.0, atol=1e-4)
    latents, moves = np.asarray(many[:3]), np.zeros((3, 8), np.float32)
    moves[1, 0], moves[2, 2] = 2.0, -1.5
    made = ask(
        gan, "move", latents=latents, share=np.ones(3), cutoff=np.zeros(3, int), moves=moves
    )["images"]
    shifts = [0.0, 2.0 * deviations[0] * directions[0], -1.5 * deviations[2] * directions[2]]
    moved = np.stack([one + shift for one, shift in zip(styles[:3], shifts, strict=True)])
    spread = np.repeat(moved[:, None], gan.styles().shape[0], axis=1).astype(np.float32)
    expected = ask(gan, "synthesize", styles=spread)["images"]
    np.testing.assert_allclose(made, expected, atol=1e-4)


@pytest.mark.parametrize("num_classes", [None, 1, 10, 1000, 5000])
def test_deviations_are_those_within_a_class_however_many_there_are(num_classes):
    """Of styles that a class moves far, and latents by 3, 1 and 0.5 along known axes."""
    axes = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))[0].astype(np.float32)
    seen = set()

    class Mapping:
        style_count, units = 2, 3

        def __call__(self, inputs, training):
            latents, labels = (inputs, 0) if num_classes is None else inputs
            seen.update(np.atleast_1d(labels).tolist())
            moved = latents * [3.0, 1.0, 0.5] @ axes + 7.0 * tf.cast(labels, tf.float32)[..., None]
            return tf.repeat(moved[:, None], self.style_count, axis=1)

    Mapping.num_classes = num_classes
    styles = Styles(Mapping(), None, None)
    directions, deviations = styles.directions(3, latent_dim=3, num_classes=num_classes)
    np.testing.assert_allclose(np.abs(directions @ axes.T), np.eye(3), atol=0.05)
    np.testing.assert_allclose(deviations, [3.0, 1.0, 0.5], rtol=0.05)
    if num_classes is not None:
        assert max(seen) < num_classes <= 1.01 * max(seen) + 1


def test_directions_leave_the_class_alone():
    """Where the class is all that moves a style, there is no direction within one."""
    gan = build(num_classes=3, augmentation=None, generator_penalties=[])
    mapping = gan.ema_generator.get_layer("mapping")
    first = mapping.stack[0].kernel
    kernel = np.asarray(first).copy()
    kernel[:6] = 0.0
    first.assign(kernel)
    _, deviations = gan.styles().directions(2, latent_dim=6, num_classes=3)
    np.testing.assert_allclose(deviations, 0.0, atol=1e-5)


def test_truncated_samples(trained, make_gan):
    """As the exported `truncate` and `decode` have them."""
    gan, _ = trained
    latents = kgan.latents.from_seeds(kgan.latents.example_seeds(5, 3), 6)
    made = gan.generate_truncated(3, 0.5, seed=5)
    share = np.full(3, 0.5)
    whole, few = (np.full(3, count) for count in (gan.styles().shape[0], 2))
    expected = ask(gan, "truncate", latents=latents, share=share, cutoff=whole)["images"]
    np.testing.assert_allclose(made, expected, atol=1e-5)
    styles = ask(gan, "style", latents=latents)["styles"]
    average = gan.styles().mapping.average_style.numpy()
    pulled = np.concatenate([average + 0.5 * (styles[:, :2] - average), styles[:, 2:]], axis=1)
    expected = ask(gan, "synthesize", styles=pulled)["images"]
    seen = ask(gan, "truncate", latents=latents, share=share, cutoff=few)["images"]
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    np.testing.assert_allclose(
        gan.generate_truncated(3, 0.5, seed=5, cutoff=2), expected, atol=1e-5
    )
    assert abs(made - expected).max() > 1e-3
    for wrong in (-1, 1 + gan.styles().shape[0]):
        with pytest.raises(ValueError, match="cutoff must be in"):
            gan.generate_truncated(3, 0.5, cutoff=wrong)
    assert gan.generate_truncated(0, 0.5).shape == (0, 8, 8, 1)
    plain = make_gan(num_classes=3)
    made = plain.generate_truncated(3, 0.5, [0, 1, 2], seed=5)
    near = kgan.latents.truncated(latents, 0.5)
    np.testing.assert_array_equal(made, plain.decode(near, [0, 1, 2]))
    with pytest.raises(ValueError, match="cutoff must be left out: the generator has no styles"):
        plain.generate_truncated(3, 0.5, [0, 1, 2], cutoff=2)
    with pytest.raises(ValueError, match="truncation must be at least 0"):
        gan.generate_truncated(3, -1.0)
    for share in (2.1, 1e38, np.inf):
        with pytest.raises(ValueError, match=r"truncation must be in \[0, 2\] for a gen"):
            gan.generate_truncated(3, share)


REFUSED = [
    ("mix", {"layer": [-1, 0, 0]}, "layer must be in"),
    ("mix", {"layer": [0, 0, 100]}, "layer must be in"),
    ("mix", {"layer": [2**32, 0, 0]}, "layer must be in"),
    ("truncate", {"share": [-3.0, 0.0, 0.0]}, r"share must be in \[-1, 2\], got"),
    ("truncate", {"share": [0.0, 1e30, 0.0]}, r"share must be in \[-1, 2\], got"),
    ("truncate", {"share": [0.0, np.nan, 0.0]}, "share must be finite, got"),
    ("truncate", {"share": [0.0, 0.0, np.inf]}, "share must be finite, got"),
    ("truncate", {"cutoff": [0, 1, -1]}, r"cutoff must be in \[0, 6\], got"),
    ("truncate", {"cutoff": [0, 7, 1]}, r"cutoff must be in \[0, 6\], got"),
    ("move", {"cutoff": [2**32, 0, 0]}, r"cutoff must be in \[0, 6\], got"),
    ("move", {"share": [3.0, 0.0, 0.0]}, r"share must be in \[-1, 2\], got"),
    ("move", {"moves": np.full((3, 8), np.nan)}, "moves must be finite, got"),
    ("style", {"latents": np.full((3, 6), np.inf)}, "latents must be finite, got"),
    ("synthesize", {"styles": np.full((3, 4, 8), np.nan)}, "styles must be finite, got"),
    ("synthesize", {"styles": np.full((3, 4, 8), 3e38)}, "styles must be such that images are fin"),
    ("project", {"images": np.full((3, 8, 8, 1), np.nan)}, "images must be finite, got"),
    ("project", {"images": np.full((3, 8, 8, 1), 1e38)}, r"images must be in \[0, 1\], got"),
]


@pytest.fixture(scope="module")
def answers(trained):
    """What asks each endpoint, in a graph that is made once."""
    gan, _ = trained
    return {name: asking(endpoint) for name, endpoint in gan.endpoints().endpoints.items()}


@pytest.mark.parametrize(("name", "inputs", "message"), REFUSED)
def test_what_an_endpoint_refuses(trained, answers, name, inputs, message):
    gan, _ = trained
    latents = np.zeros((3, 6), np.float32)
    rest = {
        "truncate": {"latents": latents, "share": np.ones(3), "cutoff": np.ones(3)},
        "mix": {"coarse": latents, "fine": latents},
        "move": {
            "latents": latents,
            "share": np.ones(3),
            "cutoff": np.ones(3),
            "moves": np.zeros((3, 8)),
        },
        "project": {"steps": np.full(3, 2)},
    }
    if "styles" in inputs:
        inputs = {"styles": np.full((3, *gan.styles().shape), inputs["styles"].flat[0])}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        answers[name](**{**rest.get(name, {}), **inputs})


def test_classes_are_truncated_to_their_own_means():
    gan = build(num_classes=3)
    styles, labels = gan.styles(), np.array([2, 0, 2], np.int32)
    latents = kgan.latents.from_seeds(kgan.latents.example_seeds(5, 3), 6)
    # Another sample of the same law, large enough to tell: within 5 deviations of both means.
    many = tf.random.stateless_normal([20_000, 6], [0, 1])
    for one in range(3):
        found = styles.styles(many, tf.fill([20_000], one)).numpy()[:, 0].astype(float)
        centre = styles.centre(np.array([one]), latent_dim=6, num_classes=3)[0]
        allowed = 5 * found.std(axis=0) * np.sqrt(1 / 1000 + 1 / 20_000)
        assert (abs(centre - found.mean(axis=0)) < allowed + 1e-6).all()
    centres = styles.centre(labels, latent_dim=6, num_classes=3)
    apart = styles.styles(latents, tf.constant(labels)).numpy() - centres[:, None]
    made = gan.generate_truncated(3, 0.25, labels, seed=5)
    wanted = styles.images(tf.constant(centres[:, None] + 0.25 * apart)).numpy()
    np.testing.assert_allclose(made, wanted, atol=1e-5)
    typical = gan.generate_truncated(3, 0.0, labels, seed=5)
    np.testing.assert_allclose(typical[0], typical[2], atol=1e-6)
    assert abs(typical[0] - typical[1]).max() > 1e-3
    whole = np.full(3, styles.shape[0])
    asked = ask(
        gan, "truncate", latents=latents, share=np.full(3, 0.25), cutoff=whole, labels=labels
    )
    np.testing.assert_allclose(asked["images"], made, atol=1e-5)


def test_only_a_generator_with_styles_has_them(make_gan):
    with pytest.raises(ValueError, match="the generator must have styles"):
        make_gan().styles()
    assert "mix" not in make_gan().endpoints().endpoints


@pytest.mark.slow
def test_it_trains_in_one_graph(batches, tmp_path):
    """Three epochs of two steps, with a file between them in one of two runs."""
    traces = []

    class Counted(kgan.models.GAN):
        def train_step(self, data):
            traces.append(data)
            return super().train_step(data)

    gan, half = build(kind=Counted), build()
    gan.fit(batches, epochs=3, shuffle=False, verbose=0)
    assert len(traces) == 1
    half.fit(batches, epochs=1, shuffle=False, verbose=0)
    half.save(tmp_path / "half.keras")
    again = kgan.models.load(tmp_path / "half.keras")
    again.fit(batches, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(gan.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)


def test_an_image_is_a_function_of_its_latents(trained):
    gan, _ = trained
    images = gan.generate(5, seed=3)
    np.testing.assert_array_equal(gan.generate(2, seed=3), images[:2])
    assert images.min() >= 0
    assert images.max() <= 1


def test_penalties_see_raw_images_through_the_augmentation(batches):
    """R1 of a linear discriminator is known: times the transpose of the augmentation."""
    images = keras.Input((8, 8, 1))
    logits = keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(images))
    discriminator = keras.Model(images, logits)
    augmentation = kgan.augmentation.DiffAugment(["cutout"])
    gan = kgan.models.GAN(
        kgan.networks.dcgan_generator((8, 8, 1), 4, width=4),
        discriminator,
        penalties=[kgan.penalties.R1(1.0)],
        augmentation=augmentation,
    )
    real = tf.ones([4, 8, 8, 1])
    found = gan._penalty(gan.penalties[0], real, real, None, 0)
    kept = augmentation(real, gan._seed("augmentation of R1 0")).numpy() == 1.0
    kernel = np.reshape(discriminator.get_weights()[0], (1, 8, 8, 1))
    expected = 0.5 * ((kernel * kept / 2) ** 2).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_both_halves_of_a_step_see_augmented_images(batches, monkeypatch):
    seen = []
    gan = build(augmentation=kgan.augmentation.DiffAugment(), generator_penalties=[])
    augmented = gan._augmented
    monkeypatch.setattr(gan, "_augmented", lambda x, name: seen.append(name) or augmented(x, name))
    step(gan, next(iter(batches)))
    assert seen == ["real 0", "fake 0", "R1 0", "fake"]


def test_augmentation_is_for_images_without_packing():
    with pytest.raises(ValueError, match="packing must be 1 with an augmentation, got 2"):
        build(packing=2)
    points = [
        kgan.networks.mlp_generator((2,), 2, width=4),
        kgan.networks.mlp_discriminator((2,), width=4),
    ]
    with pytest.raises(ValueError, match="augmentation must be None: it changes images"):
        kgan.models.GAN(*points, augmentation=kgan.augmentation.DiffAugment())


@pytest.mark.parametrize(
    "precision", slow_but(["mixed_bfloat16", "mixed_float16"], "mixed_float16")
)
def test_mixed_precision(precision, batches):
    keras.config.set_dtype_policy(precision)
    try:
        gan = build(num_classes=3)
    finally:
        keras.config.set_dtype_policy("float32")
    logs = step(gan, (next(iter(batches)), tf.range(8) % 3))
    assert np.isfinite(list(logs.values())).all()
    assert all(np.isfinite(np.asarray(weight)).all() for weight in gan.weights)


def test_styles_are_those_of_classes_that_there_are():
    conditional, plain = style_gan(num_classes=3).styles(), style_gan().styles()
    latents = tf.zeros([2, 6])
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"labels must be in \[0, 2\]"):
            conditional.styles(latents, np.array(labels))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"labels must be in \[0, 2\]"):
            conditional.centres(labels, latent_dim=6, num_classes=3)
    with pytest.raises(ValueError, match="labels must be given: there are 3 classes"):
        conditional.styles(latents, None)
    with pytest.raises(ValueError, match="labels must be None: there are no classes"):
        plain.styles(latents, np.array([0, 0]))


def test_layers_that_happen_to_be_called_so_are_no_styles():
    latents = keras.Input((6,))
    features = keras.layers.Dense(64, name="mapping")(latents)
    features = keras.layers.Dense(64, activation="sigmoid", name="synthesis")(features)
    generator = keras.Model(latents, keras.layers.Reshape((8, 8, 1))(features))
    discriminator = kgan.networks.dcgan_discriminator((8, 8, 1), width=4)
    gan = kgan.models.GAN(generator, discriminator)
    assert "style" not in gan.endpoints().endpoints
