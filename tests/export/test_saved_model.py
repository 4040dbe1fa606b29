"""The exported model, loaded by TensorFlow alone."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import kgan.export
import kgan.latents
from kgan.endpoints import Endpoint, Endpoints, takes
from kgan.export import apart, manifest
from kgan.export.saved_model import ALIASES
from kgan.kinds import Images
from kgan.networks.classifiers import small_cnn
from tests.conftest import build_gan


@pytest.fixture(scope="module")
def load_without_kgan():
    """A script that refuses to import kgan and calls every signature."""
    return """
import sys, json
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "kgan":
            raise ImportError("kgan must not be needed")
sys.meta_path.insert(0, Refuse())
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
requests = dict(np.load(sys.argv[2]))
outputs = {}
for name in sys.argv[4].split(","):
    signature = model.signatures[name]
    needed = signature.structured_input_signature[1]
    reply = signature(**{key: tf.constant(requests[key]) for key in needed})
    outputs.update({f"{name}/{key}": value.numpy() for key, value in reply.items()})
np.savez(sys.argv[3], **outputs)
"""


def test_signatures_without_kgan(exported, tmp_path, run_python, load_without_kgan):
    folder, gan = exported
    folder = folder / "1"
    random = np.random.default_rng(0)
    start, end = random.standard_normal((2, 4, 6)).astype(np.float32)
    requests = {
        "seeds": kgan.latents.example_seeds(7, 4).numpy(),
        "labels": np.array([0, 1, 2, 0]),
        "latents": start,
        "start": start,
        "end": end,
        "share": np.array([0, 1, 0.5, 0], np.float32),
        "images": random.random((4, 8, 8, 1), dtype=np.float32),
    }
    np.savez(tmp_path / "requests.npz", **requests)
    (tmp_path / "load.py").write_text(load_without_kgan)
    names = "serving_default,serve,generate,latents,decode,interpolate,score"
    run_python(
        tmp_path / "load.py",
        folder,
        tmp_path / "requests.npz",
        tmp_path / "replies.npz",
        names,
        cwd=tmp_path,
    )
    replies = np.load(tmp_path / "replies.npz")
    generated = gan.generate(4, requests["labels"], seed=7)
    np.testing.assert_allclose(replies["generate/images"], generated, atol=1e-5)
    # The first endpoint under TensorFlow Serving's name for it, and Keras's.
    for alias in ("serving_default", "serve"):
        np.testing.assert_array_equal(replies[f"{alias}/images"], replies["generate/images"])
    np.testing.assert_array_equal(
        replies["latents/latents"], kgan.latents.from_seeds(requests["seeds"], 6)
    )
    np.testing.assert_allclose(
        replies["decode/images"], gan.decode(start, requests["labels"]), atol=1e-5
    )
    between = replies["interpolate/images"]
    np.testing.assert_allclose(between[0], gan.decode(start[:1], [0])[0], atol=1e-5)
    np.testing.assert_allclose(between[1], gan.decode(end[1:2], [1])[0], atol=1e-5)
    logits = gan.discriminator([requests["images"], requests["labels"]], training=False)
    np.testing.assert_allclose(replies["score/logits"], logits, atol=1e-5)
    np.testing.assert_allclose(
        replies["score/probabilities"], 1 / (1 + np.exp(-replies["score/logits"])), atol=1e-6
    )


def test_every_input_and_output_has_a_batch_dimension(exported):
    model = tf.saved_model.load(exported[0] / "1")
    assert set(model.signatures) == {
        *("serving_default", "serve", "generate", "latents", "decode", "interpolate", "project"),
        *("score", "class_names"),
    }
    for signature in model.signatures.values():
        for spec in signature.structured_input_signature[1].values():
            assert spec.shape.rank >= 1
            assert spec.shape[0] is None
        for spec in signature.structured_outputs.values():
            assert spec.shape[0] is None


def test_a_reply_does_not_depend_on_its_batch(make_gan, tmp_path):
    gan = make_gan(discriminator={"minibatch_stddev": True})
    model = tf.saved_model.load(kgan.export.export(gan, tmp_path / "toy"))
    seeds = kgan.latents.example_seeds(0, 9)
    together = model.signatures["generate"](seeds=seeds)["images"]
    alone = model.signatures["generate"](seeds=seeds[4:5])["images"]
    np.testing.assert_allclose(together[4:5], alone, atol=1e-6)
    scores = model.signatures["score"](images=together)["logits"]
    np.testing.assert_allclose(
        scores[4:5], model.signatures["score"](images=together[4:5])["logits"], atol=1e-6
    )


def test_versions_count_up_and_foreign_names_are_left_alone(make_gan, tmp_path):
    (tmp_path / "toy" / "latest").mkdir(parents=True)
    (tmp_path / "toy" / "7").mkdir()
    gan = make_gan(packing=2)
    folder = kgan.export.export(gan, tmp_path / "toy")
    assert folder.name == "8"
    assert list(kgan.export.versions.folders(tmp_path / "toy")) == [7, 8]
    assert not any(path.name.startswith(".tmp") for path in (tmp_path / "toy").iterdir())
    details = kgan.export.manifest.read(folder)
    assert details["latent_dim"] == 6
    assert details["sample_shape"] == [8, 8, 1]
    # A discriminator of packs cannot score one image.
    assert "score" not in tf.saved_model.load(folder).signatures


def double(**changes):
    """Endpoints of no model: a number doubled."""

    def times_two(request):
        return {"y": 2.0 * request["x"]}

    inputs = {"x": tf.TensorSpec([None], tf.float32)}
    asked = Endpoints("double", None, {"double": Endpoint(times_two, inputs, "double")}, ())
    return dataclasses.replace(asked, **changes)


def test_any_endpoints_are_written(tmp_path):
    """Outputs have the names that a table's columns have; the first one is the default."""
    names = ("size (cm)", "2020", "_id", "Größe")

    def columns(request):
        return {name: tf.strings.join(["row ", request["x"]]) for name in names}

    text = {"x": tf.TensorSpec([None], tf.string)}
    asked = double(
        endpoints={
            "columns": Endpoint(columns, text, "generate"),
            "double": double().endpoints["double"],
        }
    )
    folder = kgan.export.write(asked, tmp_path / "toy", origin={"data": "none"})
    model = tf.saved_model.load(folder)
    assert set(model.signatures) == {"columns", "double", "serve", "serving_default"}
    for alias in ("serve", "serving_default", "columns"):
        reply = model.signatures[alias](x=tf.constant(["ü"]))
        assert {name: value.numpy().tolist() for name, value in reply.items()} == {
            name: ["row ü".encode()] for name in names
        }
    manifest = kgan.export.manifest.read(folder)
    assert (manifest.family, manifest.kind, manifest["data"]) == ("double", None, "none")
    assert manifest.roles == {"columns": "generate", "double": "double"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"endpoints": {}}, "endpoints must not be empty"),
        (
            {"endpoints": {"serve": double().endpoints["double"]}},
            "other than serve, serving_default, got 'serve'",
        ),
        (
            {"endpoints": {"d": Endpoint(lambda r: r, {"a b": tf.TensorSpec([None])}, "d")}},
            "inputs of the endpoint 'd' must have names of letters, digits and underscores",
        ),
        (
            {"endpoints": {"d": Endpoint(lambda r: r, {"x": tf.TensorSpec([3])}, "d")}},
            r"the input 'x' of the endpoint 'd' must have a free first dimension",
        ),
        (
            {
                "endpoints": {
                    "d": Endpoint(
                        lambda r: {"sum": tf.reduce_sum(r["x"])}, {"x": tf.TensorSpec([None])}, "d"
                    )
                }
            },
            r"the output 'sum' of the endpoint 'd' must have a free first dimension",
        ),
        ({"details": {"num_classes": 3}}, "class_names must be 3, one a class, got 2"),
    ],
)
def test_endpoints_that_no_server_could_answer(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        kgan.export.write(double(**changes), tmp_path / "toy", class_names=("a", "b"))
    assert not (tmp_path / "toy").exists()


def test_a_model_without_endpoints_is_told_what_to_call(tmp_path):
    with pytest.raises(TypeError, match=r"must have endpoints\(\).*export_classifier"):
        kgan.export.export(small_cnn((8, 8, 1), 10, width=4), tmp_path / "toy")


@pytest.mark.parametrize("label", [-1, 3, 2**32 + 1])
def test_a_label_that_is_no_class_is_refused(exported, label):
    folder, _ = exported
    signature = tf.saved_model.load(folder / "1").signatures["serving_default"]
    labels = tf.constant([0, label], tf.int64)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"labels must be in \[0, 2\]"):
        signature(seeds=tf.constant([1, 2], tf.int64), labels=labels)


