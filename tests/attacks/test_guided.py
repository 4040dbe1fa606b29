import keras
import numpy as np
import pytest

from kgan.attacks import Guided, MomentumPGD, distill, victim_of
from kgan.robustness import evaluate
from tests.attacks.conftest import build


@pytest.fixture(scope="module")
def surrogate(digits):
    """Another digits classifier, of another shape."""
    images, labels = digits
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(images[:1200], labels[:1200], epochs=8, verbose=0)
    return model


def test_images_move_along_the_surrogates_gradient_alone(model, surrogate, some):
    images, labels = some
    attack = Guided(0.2, surrogates=surrogate, steps=5, diversity=0.0)
    result = attack.run(model, images, labels)
    moved = MomentumPGD(0.2, steps=5).last_iterates(surrogate, images, labels)
    wrong = victim_of(model, images).predict(images).argmax(axis=1) != labels
    changed = result.success & ~wrong
    np.testing.assert_allclose(result.adversarial[changed], moved[changed], atol=1e-6)
    guess = surrogate(moved).numpy().argmax(axis=1) != labels
    np.testing.assert_array_equal(result.surrogate_success, guess)
    assert result.queries == len(images)
    assert wrong.mean() + 0.2 < result.success.mean() <= result.white_box_success.mean()


def test_several_surrogates_are_averaged(model, surrogate, some):
    images, labels = some
    twice = Guided(0.2, surrogates=[surrogate, surrogate], steps=5).run(model, images, labels)
    once = Guided(0.2, surrogates=surrogate, steps=5).run(model, images, labels)
    np.testing.assert_allclose(twice.adversarial, once.adversarial, atol=1e-5)
    with pytest.raises(ValueError, match="has 3 classes"):
        Guided(surrogates=build(units=3)).run(model, images, labels)


def test_distilling_keeps_to_its_budget_and_imitates(model, digits):
    images, _ = digits
    asked = []

    class Counting(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = model

        def call(self, images):
            return self.inner(images)

    victim = victim_of(counting := Counting(), images[:10])
    predict = victim.predict

    def counted(batch, **settings):
        asked.append(len(batch))
        return predict(batch, **settings)

    victim.predict = counted
    substitute, queries = distill(counting, images[:200], query_budget=500, seed=1)
    assert queries == sum(asked) == 500
    fresh = images[1300:1700]
    agreement = np.mean(
        substitute(fresh).numpy().argmax(axis=1) == model(fresh).numpy().argmax(axis=1)
    )
    assert agreement > 0.7
    again, queries = distill(counting, images[:200], query_budget=500, seed=1)
    assert again is substitute
    assert queries == 0


def test_an_evaluation_distills_once_for_all_its_pieces(model, some, monkeypatch):
    asked = []

    def count(victim, images, **settings):
        found, queries = distill(victim, images, epochs=1, **settings)
        asked.append(queries)
        return found, queries

    monkeypatch.setattr("kgan.attacks.guided.distill", count)
    images, labels = some
    attack = Guided(0.2, query_budget=40, steps=2, white_box=False)
    evaluate(model, images, labels, attacks=[attack], batch_size=5, find_masking=False)
    assert len(images) > 20
    assert len(asked) == 1
    assert asked[0] <= 40
