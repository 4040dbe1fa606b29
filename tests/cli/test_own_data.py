"""Data of a user's own, from the folder to the client: classes by name, ranges, channels."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan.data
import kgan.export
from kgan.cli import main
from kgan.client import Client
from kgan.runs.run import Run
from kgan.runs.source import open_source
from kgan.serving.repository import Model, Repository
from tests.serving import in_thread

TINY = [
    "--generator-width",
    "2",
    "--discriminator-width",
    "2",
    "--latent-dim",
    "2",
    "--epochs",
    "1",
]
TINY += ["--steps-per-epoch", "1", "--image-size", "8", "--no-doctor"]


def picture(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 20 cats and 12 dogs, translucent, kept as RGBA; exported. Not to be changed."""
    here = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    for index in range(32):
        pixels = random.integers(0, 256, (8, 8, 4), dtype=np.uint8)
        picture(here / "pets" / ("cats" if index < 20 else "dogs") / f"{index}.png", pixels)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        assert main(["train", "--data", "pets", "--channels", "rgba", *TINY]) == 0
    return here


def test_what_was_declared_is_kept_and_said(trained):
    run = Run.open(trained / "runs" / "pets")
    assert run.values["channels"] == "rgba"
    # The set is smaller than the usual batch.
    assert run.values["batch_size"] == 32
    assert run.data["class_names"] == ["cats", "dogs"]
    manifest = kgan.export.manifest.read(trained / "saved_models" / "pets" / "1")
    assert manifest.kind == {
        "kind": "images", "height": 8, "width": 8, "channels": 4, "shown": [0, 1, 2, 3]
    }  # fmt: skip
    assert manifest.class_names == ("cats", "dogs")
    with Image.open(trained / "runs" / "pets" / "samples" / "epoch-0001.png") as grid:
        assert grid.mode == "RGB"


def test_a_run_goes_on_with_data_that_were_moved(trained, tmp_path, monkeypatch, capsys):
    for folder in ("runs", "pets"):
        shutil.copytree(trained / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    resume = ["train", "--resume", "--name", "pets", "--epochs", "2", "--no-export"]
    shutil.move("pets", "beasts")
    assert main(resume) == 2
    said = capsys.readouterr().err
    assert "begun with data 'pets', and nothing is there now" in said
    assert "--resume --name pets --data NEW" in said
    # A misspelt place is told as for a new run.
    assert main([*resume, "--data", "./beast"]) == 2
    assert "Did you mean 'beasts'" in capsys.readouterr().err
    shutil.copytree("beasts", "renamed")
    shutil.move("renamed/dogs", "renamed/hounds")
    assert main([*resume, "--data", "renamed"]) == 2
    assert "their classes have other names" in capsys.readouterr().err
    assert Run.open("runs/pets").values["data"] == "pets"
    assert main([*resume, "--data", "beasts"]) == 0
    said = capsys.readouterr().out
    assert "data: the same data, beasts in place of pets" in said
    assert "resuming at step 1" in said
    # What needs the data of a run finds them from now on.
    run = Run.open("runs/pets")
    assert run.values["data"] == "beasts"
    assert len(open_source(run.folder).recipe.data()) == 32


@pytest.mark.parametrize("source", ["runs/pets", "saved_models/pets"])
def test_classes_are_sampled_by_name(trained, source, tmp_path, capsys):
    source, out = str(trained / source), tmp_path / "out"
    assert main(["sample", source, "--n", "3", "--labels", "dogs", "--out", str(out)]) == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        f"dogs/0000{index}.png" for index in range(3)
    ]
    with Image.open(out / "dogs" / "00000.png") as image:
        assert image.mode == "RGBA"
    by_number = tmp_path / "one.npz"
    assert main(["sample", source, "--n", "3", "--labels", "1", "--out", str(by_number)]) == 0
    with np.load(by_number) as content:
        assert content["class_names"].tolist() == ["cats", "dogs"]
        first = np.round(content["images"][0] * 255)
    with Image.open(out / "dogs" / "00000.png") as image:
        np.testing.assert_array_equal(np.asarray(image), first)
    assert main(["sample", source, "--labels", "dog"]) == 2
    said = capsys.readouterr().err
    assert "labels must be classes of cats, dogs, got 'dog'. Did you mean 'dogs'?" in said


def test_a_run_is_exported_with_its_classes(trained, tmp_path):
    assert main(["export", str(trained / "runs" / "pets"), "--out", str(tmp_path)]) == 0
    version = tmp_path / "pets" / "1"
    assert kgan.export.manifest.read(version).class_names == ("cats", "dogs")
    tell = tf.saved_model.load(str(version)).signatures["class_names"]
    found = tell(labels=tf.constant([1, 0, 2, -1], tf.int64))["names"].numpy()
    assert found.tolist() == [b"dogs", b"cats", b"", b""]


