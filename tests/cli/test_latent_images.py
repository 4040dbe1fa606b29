"""Which images `kgan latents --show project` looks for, and which held-out ones stand beside."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import kgan.cli
import kgan.data
from kgan.cli.latent_images import given, held_out
from kgan.cli.latent_view import View
from kgan.runs.source import open_source
from kgan.settings.latents import LatentsSettings
from tests.conftest import build_gan


@pytest.fixture(scope="module")
def gans(tmp_path_factory):
    """A GAN of ten classes, and one without classes. Not to be changed."""
    folder = tmp_path_factory.mktemp("gans")
    for classes in (10, None):
        build_gan(num_classes=classes).save(folder / f"{classes}.keras")
    return folder


@pytest.fixture
def make_run(gans, tmp_path):
    """Makes an untrained run on the given data."""

    def made(data, *, classes=10, **reading):
        run = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        (run / "checkpoints").mkdir(parents=True)
        shutil.copy(gans / f"{classes}.keras", run / "checkpoints" / "last.keras")
        config = {"data": str(data), "conditional": classes is not None, **reading}
        (run / "config.json").write_text(json.dumps({"config": config}))
        return run

    return made


def view(run, **settings):
    return View(open_source(run), LatentsSettings(source=run, show="project", **settings))


def write(folder, count, side=8):
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(count).integers(0, 256, (count, side, side), dtype=np.uint8)
    for number, one in enumerate(pixels):
        Image.fromarray(one).save(folder / f"{number}.png")


def pixels_of(images):
    return [np.round(255 * one).astype(np.uint8).tobytes() for one in images]


def test_held_out_images_have_the_classes_of_those_that_they_stand_beside(make_run):
    seen = view(make_run("digits"), n=12)
    wanted = given(seen)
    found = held_out(seen, wanted)
    test = kgan.data.load("digits", "test")
    labels = dict(zip(pixels_of(test.as_float()), test.labels, strict=True))
    np.testing.assert_array_equal([labels[one] for one in pixels_of(found.images)], wanted.labels)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.columns, np.arange(12))
    assert found.known == "held-out images of digits"
    assert len(set(pixels_of(found.images))) == 12
    # A run on the test split has not seen the other one.
    seen = view(make_run("digits", split="test"), n=2)
    learnt = set(pixels_of(kgan.data.load("digits", "test").as_float()))
    assert learnt.isdisjoint(pixels_of(held_out(seen, given(seen)).images))


def test_a_class_with_few_held_out_images_leaves_columns_empty(make_run, tmp_path):
    data = tmp_path / "data"
    for place, count in (("train/3", 4), ("train/5", 5), ("test/5", 2)):
        write(data / place, count)
    run = make_run(data, image_size=[8])
    seen = view(run, n=5, labels=("5", "3"), images=data)
    wanted = given(seen)
    np.testing.assert_array_equal(wanted.labels, [5, 3, 5, 3, 5])
    found = held_out(seen, wanted)
    np.testing.assert_array_equal(found.columns, [0, 2])
    np.testing.assert_array_equal(found.labels, [5, 5])


def test_without_classes_there_are_as_many_as_there_are(make_run, tmp_path):
    write(tmp_path / "data" / "train", 9)
    write(tmp_path / "data" / "val", 3)
    seen = view(make_run(tmp_path / "data", classes=None, image_size=[8]), n=5)
    found = held_out(seen, given(seen))
    assert found.labels is None
    np.testing.assert_array_equal(found.columns, [0, 1, 2])


def test_what_has_no_held_out_images_is_told(make_run, gans, tmp_path, capsys):
    write(tmp_path / "flat", 9)
    for place in ("train/3", "train/5", "test/5"):
        write(tmp_path / "other" / place, 4)
    write(tmp_path / "colour" / "train", 9)
    (tmp_path / "colour" / "test").mkdir()
    for number in range(2):
        colour = np.full((8, 8, 3), (9, 200, 90 + number), np.uint8)
        Image.fromarray(colour).save(tmp_path / "colour" / "test" / f"{number}.png")
    flat, other, colour = (tmp_path / name for name in ("flat", "other", "colour"))
    size = {"image_size": [8]}
    for run, told, options in (
        (make_run(flat, classes=None, **size), f"{flat} has no split test or val.", {}),
        (make_run("digits", split="all"), "the run was trained on the split all of digits.", {}),
        (make_run(other, **size), "none of them has these classes.", {"labels": ("3",)}),
        (
            make_run(colour, classes=None, **size),
            "images must have the shape (8, 8, 1) that the model makes, got (8, 8, 3)",
            {"images": flat},
        ),
        (gans / "None.keras", "a .keras file does not tell its data", {"images": flat}),
    ):
        seen = view(run, n=2, **options)
        assert held_out(seen, given(seen)) is None
        said = capsys.readouterr().out
        assert f"no held-out images beside: {told}" in said
        assert said.count("\n") == 1


def test_three_errors_and_their_rows(make_run, tmp_path, capsys):
    out = tmp_path / "found.png"
    words = ["latents", make_run("digits"), "--show", "project", "--n", 2, "--steps", 1]
    assert kgan.cli.main([*map(str, words), "--restarts", "1", "--out", str(out)]) == 0
    search, *said, order, last = capsys.readouterr().out.splitlines()
    assert search == "a search of 100 steps from 1 start"
    assert [one.partition(": PSNR")[0] for one in said] == [
        "images of the training",
        "held-out images of digits",
        "the model's own samples",
    ]
    assert order.startswith("in that order, two rows each")
    assert last.startswith("6 rows of 2 images")