def test_sizes_that_are_free_are_warmed_up_with_the_kinds(tmp_path):
    pytest.importorskip("tensorflow_serving", reason="the extra `serve` is not installed")
    from tensorflow_serving.apis import prediction_log_pb2

    free = {"images": tf.TensorSpec([None, None, None, 3], tf.float32)}
    endpoints = {"copy": Endpoint(lambda request: dict(request), free, "translate")}
    for kind, shapes in ((Images(4, 6, 3), [[1, 4, 6, 3], [8, 4, 6, 3]]), (None, [])):
        asked = double(kind=kind, endpoints=endpoints)
        folder = kgan.export.write(asked, tmp_path / "toy")
        found = []
        path = str(folder / kgan.export.warmup.WARMUP)
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            if request.model_spec.signature_name == "copy":
                found.append(list(tf.make_ndarray(request.inputs["images"]).shape))
        assert found == shapes


def test_a_failed_export_leaves_nothing(make_gan, tmp_path, monkeypatch):
    gan = make_gan()

    def full(*arguments, **options):
        raise OSError("No space left on device")

    monkeypatch.setattr(kgan.export.warmup, "write", full)
    with pytest.raises(OSError, match="No space left"):
        kgan.export.export(gan, tmp_path / "toy")
    assert list((tmp_path / "toy").iterdir()) == []