def test_the_client_takes_names(trained):
    repository = Repository([Model("pets", trained / "saved_models" / "pets")])
    repository.poll()
    with in_thread.running(repository) as (port, grpc_port):
        for address in f"http://127.0.0.1:{port}", f"grpc://127.0.0.1:{grpc_port}":
            client = Client(address, "pets")
            assert client.class_names() == ["cats", "dogs"]
            named = client.generate(seeds=[1, 2, 3], labels=["cats", "dogs", "1"])
            numbered = client.generate(seeds=[1, 2, 3], labels=[0, 1, 1])
            drawn = [client.generate(labels=["cats", "dogs", "cats"]) for _ in range(2)]
            np.testing.assert_array_equal(named, numbered)
            # Without seeds there are new ones each time.
            assert drawn[0].shape == drawn[1].shape == named.shape
            assert np.abs(drawn[0] - drawn[1]).max() > 0
            with pytest.raises(ValueError, match="got 'bird'"):
                client.generate(seeds=[1], labels=["bird"])
            with pytest.raises(ValueError, match="labels must be whole numbers or names"):
                client.generate(seeds=[1], labels=[0.5])


@pytest.mark.slow
def test_a_range_of_the_whole_set_is_said_and_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    scans = random.integers(-1000, 1001, (12, 8, 8, 5)).astype(np.int16)
    scans[0, 0, 0, 0], scans[1, 0, 0, 0] = -1000, 1000
    np.save("ct.npy", scans)
    arguments = ["train", "--data", "ct.npy", *TINY, "--shown-channels", "4"]
    assert main(arguments) == 2
    assert "--value-range" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    assert main([*arguments, "--value-range", "auto"]) == 0
    said = capsys.readouterr().out
    assert "12 images of 8x8x5" in said
    assert "values from -1,000 to 1,000, the smallest and the largest of the whole set" in said
    assert "batches of 12" in said
    assert "12 images are few" in said
    assert Run.open("runs/ct").data["value_range"] == [-1000, 1000]
    manifest = kgan.export.manifest.read("saved_models/ct/1")
    assert manifest.kind["value_range"] == [-1000.0, 1000.0]
    assert manifest.kind["shown"] == [4]
    with Image.open("runs/ct/samples/epoch-0001.png") as grid:
        assert grid.mode == "L"
    assert main(["train", "--resume", "--name", "ct", "--epochs", "2"]) == 0
    assert main(["sample", "runs/ct", "--n", "2", "--out", "fakes"]) == 0
    assert kgan.data.load("fakes", image_size=8).sample_shape == (8, 8, 5)
    # Declared as they lie, below zero.
    other = ["--value-range", "-1000", "1000", "--name", "other", "--no-export"]
    assert main([*arguments, *other]) == 0
    assert Run.open("runs/other").values["value_range"] == [-1000.0, 1000.0]


def test_a_batch_that_is_asked_for_is_never_made_smaller(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("few.npy", np.zeros((12, 8, 8), np.uint8))
    assert main(["train", "--data", "few.npy", *TINY, "--batch-size", "64"]) == 2
    assert "batch_size must be between 1 and the 12 samples" in capsys.readouterr().err


def test_scores_without_an_extractor_say_what_is_missing(trained, tmp_path, capsys):
    source = str(trained / "runs" / "pets")
    out = ["--out", str(tmp_path / "scores"), "--seeds", "1", "--data", str(trained / "pets")]
    assert main(["evaluate", source, *out, "--channels", "rgba", "--n", "8"]) == 0
    said = capsys.readouterr().err
    assert "no extractor is known for images of 8x8x4" in said
    assert "--extractor discriminator" in said
    # It takes grey and colour alone.
    assert "inception" not in said
    folder = str(trained / "pets")
    out = ["--out", str(tmp_path / "others"), "--seeds", "1", "--image-size", "8"]
    assert main(["evaluate", folder, "--data", folder, *out]) == 0
    assert "images of 8x8x3, so scores of features" in (said := capsys.readouterr().err)
    assert "--extractor inception" in said
    assert "note: ndb is left out: it needs 100 real samples" in said


def test_what_is_served_of_many_folders(trained, tmp_path, monkeypatch, capsys):
    import kgan.cli.serve_models

    served = {}
    monkeypatch.setattr(
        kgan.cli.serve_models,
        "run_server",
        lambda repository, *_, **__: served.update(repository.models),
    )
    broken = tmp_path / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"no model")
    (tmp_path / "classifiers").mkdir()
    (tmp_path / "notes.txt").write_text("")
    paths = [tmp_path / "broken", tmp_path / "classifiers", tmp_path / "notes.txt"]
    paths = [str(path) for path in (*paths, trained / "saved_models" / "pets")]
    assert main(["serve", *paths]) == 0
    said = capsys.readouterr().err
    for path in paths[:3]:
        assert f"not served: {path}" in said
    assert served["pets"].ready
    assert main(["serve", *paths[1:3]]) == 2
    assert "have no numbered versions" in capsys.readouterr().err
    assert main(["serve", paths[0]]) == 2
    assert "no version of broken" in capsys.readouterr().err
