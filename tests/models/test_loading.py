"""Files of models: what loads them, in which process, and what they say where they do not load."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
import kgan.attacks
import kgan.defenses
import kgan.models
import kgan.networks
from kgan.models.growing import grow, growing
from kgan.models.transfer import freeze_first, take_exported, take_weights
from kgan.registry import REGISTERED
from tests.conftest import slow_but
from tests.models.people import build as build_table
from tests.models.test_given import (
    own_cyclegan,
    own_discriminator,
    own_gan,
    own_generator,
    own_perturbation_gan,
    own_vae,
    pictures,
    weights,
)

LOAD = """
import sys
order, path = sys.argv[1:]
if order == "keras first":
    import keras, kgan
else:
    import kgan, keras
assert "kgan.models" not in sys.modules
print(type(keras.saving.load_model(path)).__name__)
"""


@pytest.mark.parametrize("order", slow_but(["keras first", "kgan first"], "keras first"))
def test_a_file_loads_in_one_line_in_a_new_process(order, run_python, tmp_path):
    gan = own_gan(penalties=[kgan.penalties.R1(1.0)])
    gan.save(tmp_path / "gan.keras")
    assert run_python("-c", LOAD, order, tmp_path / "gan.keras").stdout.split() == ["GAN"]


@pytest.mark.slow
def test_a_network_alone_loads_too(run_python, tmp_path):
    network = kgan.networks.dcgan_discriminator((8, 8, 1), width=2, spectral=True)
    network.save(tmp_path / "network.keras")
    found = run_python("-c", LOAD, "keras first", tmp_path / "network.keras")
    assert found.stdout.split() == ["Functional"]


def test_every_registered_class_has_its_row():
    kept = keras.saving.get_custom_objects()
    ours = {
        name.removeprefix("kgan>")
        for name, value in kept.items()
        if name.startswith("kgan>") and isinstance(value, type)
    }
    assert ours == {name for names in REGISTERED.values() for name in names}


def test_importing_kgan_imports_neither_keras_nor_tensorflow(run_python):
    code = "import sys, kgan; print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    assert run_python("-c", code).stdout.strip() == "[]"


@pytest.mark.parametrize(
    "make",
    [own_gan, own_vae, own_cyclegan, own_perturbation_gan, lambda: build_table(eager=False)],
    ids=["gan", "vae", "cyclegan", "perturbation_gan", "table_gan"],
)
def test_every_model_loads_as_it_was_saved(make, tmp_path):
    model = make()
    model.save(tmp_path / "model.keras")
    again = kgan.models.load(tmp_path / "model.keras")
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.playing == model.playing


def test_one_that_was_not_compiled_loads(tmp_path):
    gan = own_gan(compiled=False)
    gan.save(tmp_path / "raw.keras")
    again = kgan.models.load(tmp_path / "raw.keras")
    assert not again.compiled
    np.testing.assert_array_equal(again.generate(3), gan.generate(3))


@pytest.mark.parametrize("when", ["before compile", "after compile", "between fits"])
def test_frozen_layers_load_and_go_on(when, tmp_path):
    def freeze(gan):
        gan.discriminator.get_layer("first").trainable = False

    def adam():
        return keras.optimizers.Adam(0.1)

    gan = own_gan(compiled=False)
    if when == "before compile":
        freeze(gan)
    gan.compile(adam())
    if when == "between fits":
        gan.train_step(tf.constant(pictures()))
    if when != "before compile":
        freeze(gan)
    gan.train_step(tf.constant(pictures()))
    gan.save(tmp_path / "frozen.keras")
    again = kgan.models.load(tmp_path / "frozen.keras")
    for each in (gan, again):
        each.train_step(tf.constant(pictures()))
    np.testing.assert_array_equal(weights(again), weights(gan))


def classifier():
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, name="last")]
    )
    training = kgan.defenses.AdversarialTraining(network, method="fgsm", epsilon=0.1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile(keras.optimizers.Adam(0.1), loss)
    return training


def test_adversarial_training_loads_that_made_no_step(tmp_path):
    training = classifier()
    training.save(tmp_path / "new.keras")
    again = kgan.models.load(tmp_path / "new.keras")
    for each in (training, again):
        each.fit(pictures(), np.arange(8) % 3, shuffle=False, verbose=0)
    np.testing.assert_array_equal(weights(again), weights(training))


class Scale(keras.layers.Layer):
    """Of a user's own, and not registered."""

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

    def call(self, inputs):
        return inputs * self.scale


class Slow(keras.optimizers.SGD):
    """An optimizer of a user's own."""


@pytest.fixture
def scaled(tmp_path):
    inner = own_generator()
    generator = keras.Model(inner.input, keras.layers.Activation("sigmoid")(Scale()(inner.output)))
    gan = own_gan(generator=generator, compiled=False)
    gan.compile(g_optimizer=Slow(0.1), d_optimizer="sgd")
    gan.save(tmp_path / "own.keras")
    return gan, tmp_path / "own.keras"


