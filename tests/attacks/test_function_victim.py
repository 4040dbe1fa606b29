"""A victim that is only a function: the attacks that ask get the same answers as from the model."""

import numpy as np
import pytest

from kgan.attacks import FGSM, PGD, AutoAttack, RandomNoise, Square, Victim, victim_of
from kgan.robustness import evaluate


def test_scores_and_classes_are_asked_for(model, some):
    images, labels = some
    asked = []

    def scores(images):
        asked.append(len(images))
        return model(images, training=False).numpy()

    def classes(images):
        return scores(images).argmax(axis=1)

    attack = Square(0.1, steps=30)
    expected = attack.run(model, images, labels)
    found = attack.run(Victim(scores), images, labels)
    np.testing.assert_array_equal(found.success, expected.success)
    assert asked
    only = Victim(classes, classes=10)
    np.testing.assert_array_equal(
        victim_of(only, images).predict(images).argmax(axis=1), classes(images)
    )
    noise = RandomNoise(0.3, tries=3)
    np.testing.assert_array_equal(
        noise.run(only, images, labels).success, noise.run(model, images, labels).success
    )


def test_attacks_that_follow_gradients_are_refused(model, some):
    victim = Victim(lambda images: model(images, training=False).numpy())
    for attack in (PGD(0.1), FGSM(0.1)):
        with pytest.raises(ValueError, match="follows gradients"):
            attack.run(victim, *some)
    with pytest.raises(ValueError, match="follows gradients"):
        evaluate(victim, *some, attacks=[RandomNoise(0.1), PGD(0.1)])
    report = evaluate(victim, *some, attacks=[RandomNoise(0.1)])
    assert any("is a function" in text for text in report.assumptions)
    assert any("need a model's gradients" in text for text in report.unchecked)
    left_out = AutoAttack(0.1).left_out(victim, (8, 8, 1))
    assert set(left_out) == {"apgd-ce", "apgd-t", "fab-t"}


def test_what_is_no_answer_is_refused(model, some):
    with pytest.raises(ValueError, match=r"scores of shape \(1, classes\).*classes=10"):
        victim_of(Victim(lambda images: np.zeros(len(images), int)), some[0])
    with pytest.raises(ValueError, match="class numbers of shape"):
        victim_of(Victim(lambda images: np.zeros((len(images), 3)), classes=3), some[0])
    with pytest.raises(TypeError, match=r"keras\.Model or a function"):
        Victim("model.keras")
    with pytest.raises(ValueError, match="classes must be left out"):
        Victim(model, classes=10)


@pytest.mark.parametrize("answer", [-1, 10])
def test_an_answer_that_is_no_class_is_refused(some, answer):
    # As an index, -1 would be the last class.
    victim = Victim(lambda images: np.full(len(images), answer), classes=10)
    with pytest.raises(
        ValueError, match=rf"class numbers that .* returns must be in \[0, 9\], got {answer}"
    ):
        RandomNoise(0.1).run(victim, *some)
