"""Models that cannot be judged, which are refused in words, and odd ones that can."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import PGD, Confidence, Misclassification, MultiLabel, TopK, Victim, victim_of

IMAGES = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype("float32")


class Own(keras.Model):
    """A linear classifier with a function of the user's own before it or after it."""

    def __init__(self, before=None, after=None, **options):
        super().__init__()
        self.before, self.after, self.options = before, after, options
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(10)

    def call(self, images):
        if self.before:
            images = self.before(images, **self.options)
        scores = self.dense(self.flatten(images))
        return self.after(scores) if self.after else scores


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"before": keras.layers.BatchNormalization(), "training": True},
            "alone than beside others.*training=False",
        ),
        ({"before": lambda x: x - tf.reduce_mean(x, axis=0)}, "alone than beside others"),
        ({"after": lambda scores: scores * np.nan}, "answers NaN to 4 of 4 images"),
        ({"after": lambda scores: scores[:1]}, r"answered 4 images by .*\(1, 10\)"),
        ({"after": lambda scores: tf.reduce_sum(scores)}, r"answered 4 images by .*\(\)"),
        ({"before": lambda x: tf.constant(x.numpy())}, "cannot be compiled.*'numpy'.*lambda"),
        ({"before": lambda x: x if tf.reduce_mean(x) > 0 else -x}, "cannot be compiled"),
    ],
    ids=["batch norm", "mean of a batch", "NaN", "rows", "scalar", "numpy", "if"],
)
def test_what_cannot_be_judged_is_refused(options, said):
    with pytest.raises(ValueError, match=said) as error:
        victim_of(Own(**options), IMAGES)
    assert "\x1b" not in str(error.value)


def test_a_batch_of_one_size_is_refused_where_it_matters():
    images = keras.Input(batch_shape=(16, 8, 8, 1))
    model = keras.Model(images, keras.layers.Dense(10)(keras.ops.reshape(images, (16, 64))))
    with pytest.raises(ValueError, match=r"batches of 16 images alone.*keras\.Input\(shape\)"):
        victim_of(model, IMAGES)


def test_a_function_that_fails_says_so_itself():
    with pytest.raises(ZeroDivisionError, match=r"^division by zero$"):
        victim_of(Victim(lambda images: 1 / 0), IMAGES)


def test_a_single_input_and_output_may_have_names():
    images = keras.Input((8, 8, 1), name="image")
    scores = keras.layers.Dense(10)(keras.layers.Flatten()(images))
    plain, named = keras.Model(images, scores), keras.Model({"image": images}, {"scores": scores})
    np.testing.assert_array_equal(
        victim_of(named, IMAGES).predict(IMAGES), victim_of(plain, IMAGES).predict(IMAGES)
    )


def test_plain_images_do_not_hide_that_a_model_is_random():
    def contrast(images):
        return tf.image.random_contrast(images, 0.2, 1.8)

    blank = np.zeros((4, 8, 8, 1), np.float32)
    assert victim_of(Own(before=contrast), blank).random


@pytest.mark.parametrize("criterion", [Misclassification(), TopK(2), Confidence(0.5)], ids=str)
def test_no_number_is_no_right_answer(criterion):
    outputs = tf.constant([[np.nan, 0.0, 0.0], [0.0, 9.0, 5.0]])
    truth = tf.constant([0, 1])
    np.testing.assert_array_equal(criterion.counts(outputs, truth), [True, False])
    reached = criterion.counts(outputs, truth, targeted=True)
    np.testing.assert_array_equal(reached, [False, True])


def test_several_labels_of_an_image_need_their_criterion(model):
    labels = np.zeros((5, 10), int)
    labels[:, :2] = 1
    with pytest.raises(ValueError, match=r"several or none.*MultiLabel\(\)"):
        PGD(0.1).run(model, IMAGES, labels)
    assert (
        PGD(0.9, steps=5).run(Victim(model, criterion=MultiLabel()), IMAGES, labels).success.any()
    )


def test_a_gradient_without_a_shape_is_followed():
    def hide(images):
        hidden = tf.py_function(tf.identity, [images], images.dtype)
        # Layers need to know the shape; the gradient comes back without one.
        return tf.ensure_shape(hidden, [None, 8, 8, 1])

    plain, hidden = Own(), Own(before=hide)
    labels = victim_of(plain, IMAGES).predict(IMAGES).argmax(axis=1)
    victim_of(hidden, IMAGES)
    hidden.set_weights(plain.get_weights())
    for attack in (PGD(0.1, steps=3), PGD(0.5, steps=3, norm="l2")):
        expected = attack.last_iterates(plain, IMAGES, labels)
        assert np.abs(expected - IMAGES).max() > 0.01
        np.testing.assert_allclose(
            attack.last_iterates(hidden, IMAGES, labels), expected, atol=1e-6
        )


@pytest.mark.parametrize("indices", [np.arange(5) - 1, np.arange(5) + 0.5, np.ones(5, bool)])
def test_indices_are_places(indices):
    model = Own()
    with pytest.raises(ValueError, match="indices must be whole numbers of at least 0"):
        PGD(0.1).run(model, IMAGES, np.zeros(5, int), indices=indices)
