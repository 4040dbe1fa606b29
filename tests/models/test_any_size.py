"""Networks that take images of any size, and those that do not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.kinds import Images, Points
from kgan.models import any_size, translating
from kgan.networks import KEEPING, TRANSLATION_NETWORKS, ReflectionPadding2D

RANDOM = np.random.default_rng(0)


def build(name, shape=(16, 16, 3), **options):
    keras.utils.set_random_seed(0)
    return TRANSLATION_NETWORKS[name].generator(shape, width=4, **options)


@pytest.mark.parametrize(
    ("name", "options", "sizes"),
    [
        ("resnet", {"halvings": 2, "blocks": 1}, any_size.Sizes(4, 8, 1)),
        ("resnet", {"halvings": 0, "blocks": 1}, any_size.Sizes(1, 4, 1)),
        ("unet", {"halvings": 3}, any_size.Sizes(8, 16, 1)),
        ("super-resolution", {"factor": 4, "blocks": 1}, any_size.Sizes(1, 1, 4)),
        ("encoder-decoder", {}, None),
    ],
)
def test_what_sizes_a_network_takes(name, options, sizes):
    network = build(name, **options)
    assert any_size.sizes(network) == sizes
    if sizes is None:
        return
    of = sizes
    function = any_size.free(network, of)
    images = RANDOM.random((2, 16, 16, 3), dtype=np.float32)
    np.testing.assert_allclose(function(images), network(images), atol=1e-6)
    for height, width in ((of.least, of.least + 7), (29, 40)):
        images = RANDOM.random((1, height, width, 3), dtype=np.float32)
        found = function(images)
        assert found.shape == (1, height * of.factor, width * of.factor, 3)
        # The same weights in a network that was built for the padded size.
        padded = [[0, 0], [0, -height % of.unit], [0, -width % of.unit], [0, 0]]
        whole = np.pad(images, padded, mode="symmetric")
        own = build(name, whole.shape[1:], **options)
        own.set_weights(network.get_weights())
        expected = own(whole)[:, : height * of.factor, : width * of.factor]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    if of.least > 1:
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"sides of at least {of.least}"):
            function(RANDOM.random((1, of.least - 1, 64, 3), dtype=np.float32))


def test_networks_inside_networks_count_too():
    inside = build("unet", (16, 16, 4), channels=3, halvings=2)
    assert any_size.sizes(KEEPING["known"](inside)) == any_size.Sizes(4, 8, 1)
    dense = KEEPING["known"](build("encoder-decoder", (16, 16, 4), channels=3))
    assert any_size.sizes(dense) is None


@keras.saving.register_keras_serializable(package="test")
class Unknown(keras.layers.Layer):
    def call(self, inputs):
        return inputs[:, ::-1]


def test_what_is_not_known_has_one_size():
    def network(*layers, shape=(8, 8, 1)):
        return keras.Sequential([keras.Input(shape), *layers])

    assert any_size.sizes(network(Unknown())) is None
    Unknown.any_size = True
    assert any_size.sizes(network(Unknown())) == any_size.Sizes(1, 1, 1)
    del Unknown.any_size
    assert any_size.sizes(network(keras.layers.UpSampling2D(interpolation="bilinear"))) is None
    assert any_size.sizes(network(keras.layers.Dense(2), shape=(8,))) is None
    # A map that grows with its border is no whole multiple.
    assert any_size.sizes(network(ReflectionPadding2D(1))) is None


def test_files_in_and_files_out():
    network = build("resnet", blocks=1)
    kind = Images(16, 16, 3)
    found = translating.endpoints("translate", network, kind, kind)
    assert list(found) == ["translate", "translate_tile", "translate_png"]
    assert found["translate"].inputs["images"].shape.as_list() == [None, None, None, 3]
    pictures = [RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((16, 16), (9, 20))]
    files = tf.constant([tf.io.encode_png(one).numpy() for one in pictures])
    made = found["translate_png"].function({"image_bytes": files})["image_bytes"].numpy()
    for picture, file in zip(pictures, made, strict=True):
        alone = found["translate"].function(
            {"images": tf.constant(picture[None] / np.float32(255))}
        )
        expected = np.round(alone["images"][0] * 255)
        assert np.abs(tf.io.decode_png(file) - expected).max() <= 1
    # A grey file becomes colour, a network of one size takes that size.
    grey = tf.constant([tf.io.encode_jpeg(pictures[0][..., :1]).numpy()])
    assert found["translate_png"].function({"image_bytes": grey})["image_bytes"].shape == (1,)
    fixed = translating.endpoints("x", build("encoder-decoder"), kind, kind)
    with pytest.raises(tf.errors.InvalidArgumentError, match="images must be of 16x16, got"):
        fixed["x_png"].function({"image_bytes": files})
    for channels in (2, 5):
        other = Images(16, 16, channels)
        assert list(translating.endpoints("x", network, other, kind)) == ["x", "x_tile"]
    # Grey and opacity, as `kgan translate` reads such files.
    holes = build("resnet", shape=(16, 16, 2), blocks=1)
    found = translating.endpoints("x", holes, Images(16, 16, 2, shown=(0,)), kind)
    pixels = RANDOM.integers(0, 256, (16, 16, 4), dtype=np.uint8)
    for picture in (pixels, np.concatenate([pixels[..., :1].repeat(3, -1), pixels[..., 3:]], -1)):
        file = tf.constant([tf.io.encode_png(picture).numpy()])
        luma = picture[..., :3] @ np.array([0.299, 0.587, 0.114])
        given = np.stack([luma, picture[..., 3]], -1)[None].astype(np.float32) / 255
        expected = found["x"].function({"images": tf.constant(given)})["images"][0] * 255
        made = found["x_png"].function({"image_bytes": file})["image_bytes"].numpy()[0]
        assert np.abs(tf.io.decode_png(made) - np.round(expected)).max() <= 1
    dense = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    assert list(translating.endpoints("x", dense, Points(2), Points(2))) == ["x"]
