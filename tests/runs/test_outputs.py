"""What could fail when a training ends is checked before it begins."""

import shutil
from collections import namedtuple

import keras
import pytest

import kgan.models
import kgan.networks
import kgan.precision
from kgan.export import manifest
from kgan.runs import outputs

Usage = namedtuple("Usage", "total used free")


def test_a_folder_is_there_or_can_be_made(tmp_path):
    outputs.check_folder("runs_dir", tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(
        NotADirectoryError, match=r"runs_dir must be a folder, and .*file is a file"
    ):
        outputs.check_folder("runs_dir", tmp_path / "file" / "runs")
    with pytest.raises(IsADirectoryError, match="classifiers_dir must be a file, and"):
        outputs.check_file("classifiers_dir", tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    def read_only(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(outputs.tempfile, "TemporaryFile", read_only)
    with pytest.raises(PermissionError, match=r"export_dir must be .* \(Read-only file system\)"):
        outputs.check_folder("export_dir", tmp_path)


@pytest.mark.parametrize(("family", "free"), [("gan", True), ("vae", False), (None, True)])
def test_a_name_is_free_or_its_own(family, free, tmp_path, monkeypatch):
    (tmp_path / "toy" / "1").mkdir(parents=True)
    monkeypatch.setattr(manifest, "read", lambda version: manifest.Manifest(family))
    if free:
        outputs.check_export(tmp_path / "toy", "gan")
        return
    with pytest.raises(FileExistsError, match="versions of another model, of the family vae"):
        outputs.check_export(tmp_path / "toy", "gan")


def test_the_disk_space_of_the_checkpoints_is_stated_and_checked(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(100)])
    monkeypatch.setattr(outputs, "checkpoint_bytes", lambda model: 12_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 36_000))
    assert outputs.check_space(model, tmp_path) == "checkpoints of 12 kB each; 36 kB free"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 35_999))
    with pytest.raises(OSError, match="has 36 kB free, and its checkpoints need 36 kB: make room"):
        outputs.check_space(model, tmp_path)


def classifier(*units, compiled=True):
    model = keras.Sequential([keras.Input((units[0],)), *map(keras.layers.Dense, units[1:])])
    if compiled:
        model.compile(keras.optimizers.AdamW(), "mse")
    return model


def gan(width, *, precision="float32"):
    with kgan.precision.under(precision):
        generator = kgan.networks.dcgan_generator((8, 8, 1), latent_dim=4, width=width)
        discriminator = kgan.networks.dcgan_discriminator((8, 8, 1), width=width)
    model = kgan.models.GAN(generator, discriminator)
    model.compile("adam")
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: classifier(16, 8),
        lambda: classifier(16, 8, compiled=False),
        lambda: classifier(*[8] * 40),
        lambda: classifier(1000, 2000, 1000),
        lambda: gan(2),
        lambda: gan(4, precision="float16"),
        lambda: gan(64),
    ],
    ids=["1 kB", "not compiled", "many layers", "48 MB", "gan", "float16", "gan of 1 MB"],
)
def test_a_checkpoint_is_as_large_as_said(make, tmp_path):
    model = make()
    said = outputs.checkpoint_bytes(model)
    if getattr(model, "optimizer", None) is not None:
        # As after the first step.
        model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "last.keras")
    assert said == pytest.approx((tmp_path / "last.keras").stat().st_size, rel=0.1)
