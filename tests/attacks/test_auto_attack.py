"""The versions of AutoAttack, and what makes it warn."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import AutoAttack, victim_of
from kgan.attacks.auto_attack_checks import find_warnings, square_warning
from tests.attacks.conftest import build


def test_plus_has_the_published_members():
    members = AutoAttack(0.1, version="plus").members(10)
    assert list(members) == ["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"]
    restarts = {name: getattr(member, "restarts", 1) for name, member in members.items()}
    assert restarts == dict.fromkeys(members, 1) | {"apgd-ce": 5, "apgd-dlr": 5, "fab": 5}
    assert members["fab"].targets == 0
    assert members["apgd-t"].targets == members["fab-t"].targets == 9
    assert members["square"].steps == 5000
    assert list(AutoAttack(version="plus").members(3)) == [
        "apgd-ce", "apgd-dlr", "fab", "square", "fab-t",
    ]  # fmt: skip
    assert AutoAttack(version="plus").members(2)["apgd-dlr"].loss == "margin"
    assert AutoAttack(version="plus").members(1000)["fab"].targets == 9


def warnings_of(model, images, version="standard"):
    victim = victim_of(model, images)
    labels = victim.predict(images).argmax(axis=1).astype("int32")
    return find_warnings(victim, images, labels, version=version, batch_size=16)


def test_a_plain_model_of_ten_classes_gives_no_warning(some):
    assert warnings_of(build(), some[0]) == []


class Noisy(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, inputs):
        return inputs + keras.random.normal(tf.shape(inputs), 0.0, 0.3, seed=self.seeds)


def test_random_models_want_the_random_version(some):
    random = keras.Sequential([keras.Input((8, 8, 1)), Noisy(), build()])
    (warning,) = warnings_of(random, some[0])
    assert "the model is random" in warning
    assert 'version="rand"' in warning
    assert warnings_of(random, some[0], "rand") == []
    (warning,) = warnings_of(build(), some[0], "rand")
    assert "not random" in warning


@pytest.mark.filterwarnings("ignore:No gradient of the model")
def test_zero_gradients_are_counted(some):
    layers = [keras.Input((8, 8, 1)), keras.layers.Lambda(tf.round), build()]
    (warning,) = warnings_of(keras.Sequential(layers), some[0])
    assert "37 of 37 images have a gradient of zero" in warning
    assert "BPDA" in warning


@pytest.mark.parametrize(("classes", "says"), [(3, "not the standard"), (6, "only 5 targets")])
def test_few_classes_are_said(classes, says, some):
    (warning,) = warnings_of(build(units=classes), some[0])
    assert f"the model has {classes} classes" in warning
    assert says in warning


def test_square_lowering_the_figure_is_said():
    assert square_warning(0.5, 0.5) == []
    (warning,) = square_warning(0.5, 0.4)
    assert "from 50.0% to 40.0%" in warning


@pytest.mark.filterwarnings("ignore:No gradient of the model")
def test_warnings_come_with_the_result(some):
    images, labels = some
    layers = [keras.Input((8, 8, 1)), keras.layers.Lambda(tf.round), build()]
    attack = AutoAttack(0.1)
    attack.members = lambda classes: {}
    result = attack.run(keras.Sequential(layers), images, labels)
    assert "gradient of zero" in result.warnings[0]
    assert np.isfinite(result.robust["clean"])
