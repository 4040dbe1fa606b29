"""Inception without its weights: what goes in, how a file is read, and what is refused."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kgan.cli import main
from kgan.metrics import inception
from kgan.metrics.extractor import extractor
from kgan.metrics.inception import Inception, inception_inputs


def graph(classes=1008, pool="pool_3"):
    """A frozen graph with the names of the published one: features are mean colours, repeated."""
    with tf.Graph().as_default() as found:
        images = tf.compat.v1.placeholder(tf.float32, [1, 299, 299, 3], name="Mul")
        means = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
        pooled = tf.tile(means, [1, 1, 1, 683])[..., :2048]
        tf.identity(pooled, name=pool)
        weights = tf.constant(np.eye(2048, classes, dtype=np.float32), name="weights")
        flat = tf.zeros([1, 2048])
        with tf.name_scope("softmax"):
            tf.matmul(flat, weights, name="logits/MatMul")
    return found.as_graph_def().SerializeToString()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "classify_image_graph_def.pb"
    path.write_bytes(graph())
    return path


def test_inputs_are_rounded_resized_and_scaled():
    flat = np.full((2, 40, 30, 1), 100.4 / 255, np.float32)
    found = inception_inputs(flat)
    assert found.shape == (2, 299, 299, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (100 - 128) / 128, atol=1e-6)


def test_images_of_299_are_not_resized():
    images = np.random.default_rng(0).integers(0, 256, (1, 299, 299, 3), np.uint8)
    np.testing.assert_allclose(inception_inputs(images), (images - 128.0) / 128, atol=1e-6)


def test_reduction_is_antialiased_and_not_rounded_again():
    """Stripes of one pixel become grey, where plain bicubic would pick some of them."""
    images = np.zeros((1, 1196, 1196, 1), np.uint8)
    images[:, :, ::2] = 255
    found = inception_inputs(images)
    np.testing.assert_allclose(found[0, 20:-20, 20:-20], (127.5 - 128) / 128, atol=2e-3)


def test_resizing_is_that_of_pillow_channel_by_channel():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    found = inception_inputs(image[None])[0] * 128 + 128
    channel = Image.fromarray(image[..., 1].astype(np.float32)).resize((299, 299), Image.BICUBIC)
    np.testing.assert_allclose(found[..., 1], np.clip(channel, 0, 255), atol=1e-3)


def test_a_graph_is_run_in_batches(file, monkeypatch):
    monkeypatch.setenv("KGAN_INCEPTION", str(file))
    found = extractor("inception")
    images = np.random.default_rng(0).random((3, 299, 299, 3), dtype=np.float32)
    features = found.features(images)
    assert features.shape == (3, 2048)
    means = inception_inputs(images).mean(axis=(1, 2))
    np.testing.assert_allclose(features, np.tile(means, 683)[:, :2048], atol=1e-5)
    probabilities = found.probabilities(images)
    expected = np.exp(features[:, :1008])
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)


def test_only_published_weights_have_the_name(file, monkeypatch):
    found = Inception(file)
    assert found.label == f"inception-unverified@{found.hash}"
    digest = __import__("hashlib").sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "PUBLISHED", frozenset([digest]))
    assert Inception(file).label == f"inception-2015-12-05@{digest[:8]}"


def test_the_published_archive_gives_the_same(file, tmp_path):
    archive = tmp_path / "inception-2015-12-05.tgz"
    with tarfile.open(archive, "w:gz") as target:
        target.add(file, file.name)
    assert extractor(archive).label == Inception(file).label


def test_errors(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KGAN_INCEPTION", raising=False)
    with pytest.raises(FileNotFoundError, match=r"KGAN_INCEPTION, or allow a download"):
        extractor("inception")
    monkeypatch.setenv("KGAN_INCEPTION", str(tmp_path / "no.pb"))
    with pytest.raises(FileNotFoundError, match="not at"):
        extractor("inception", download=True)
    for name, content in (
        ("bytes.pb", b"nothing of the kind"),
        ("names.pb", graph(pool="elsewhere")),
        ("classes.pb", graph(classes=1001)),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="is not the Inception graph of 2015-12-05"):
            Inception(tmp_path / name)
    (tmp_path / "bad.tgz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="is no archive with"):
        Inception(tmp_path / "bad.tgz")


def test_a_failed_download_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path))
    monkeypatch.delenv("KGAN_INCEPTION", raising=False)

    def refuse(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(inception.urllib.request, "urlopen", refuse)
    with pytest.raises(OSError, match=r"cannot be fetched \(no route\)"):
        extractor("inception", download=True)
    assert not list(tmp_path.iterdir())


def test_a_download_is_kept(file, tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KGAN_INCEPTION", raising=False)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as target:
        target.add(file, file.name)
    buffer.seek(0)
    monkeypatch.setattr(inception.urllib.request, "urlopen", lambda *_, **__: buffer)
    label = extractor("inception", download=True).label
    assert extractor("inception").label == label


def test_a_command_with_inception_ends_well_though_its_classes_are_others(file, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    labels = np.arange(30) % 3
    for name, rows in (("fakes", slice(0, 10)), ("reals", slice(10, 30))):
        np.savez(tmp_path / f"{name}.npz", images=images[rows], labels=labels[rows])
    out = tmp_path / "out"
    arguments = ["--extractor", str(file), "--metrics", "fid", "--out", str(out)]
    sources = [str(tmp_path / "fakes.npz"), "--data", str(tmp_path / "reals.npz")]
    assert main(["evaluate", *sources, *arguments]) == 0
    assert (out / "neighbours.png").is_file()
