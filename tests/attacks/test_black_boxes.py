"""A SavedModel, an ONNX file and a server answer as their Keras model does."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import PGD, HopSkipJump, RandomNoise, Square, Victim, black_box
from kgan.attacks.black_boxes import is_black_box
from kgan.export.classifier import export_classifier
from kgan.robustness import criterion_from_text, evaluate
from kgan.robustness.results import model_hash
from tests import model_server

SHAPE = (6, 6, 1)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(4, name="scores")]
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(9, *SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """What a `kgan export`, a plain Keras export and an ONNX export write, by name."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("exports")
    export_classifier(model, folder / "mine")
    model.export(folder / "plain", verbose=False)
    write_onnx(model, folder / "mine.onnx", (1, 6, 6))
    return folder


def write_onnx(model, path, shape, *, batch="n", kind=None) -> None:
    """The W x + b of a model as ONNX operations; images have one channel, which comes first."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    # Flattened with the channels first: of one channel the order is the same.
    kernel, bias = model.get_weights()
    classes = len(bias)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("Gemm", ["flat", "kernel", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["shares"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("pixels", kind or TensorProto.FLOAT, [batch, *shape])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, classes])
            for name in ("shares", "logits")
        ],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias, "bias")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


@pytest.fixture(scope="module")
def server(model):
    with model_server.serve(model, SHAPE) as running:
        yield running


def check(victim: Victim, model: keras.Model, images: np.ndarray) -> None:
    """Asserts equal answers, equal attacks, and that gradients are refused by name."""
    outputs = victim.predict(images)
    expected = model(images).numpy()
    np.testing.assert_allclose(
        outputs - outputs.mean(axis=1, keepdims=True),
        expected - expected.mean(axis=1, keepdims=True),
        atol=1e-4,
    )
    attack = RandomNoise(0.5, tries=4)
    success = attack.run(model, images).success
    assert 0 < success.sum() < len(success)
    np.testing.assert_array_equal(attack.run(victim, images).success, success)
    with pytest.raises(ValueError, match=r"PGD follows gradients.*HopSkipJump.*Square"):
        PGD(0.1).run(victim, images)
    assert any("shows scores alone" in text for text in victim.assumptions)


def test_saved_models(files, model, images):
    assert is_black_box(str(files / "mine"))
    victim = Victim(black_box(files / "mine"))
    assert victim.name == "mine"
    check(victim, model, images)
    assert victim.head == "softmax"
    plain = Victim(black_box(files / "plain"), head="logits")
    np.testing.assert_allclose(plain.predict(images[:2]), model(images[:2]).numpy(), atol=1e-5)
    again = Victim(black_box(files / "mine"))
    assert model_hash(again) == model_hash(victim) != model_hash(plain)
    with pytest.raises(ValueError, match=r"signature of .* must be one of"):
        black_box(files / "mine", signature="clasify")
    with pytest.raises(ValueError, match=r"images must have the shape \(None, 6, 6, 1\) that mine"):
        victim.predict(np.zeros((1, 4, 4, 1), np.float32))


def test_onnx_files(files, model, images):
    source = str(files / "mine.onnx")
    assert is_black_box(source)
    check(Victim(black_box(source), head="logits", data_format="channels_first"), model, images)
    shares = Victim(black_box(source, output="shares"), data_format="channels_first")
    assert shares.ready(images).head == "softmax"
    with pytest.raises(ValueError, match='data_format="channels_first"'):
        Victim(black_box(source)).ready(images)
    with pytest.raises(ValueError, match=r"output of .* must be one of shares, logits"):
        black_box(source, output="score")
    with pytest.raises(FileNotFoundError, match="no file"):
        black_box("none.onnx")


def test_servers(server, model, images):
    address, asked = server.address, server.asked
    assert is_black_box(address)
    check(Victim(black_box(address), head="logits"), model, images)
    many = np.repeat(images, 9, axis=0)
    del asked[:]
    Victim(black_box(address), head="logits").predict(many)
    assert max(asked) <= 32
    with pytest.raises(ValueError, match="the address of a model must be like"):
        black_box("http://127.0.0.1:1/")
    with pytest.raises(ValueError, match="no model answers at http"):
        black_box("http://127.0.0.1:1/v1/models/mine")
    with pytest.raises(FileNotFoundError, match="must be a SavedModel's folder"):
        black_box("/none")


def test_labels_alone_are_too_little_for_scores(images, model):
    victim = Victim(lambda images: model(images).numpy().argmax(axis=1), classes=4)
    with pytest.raises(ValueError, match=r"Square asks for scores.*shows labels alone.*Boundary"):
        Square(0.1).run(victim, images)
    assert HopSkipJump.needs == "labels"


def test_whole_numbers_are_answered_as_by_the_keras_model(tmp_path, model, images):
    from onnx import TensorProto

    whole = keras.Sequential(
        [keras.Input(SHAPE, dtype="uint8"), keras.layers.Rescaling(1 / 255), *model.layers]
    )
    module = tf.Module()
    module.model = model

    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.uint8)])
    def ask(pixels):
        return {"logits": model(tf.cast(pixels, tf.float32) / 255.0)}

    module.ask = ask
    tf.saved_model.save(module, str(tmp_path / "bytes"), signatures={"serve": module.ask})
    scaled = keras.models.clone_model(model)
    scaled.set_weights([model.get_weights()[0] / np.float32(255), model.get_weights()[1]])
    write_onnx(scaled, tmp_path / "bytes.onnx", (1, 6, 6), kind=TensorProto.UINT8)

    def plain(pixels):
        assert pixels.dtype == np.uint8
        return model(pixels / np.float32(255)).numpy()

    plain.input_dtype = "uint8"

    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.uint8)])
    def signed(pixels):
        return model(tf.cast(pixels, tf.float32) / 255.0)

    victims = [
        Victim(black_box(tmp_path / "bytes"), head="logits"),
        Victim(black_box(tmp_path / "bytes.onnx"), head="logits", data_format="channels_first"),
        Victim(plain, head="logits"),
        Victim(signed, head="logits"),
    ]
    attacks = [RandomNoise(0.2, tries=3), Square(0.2, steps=60)]
    labels = model(images).numpy().argmax(axis=1)
    wanted = evaluate(Victim(whole, head="logits"), images, labels, attacks=attacks)
    shares = [row.robust_accuracy for row in wanted.rows]
    assert 0 < min(shares) < max(shares) <= 1
    for victim in victims:
        found = evaluate(victim, images, labels, attacks=attacks)
        assert [row.robust_accuracy for row in found.rows] == shares
        assert any("rounded to whole numbers" in text for text in found.assumptions)
        result = attacks[1].run(victim, images, labels)
        # As an attacker would send it.
        pixels = np.round(result.adversarial * 255).astype("uint8")
        said = whole(pixels).numpy().argmax(axis=1)
        np.testing.assert_array_equal(said != labels, result.success)


def test_numbers_that_are_no_images_are_refused(tmp_path):
    class Seeds(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.int64)])
        def serve(self, seeds):
            return {"y": tf.cast(seeds, tf.float32)}

    module = Seeds()
    tf.saved_model.save(module, str(tmp_path / "seeds"), signatures={"serve": module.serve})
    with pytest.raises(ValueError, match="takes int64: it must take images"):
        black_box(tmp_path / "seeds")
    pixels = keras.Sequential([keras.Input((2,), dtype="uint8"), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"bounds must lie in \[0, 255\]"):
        Victim(pixels, bounds=(-1, 1))


def test_a_server_is_known_again_by_its_answers(server, model):
    address = server.address
    one, other = black_box(address), black_box(address)
    assert one.identity == other.identity is not None
    before = model.get_weights()
    try:
        model.set_weights([weight + 0.5 * np.sign(weight) for weight in before])
        assert black_box(address).identity != one.identity
        # Answers that are all the same tell nothing.
        model.set_weights([np.zeros_like(weight) for weight in before])
        assert black_box(address).identity is None
    finally:
        model.set_weights(before)


def test_criteria_have_texts():
    assert repr(criterion_from_text("top-k:k=3")) == "TopK(k=3)"
    assert repr(criterion_from_text("confidence")) == "Confidence(least=0.9)"
    with pytest.raises(ValueError, match=r"k must be .* \(of --criterion top-k:k=0\)"):
        criterion_from_text("top-k:k=0")
    with pytest.raises(ValueError, match="misclassification"):
        criterion_from_text("custom")


def test_batches_of_one_size_are_filled(tmp_path, model, images):
    class Eight(tf.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        @tf.function(input_signature=[tf.TensorSpec([4, *SHAPE], tf.float32)])
        def ask(self, x):
            return {"y": self.model(x)}

    module = Eight()
    tf.saved_model.save(module, str(tmp_path / "four"), signatures={"ask": module.ask})
    write_onnx(model, tmp_path / "four.onnx", (1, 6, 6), batch=4)
    for source, how in (
        (tmp_path / "four", {}),
        (tmp_path / "four.onnx", {"data_format": "channels_first"}),
    ):
        # Nine images are two batches and a part of one.
        check(Victim(black_box(source), head="logits", **how), model, images)


def test_files_that_cannot_be_loaded_or_answer_no_scores_are_refused(tmp_path, files):
    from onnx import TensorProto

    broken = tmp_path / "broken"
    shutil.copytree(files / "plain", broken)
    (data,) = broken.rglob("variables.data*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ValueError, match="no SavedModel that can be loaded"):
        black_box(broken)
    keras.utils.set_random_seed(0)
    small = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    write_onnx(small, tmp_path / "half.onnx", (2,), kind=TensorProto.BFLOAT16)
    with pytest.raises(ValueError, match=r"must take one of tensor\(float\), .*bfloat16"):
        black_box(tmp_path / "half.onnx")
    names = Victim(lambda images: np.full(len(images), "cat", object))
    with pytest.raises(ValueError, match="returned a str such as 'cat'"):
        names.predict(np.zeros((1, *SHAPE), np.float32))


def test_scores_that_are_one_hot_count_as_labels(model, images):
    victim = Victim(lambda images: np.eye(4)[model(images).numpy().argmax(axis=1)])
    with pytest.raises(ValueError, match=r"Square asks for scores.*shows labels alone"):
        Square(0.1).run(victim, images)
    np.testing.assert_array_equal(
        RandomNoise(0.5).run(victim, images).success, RandomNoise(0.5).run(model, images).success
    )


def test_a_function_that_names_one_class_first_is_read(images):
    victim = Victim(lambda images: np.full(len(images), 3), classes=4)
    assert victim.predict(images).argmax(axis=1).tolist() == [3] * len(images)


def test_what_fails_midway_is_told_as_it_is(images, model):
    asked = []

    def dying(images):
        asked.append(len(images))
        if len(asked) > 12:
            raise ConnectionError("the line is dead")
        return model(images).numpy()

    with pytest.raises(ConnectionError, match=r"^the line is dead$"):
        Square(0.01, steps=100).run(Victim(dying, head="logits"), images)
    assert len(asked) == 13


def test_a_server_says_what_it_takes(server, model):
    address = server.address
    with pytest.raises(ValueError, match=r"images must have the shape \(None, 6, 6, 1\)"):
        Victim(black_box(address), head="logits").predict(np.zeros((1, 5, 5, 1), np.float32))
    with pytest.raises(ValueError, match=r"signature of .* must be one of only, got 'other'"):
        black_box(address, signature="other")
    with pytest.raises(ValueError, match="token must be left out"):
        black_box("some.onnx", token="secret")
