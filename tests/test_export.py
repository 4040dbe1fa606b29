"""The exported model, loaded by TensorFlow alone."""

import json

import numpy as np
import pytest
import tensorflow as tf

import kgan.export
import kgan.latents


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


def test_signatures_without_kgan(make_gan, tmp_path, run_python, load_without_kgan):
    gan = make_gan(num_classes=3)
    folder = kgan.export.export(gan, tmp_path / "toy", class_names=("a", "b", "c"))
    assert folder == tmp_path / "toy" / "1"
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
    names = "serving_default,generate,decode,interpolate,score"
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
    np.testing.assert_array_equal(replies["serving_default/images"], replies["generate/images"])
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


def test_every_input_and_output_has_a_batch_dimension(make_gan, tmp_path):
    folder = kgan.export.export(make_gan(), tmp_path / "toy")
    model = tf.saved_model.load(folder)
    for name in ("serving_default", "generate", "decode", "interpolate", "score"):
        signature = model.signatures[name]
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
    assert kgan.export.versions(tmp_path / "toy") == [7, 8]
    assert not any(path.name.startswith(".tmp") for path in (tmp_path / "toy").iterdir())
    details = json.loads((folder / kgan.export.DETAILS).read_text())
    assert details["latent_dim"] == 6
    assert details["sample_shape"] == [8, 8, 1]
    # A discriminator of packs cannot score one image.
    assert "score" not in tf.saved_model.load(folder).signatures


def test_a_failed_export_leaves_nothing(make_gan, tmp_path, monkeypatch):
    gan = make_gan()

    def full(*arguments, **options):
        raise OSError("No space left on device")

    monkeypatch.setattr(kgan.export.json, "dumps", full)
    with pytest.raises(OSError, match="No space left"):
        kgan.export.export(gan, tmp_path / "toy")
    assert list((tmp_path / "toy").iterdir()) == []
