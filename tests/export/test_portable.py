"""ONNX and LiteRT files, each run by its own runtime and compared with Keras."""

import dataclasses

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import kgan.models
import kgan.networks
from kgan.export import classifier_endpoints
from kgan.export.portable import write_litert, write_onnx
from kgan.models.growing import grow
from kgan.networks import progan_discriminator, progan_generator
from kgan.networks.classifiers import small_cnn
from tests.conftest import build_gan, slow_but


def run_onnx(path, inputs):
    session = onnxruntime.InferenceSession(path)
    assert {one.name: one.shape[0] for one in session.get_inputs()} == dict.fromkeys(inputs, "n")
    return session.run(None, inputs)[0]


def run_litert(path, inputs):
    interpreter = Interpreter(str(path))
    return next(iter(interpreter.get_signature_runner()(**inputs).values()))


@pytest.mark.parametrize(
    ("name", "write", "answer"),
    [("g.onnx", write_onnx, run_onnx), ("g.tflite", write_litert, run_litert)],
)
def test_other_runtimes_agree_with_keras(tmp_path, name, write, answer):
    gan = build_gan(num_classes=3)
    write(gan.endpoints(), tmp_path / name)
    random = np.random.default_rng(0)
    for n in (1, 5):
        latents = random.standard_normal((n, 6), np.float32)
        labels = np.arange(n, dtype=np.int32) % 3
        found = answer(tmp_path / name, {"latents": latents, "labels": labels})
        np.testing.assert_allclose(found, gan.decode(latents, labels), atol=1e-5)
    keras.utils.set_random_seed(0)
    classifier = small_cnn((8, 8, 1), 10, width=4)
    asked = classifier_endpoints(classifier)
    write(asked, tmp_path / f"classifier{(tmp_path / name).suffix}")
    images = random.random((4, 8, 8, 1), np.float32)
    inputs = {classifier.inputs[0].name: images}
    found = answer(tmp_path / f"classifier{(tmp_path / name).suffix}", inputs)
    np.testing.assert_allclose(found, classifier(images), atol=1e-4)
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"g", "classifier"}


SIZES = [(24, 40), (16, 9)]
NETWORKS = sorted({*kgan.networks.NETWORKS} - {"mlp", "mlp-fine"})


@pytest.mark.parametrize(
    "case", slow_but([(name, size) for name in NETWORKS for size in SIZES], ("fastgan", SIZES[0]))
)
def test_networks_of_images_that_are_no_squares(tmp_path, case):
    networks, size = case
    keras.utils.set_random_seed(0)
    generator = kgan.networks.NETWORKS[networks].generator((*size, 1), 12, width=4)
    gan = kgan.models.GAN(generator, kgan.networks.dcgan_discriminator((*size, 1), width=2))
    write_litert(gan.endpoints(), tmp_path / "g.tflite")
    latents = np.random.default_rng(0).standard_normal((3, 12), np.float32)
    found = run_litert(tmp_path / "g.tflite", {"latents": latents})
    np.testing.assert_allclose(found, gan.decode(latents), atol=1e-4)


@pytest.mark.parametrize("operation", ["erf", "erfinv"])
def test_operations_that_no_plain_runtime_has(tmp_path, operation):
    given = keras.Input((3,))
    found = getattr(keras.ops, operation)(0.1 * given)
    classifier = keras.Model(given, keras.layers.Dense(2)(found))
    message = f"written as litert, whose runtime lacks {operation.title()} of TensorFlow's"
    with pytest.raises(ValueError, match=message):
        write_litert(
            dataclasses.replace(build_gan().endpoints(), network=classifier), tmp_path / "c.tflite"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_networks_that_have_grown_half_way(tmp_path):
    gan = kgan.models.GAN(
        progan_generator((16, 16, 1), 6, width=2), progan_discriminator((16, 16, 1), width=2)
    )
    grow(gan.ema_generator, tf.constant(0.5))
    write_litert(gan.endpoints(), tmp_path / "g.tflite")
    latents = np.random.default_rng(0).standard_normal((3, 6), np.float32)
    wanted = gan.decode(latents)
    np.testing.assert_array_equal(wanted[:, ::2, ::2], wanted[:, 1::2, 1::2])
    found = run_litert(tmp_path / "g.tflite", {"latents": latents})
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    with pytest.raises(ValueError, match="networks that grow cannot be written as onnx"):
        write_onnx(gan.endpoints(), tmp_path / "g.onnx")


def test_a_path_that_no_runtime_would_take(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.tflite, got"):
        write_litert(build_gan().endpoints(), tmp_path / "model")


@pytest.mark.parametrize("write", [write_onnx, write_litert])
def test_a_model_without_a_network_of_its_own(tmp_path, write):
    alone = dataclasses.replace(build_gan().endpoints(), family="advgan", network=None)
    with pytest.raises(ValueError, match="of the family 'advgan' must be saved_model, got"):
        write(alone, tmp_path / "model.tflite")
    assert list(tmp_path.iterdir()) == []
