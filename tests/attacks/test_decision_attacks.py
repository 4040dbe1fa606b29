"""Attacks from labels alone: nothing but the decision is used, and no more labels than allowed."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import Boundary, HopSkipJump
from kgan.robustness.testing import lengths, linear_case

ATTACKS = [
    HopSkipJump(queries=400, first_samples=40),
    HopSkipJump(norm="linf", queries=400, first_samples=40),
    Boundary(queries=300),
]
attacks = pytest.mark.parametrize("attack", ATTACKS, ids=["hopskipjump", "linf", "boundary"])


class Decision(keras.Model):
    """Another model's decision: ten for its class, zero for the others."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, images):
        scores = self.model(images, training=False)
        return 10.0 * tf.one_hot(tf.argmax(scores, axis=1), scores.shape[1])


@attacks
def test_only_the_decision_is_used(attack, model, some):
    images, labels = some
    scores = attack.run(model, images, labels)
    decisions = attack.run(Decision(model), images, labels)
    np.testing.assert_array_equal(decisions.success, scores.success)
    np.testing.assert_array_equal(decisions.adversarial, scores.adversarial)
    assert scores.success.all()


@attacks
@pytest.mark.parametrize("queries", [30, 150, 300])
def test_no_more_labels_are_asked_for_than_allowed(attack, queries, model, some):
    """One image alone, so that each row that the model gets is a query of this image's."""
    images, labels = some
    wrong = model(images).numpy().argmax(axis=1) != labels
    first = np.flatnonzero(~wrong)[:1]
    asked = []

    def count(batch):
        asked.append(len(batch))
        return model(batch, training=False).numpy()

    def logits(batch):
        scores = tf.numpy_function(count, [batch], tf.float32)
        return tf.ensure_shape(scores, [None, 10])

    attack = attack.replace(queries=queries)
    signature = [tf.TensorSpec([None, 8, 8, 1]), tf.TensorSpec([None], tf.int32)]
    perturb = tf.function(
        lambda x, y: attack.perturb(logits, x, y), autograph=False, input_signature=signature
    )
    perturb(images[first], labels[first])
    # The clean image is asked first, to see whether it needs an attack. Directions come in chunks
    # of 32, so the last chunk of a round may hold up to 31 that do not count.
    rounds = sum(several for several, _ in itertools.groupby(rows > 1 for rows in asked))
    assert queries / 4 < sum(asked) <= queries + 1 + 31 * rounds


@attacks
def test_more_labels_never_hurt(attack, model, some):
    def size(queries):
        found = attack.replace(queries=queries)(model, *some)
        return lengths(found - some[0], attack.norm)

    few, many = size(300), size(1200)
    assert np.all(many <= few + 1e-6)
    assert many.mean() < 0.9 * few.mean()


@attacks
def test_targets_need_images_to_start_from(attack, model, some, digits):
    images, labels = some
    targets = (labels + 1) % 10
    with pytest.raises(ValueError, match="cannot be targeted"):
        attack.run(model, images, targets=targets)
    starts = digits[0][:100]
    result = attack.replace(starts=starts).run(model, images, targets=targets)
    predicted = model(result.adversarial).numpy().argmax(axis=1)
    np.testing.assert_array_equal(predicted, targets)
    # Nearer than the nearest image of the target itself.
    classes = model(starts).numpy().argmax(axis=1)
    for image, adversarial, target in zip(images, result.adversarial, targets, strict=True):
        nearest = lengths(starts[classes == target] - image, attack.norm).min()
        assert lengths((adversarial - image)[None], attack.norm)[0] < nearest


def test_an_image_without_a_start_comes_back_clean():
    """Noise has the label's class almost surely, so there is nothing to walk from."""
    case = linear_case(6)
    weights, bias = case.model.layers[-1].get_weights()
    bias[0] += 1000.0
    case.model.layers[-1].set_weights([weights, bias])
    result = HopSkipJump(queries=200).run(case.model, case.images, np.zeros(6, int))
    assert not result.success.any()
    np.testing.assert_array_equal(result.adversarial, case.images)