def test_layers_and_optimizers_of_a_users_own(scaled):
    gan, path = scaled
    known = {"Scale": Scale, "Slow": Slow}
    with keras.saving.custom_object_scope(known):
        found = [kgan.models.load(path)]
    found.append(kgan.models.load(path, custom_objects=known))
    for again in found:
        np.testing.assert_array_equal(again.generate(3), gan.generate(3))
        assert type(again.g_optimizer) is Slow


@pytest.mark.parametrize(
    ("known", "missing"), [({}, "Scale"), ({"Scale": Scale}, "Slow")], ids=["layer", "optimizer"]
)
def test_what_is_not_known_is_named_with_the_remedy(scaled, known, missing):
    message = rf"own\.keras needs the class '{missing}', .* custom_objects=\{{'{missing}'"
    with pytest.raises(ValueError, match=message) as caught:
        kgan.models.load(scaled[1], custom_objects=known)
    assert caught.value.__cause__ is not None


def test_the_cause_is_told_whole(tmp_path):
    inner = own_generator()
    added = keras.layers.Lambda(lambda x: x * 1.0)(inner.output)
    own_gan(generator=keras.Model(inner.input, added), compiled=False).save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match=r"safe_mode=False"):
        kgan.models.load(tmp_path / "own.keras")
    kgan.models.load(tmp_path / "own.keras", safe_mode=False)


# Starting from another model


def test_a_model_of_other_classes_takes_all_but_their_tables():
    source, model = own_gan(3), own_gan(5)
    source.train_step((tf.constant(pictures()), tf.constant(np.arange(8) % 3)))
    fresh = model.discriminator.get_layer(index=2)
    taken = take_weights(model, source)
    # Generator, its average and the discriminator, each with a table of its classes.
    assert (taken.weights, taken.of) == (2 + 2 + 4, 3 + 3 + 5)
    assert all("embeddings" in name for name in taken.new)
    assert len(taken.new) == 3
    for name in ("generator", "ema_generator", "discriminator"):
        theirs, ours = getattr(source, name), getattr(model, name)
        for one, other in zip(theirs.weights, ours.weights, strict=True):
            if one.shape == other.shape:
                np.testing.assert_array_equal(one, other)
    assert int(model.step.numpy()) == 0
    assert fresh is not None


def test_how_far_a_network_has_grown_is_not_taken_over():
    """From one that stopped at its first level: the next would stay without a gradient for ever."""

    def gan(**options):
        return kgan.models.GAN(
            kgan.networks.progan_generator((8, 8, 1), 4, width=2),
            kgan.networks.progan_discriminator((8, 8, 1), width=2),
            **options,
        )

    source, model = gan(phase_steps=10), gan()
    for network in (source.generator, source.ema_generator, source.discriminator):
        grow(network, tf.constant(1.0))
    taken = take_weights(model, source)
    assert taken.weights == taken.of
    for network in (model.generator, model.ema_generator, model.discriminator):
        assert {float(layer.share()) for layer in growing(network)} == {1.0}
    kernel = model.generator.get_layer(index=2).trainable_weights[0]
    np.testing.assert_array_equal(kernel, source.generator.get_layer(index=2).trainable_weights[0])


def test_one_of_another_class_or_of_other_networks_is_refused():
    with pytest.raises(ValueError, match="a GAN must start from a GAN, got a VAE"):
        take_weights(own_gan(), own_vae())
    wide = keras.Sequential([keras.Input((3,)), keras.layers.Dense(7), keras.layers.Dense(16),
                             keras.layers.Reshape((4, 4, 1))])  # fmt: skip
    with pytest.raises(ValueError, match="generator must be like the source's"):
        take_weights(own_gan(generator=wide), own_gan())


def test_from_an_export_the_generator_starts_as_its_average(tmp_path):
    source, model = own_gan(), own_gan(seed=1)
    source.train_step(tf.constant(pictures()))
    version = kgan.export.export(source, tmp_path / "toy")
    for weight in model.weights:
        weight.assign(weight * 0)
    taken = take_exported(model, tf.saved_model.load(version).variables)
    assert (taken.weights, taken.new) == (taken.of, ())
    for name in ("generator", "ema_generator"):
        for one, other in zip(
            source.ema_generator.weights, getattr(model, name).weights, strict=True
        ):
            np.testing.assert_array_equal(one, other)
    for one, other in zip(source.discriminator.weights, model.discriminator.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_first_layers_are_frozen():
    network = own_discriminator()
    freeze_first("discriminator", network, 1)
    assert [weight.path.split("/")[0] for weight in network.trainable_weights] != ["first"] * 2
    assert len(network.trainable_weights) == 2
    with pytest.raises(ValueError, match="must be fewer than its 1 with weights, got 1"):
        freeze_first("discriminator", network, 1)