ORIGIN = {"preset": "digits", "data": "digits", "scores": {"fid": 1.5}, "config": {"seed": 3}}


@pytest.fixture(scope="module")
def cats_and_dogs(tmp_path_factory):
    """The folder of a version with names and an origin. Not to be changed."""
    folder = tmp_path_factory.mktemp("animals") / "toy"
    gan = build_gan(num_classes=2)
    return kgan.export.export(gan, folder, class_names=("cat", "dog"), origin=ORIGIN)


def test_the_manifest_tells_where_the_model_comes_from(cats_and_dogs):
    folder, origin = cats_and_dogs, ORIGIN
    manifest = json.loads((folder / "assets.extra" / "manifest.json").read_text())
    assert (manifest["format"], manifest["family"]) == (3, "gan")
    assert manifest["kind"] == {"kind": "images", "height": 8, "width": 8, "channels": 1}
    assert manifest["endpoints"]["generate"] == {"role": "generate"}
    signatures = ("generate", "class_names", "serve", "serving_default")
    assert all(manifest["row_wise"][name] is True for name in signatures)
    assert {key: manifest[key] for key in origin} == origin
    assert manifest["class_names"] == ["cat", "dog"]
    assert manifest["kgan"] == kgan.__version__


def test_class_names_are_an_asset_of_the_graph(cats_and_dogs):
    folder = cats_and_dogs
    assert (folder / "assets" / "class_names.txt").read_text() == "cat\ndog\n"
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (asset,) = saved.meta_graphs[0].asset_file_def
    assert asset.filename == "class_names.txt"


def test_the_official_protos_read_the_warm_up_file(exported):
    pytest.importorskip("tensorflow_serving", reason="the extra `serve` is not installed")
    from tensorflow_serving.apis import prediction_log_pb2

    folder = exported[0] / "1"
    model = tf.saved_model.load(folder)
    records = tf.data.TFRecordDataset(str(folder / kgan.export.warmup.WARMUP)).as_numpy_iterator()
    seen = []
    for record in records:
        log = prediction_log_pb2.PredictionLog.FromString(record)
        # Nothing that the official message does not know.
        assert log.SerializeToString(deterministic=True)
        assert log.ByteSize() == len(record)
        request = log.predict_log.request
        assert request.model_spec.name == "toy"
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
        outputs = model.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        rows = {len(value) for value in (*inputs.values(), *outputs.values())}
        seen.append((name, *rows))
    assert sorted(seen) == sorted((name, rows) for name in model.signatures for rows in (1, 8))


