"""Vectors, series, volumes and images: each attack takes them, or says so before it works."""

import warnings

import keras
import numpy as np
import pytest

from kgan.attacks import ATTACKS, AutoAttack, Victim
from kgan.robustness import evaluate
from tests.attacks.test_contract import SHORT, make
from tests.conftest import slow_but

SHAPES = {"vector": (20,), "series": (10, 2), "volume": (3, 3, 3, 1), "image": (6, 6, 1)}
# Those that move, turn or paint pixels.
OF_PIXELS = {"square", "spatial", "one-pixel", "patch", "advgan"}


def linear(shape: tuple[int, ...]) -> tuple[keras.Model, np.ndarray]:
    """Five classes, which are hardly apart, and ten images."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(5)])
    return model, np.random.default_rng(0).uniform(0.3, 0.7, (10, *shape)).astype("float32")


def attack_of(name: str):
    settings = {}
    if name == "mifgsm":
        settings = {"diversity": 0.0, "translation": 0}
    if name in ("guided", "at"):
        settings = {"translation": 0, "white_box": False, "query_budget": 20, "steps": 3}
    return make(name, **settings)


@pytest.mark.parametrize("kind", SHAPES)
def test_what_cannot_be_taken_is_refused_before_any_work(kind):
    model, images = linear(SHAPES[kind])
    victim = Victim(model).ready(images)
    compiled = set(victim.functions)
    for name, attack in ATTACKS.items():
        if kind == "image" or name not in OF_PIXELS:
            attack_of(name).check(victim, SHAPES[kind])
            continue
        with pytest.raises(ValueError, match=r"needs images of \(height, width, channels\)"):
            attack().check(victim, SHAPES[kind])
        with pytest.raises(ValueError, match=r"needs images of|is not fitted"):
            attack().run(victim, images)
    # Nothing was compiled or asked for it.
    assert set(victim.functions) == compiled


@pytest.mark.parametrize("kind", ["vector", "series", "volume"])
def test_what_a_setting_needs_is_refused_too(kind):
    model, images = linear(SHAPES[kind])
    for name, settings in (
        ("mifgsm", {"diversity": 0.5}),
        ("mifgsm", {"translation": 3}),
        ("guided", {"translation": 3}),
    ):
        with pytest.raises(ValueError, match=r"needs images of \(height, width, channels\)"):
            ATTACKS[name](**settings).run(model, images)
    with pytest.raises(ValueError, match="Square needs images of"):
        evaluate(model, images, attacks=[ATTACKS["fgsm"](0.1), ATTACKS["square"](0.1)])


@pytest.mark.parametrize("kind", slow_but(["vector", "series", "volume"], "series"))
def test_autoattack_leaves_out_what_cannot_be_and_says_so(kind):
    model, images = linear(SHAPES[kind])
    attack = make("autoattack", epsilon=0.02)
    left_out = attack.left_out(Victim(model).ready(images), SHAPES[kind])
    assert set(left_out) == {"square"}
    assert "needs images of" in left_out["square"]
    with pytest.warns(UserWarning, match="AutoAttack leaves out square"):
        result = attack.run(model, images)
    assert set(result.left_out) == {"square"}
    assert list(result.robust) == ["clean", "apgd-ce", "apgd-t", "fab-t"]
    after = model(result.adversarial).numpy().argmax(axis=1)
    np.testing.assert_array_equal(result.success, after != result.labels)
    assert AutoAttack(0.1).left_out(Victim(*linear(SHAPES["image"])[:1]).ready(
        linear(SHAPES["image"])[1]), SHAPES["image"]) == {}  # fmt: skip


@pytest.mark.parametrize("kind", ["vector", "series", "volume"])
@pytest.mark.parametrize(
    "name", slow_but(sorted(set(ATTACKS) - OF_PIXELS - {"at"}), "noise", "fgsm")
)
def test_what_is_taken_works(name, kind):
    model, images = linear(SHAPES[kind])
    assert name not in SHORT or SHORT[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="AutoAttack leaves out")
        result = attack_of(name).run(model, images)
    assert result.adversarial.shape == images.shape
    after = model(result.adversarial).numpy().argmax(axis=1)
    np.testing.assert_array_equal(result.success, after != result.labels)
    if name not in ("noise", "guided", "universal", "jsma"):
        assert result.success.any()
