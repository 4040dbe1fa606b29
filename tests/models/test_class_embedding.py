"""Images between classes, against a linear generator and against the labels themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
from kgan.models.class_embedding import ClassEmbedding
from kgan.networks import (
    biggan_deep_generator,
    biggan_generator,
    dcgan_generator,
    fastgan_generator,
    progan_generator,
    r3gan_generator,
    resnet_generator,
    with_class_latents,
)

LATENTS = np.random.default_rng(0).standard_normal((3, 12)).astype(np.float32)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize(
    "make",
    [
        biggan_generator,
        biggan_deep_generator,
        dcgan_generator,
        fastgan_generator,
        progan_generator,
        r3gan_generator,
    ],
)
def test_vectors_of_labels_make_their_images(make, precision):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    try:
        generator = make((16, 16, 1), 12, num_classes=3, width=4)
    finally:
        keras.config.set_dtype_policy("float32")
    parts = ClassEmbedding.of(generator)
    labels = tf.constant([2, 0, 1])
    made = parts.images(tf.constant(LATENTS), parts.vectors(labels))
    expected = generator([tf.constant(LATENTS), labels], training=False)
    np.testing.assert_allclose(made, expected, atol=1e-6)
    # What is between them is float32 too.
    first, last = parts.vectors(labels), parts.vectors(labels[::-1])
    between = kgan.latents.linear(first, last, tf.fill([3], 0.5))
    assert parts.images(tf.constant(LATENTS), between).shape == made.shape


def test_between_classes_is_the_network_at_the_mean_of_their_embeddings():
    """Of a generator that is linear in both, in float64."""
    latents, labels = keras.Input((12,)), keras.Input((), dtype="int32")
    vectors = keras.layers.Embedding(3, 5)(labels)
    dense = keras.layers.Dense(16)
    joined = keras.layers.Concatenate()([latents, vectors])
    generator = keras.Model([latents, labels], keras.layers.Reshape((4, 4, 1))(dense(joined)))
    parts = ClassEmbedding.of(generator)
    middle = 0.5 * (parts.vectors(tf.constant([0, 0, 1])) + parts.vectors(tf.constant([1, 2, 2])))
    made = parts.images(tf.constant(LATENTS), middle)
    table = np.asarray(parts.embedding.embeddings, np.float64)
    means = (table[[0, 0, 1]] + table[[1, 2, 2]]) / 2
    expected = np.concatenate([LATENTS, means], axis=1) @ np.asarray(dense.kernel, np.float64)
    np.testing.assert_allclose(made, expected.reshape(3, 4, 4, 1), atol=1e-5)


def test_labels_that_nothing_takes_by_an_embedding_of_its_own_are_told():
    latents, labels = keras.Input((12,)), keras.Input((), dtype="int32")
    image = keras.layers.Reshape((4, 3, 1))
    unused = keras.Model([latents, labels], image(latents))
    with pytest.raises(ValueError, match="labels that go to the layers none"):
        ClassEmbedding.of(unused)
    shared = keras.layers.Embedding(3, 12, name="shared")
    other = shared(keras.Input((), dtype="int32"))
    assert other.shape == (None, 12)
    twice = keras.Model([latents, labels], image(latents + shared(labels)))
    with pytest.raises(ValueError, match="labels that go to the layers shared"):
        ClassEmbedding.of(twice)


@pytest.mark.parametrize(
    ("generator", "names"),
    [
        (lambda: resnet_generator((8, 8, 1), 12, num_classes=3, width=4), "conditional_batch_norm"),
        (
            lambda: with_class_latents(dcgan_generator((8, 8, 1), 12, num_classes=3, width=4), 3),
            "class_latents, generator",
        ),
    ],
)
def test_classes_that_enter_elsewhere_are_told(generator, names):
    with pytest.raises(ValueError, match=f"one embedding.* go to the layers {names}"):
        ClassEmbedding.of(generator())