def test_a_long_name_in_the_warm_up_file(tmp_path):
    """Lengths above 127 take two bytes."""
    pytest.importorskip("tensorflow_serving", reason="the extra `serve` is not installed")
    from tensorflow_serving.apis import prediction_log_pb2

    path = kgan.export.warmup.write(tmp_path, "m" * 300, [("s", {"x": np.arange(500.0)})])
    (record,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
    assert request.model_spec.name == "m" * 300
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["x"]), np.arange(500.0))


def test_a_full_disk_leaves_nothing_and_the_old_version(make_gan, tmp_path, run_python):
    """A limit on the size of a file stands for a disk that is full: writing fails half-way."""
    folder = tmp_path / "toy"
    kgan.export.export(make_gan(), folder)
    script = """
import resource, signal, sys
from tests.conftest import build_gan
import kgan.export
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
gan = build_gan()
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    kgan.export.export(gan, sys.argv[1])
except Exception as error:
    print("failed:", type(error).__name__)
"""
    said = run_python("-c", script, folder).stdout
    assert said.startswith("failed: ")
    assert [path.name for path in folder.iterdir()] == ["1"]


def test_an_unwritable_folder_is_named(make_gan, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        kgan.export.export(make_gan(), tmp_path / "file" / "toy")


@keras.saving.register_keras_serializable("kgan_tests")
class Centred(keras.layers.Layer):
    """Looks at the whole batch, as somebody's own layer may."""

    def call(self, inputs):
        return inputs - tf.reduce_mean(inputs, axis=0)


def _centred_operation(inputs):
    return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


def _with(layer, units, shape=(8, 8, 1)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(units)(layer(keras.layers.Flatten()(inputs))))


@pytest.mark.parametrize(
    "layer", [Centred(), _centred_operation, keras.layers.Lambda(_centred_operation)]
)
def test_layers_of_others_that_mix_samples_are_found(tmp_path, layer):
    with pytest.warns(UserWarning, match="'classify' answers a sample otherwise"):
        version = kgan.export.export_classifier(_with(layer, 3), tmp_path)
    assert manifest.read(version).row_wise == dict.fromkeys(("classify", *ALIASES), False)


def test_layers_of_others_that_keep_samples_apart_are_taken_at_their_word(tmp_path):
    version = kgan.export.export_classifier(_with(lambda x: keras.ops.sin(x) * 2, 3), tmp_path)
    assert manifest.read(version).row_wise == dict.fromkeys(("classify", *ALIASES), True)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: tf.argsort(x[:, 0], direction="DESCENDING"),
        lambda x: tf.cast(x[:, 0] >= tf.reduce_max(x[:, 0]), tf.int64),
        lambda x: tf.reduce_max(x),
        lambda x: tf.reduce_max(x, axis=0, keepdims=True),
    ],
)
def test_whole_numbers_and_answers_without_rows_are_compared_too(answer):
    endpoint = Endpoint(
        lambda request: {"out": answer(request["x"])}, takes(x=((2,), tf.float32)), "score"
    )
    assert not apart.keeps_rows_apart(endpoint, {"x": (4, 2)})
    plain = Endpoint(lambda request: {"out": tf.argmax(request["x"], 1)}, endpoint.inputs, "score")
    assert apart.keeps_rows_apart(plain, {"x": (4, 2)})


def test_a_generator_that_mixes_samples_is_found_by_its_seeds(tmp_path):
    latents, labels = keras.Input((4,)), keras.Input((), dtype="int32")
    images = keras.layers.Reshape((2, 2, 1))(keras.layers.Dense(4)(Centred()(latents)))
    images = images + keras.layers.Embedding(2, 1)(labels)[:, None, None]
    judged = [keras.Input((2, 2, 1)), keras.Input((), dtype="int32")]
    discriminator = keras.Model(judged, _with(lambda x: x, 1, (2, 2, 1))(judged[0]))
    gan = kgan.models.GAN(keras.Model([latents, labels], images), discriminator, num_classes=2)
    with pytest.warns(UserWarning, match="answers a sample otherwise"):
        version = kgan.export.export(gan, tmp_path)
    row_wise = manifest.read(version).row_wise
    mixing = {"generate", "decode", "interpolate", "project", *ALIASES}
    assert {name for name, apart in row_wise.items() if not apart} == mixing
