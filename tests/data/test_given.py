"""Images that a model is asked about."""

import numpy as np
import pytest
from PIL import Image

import kgan.data
from kgan.runs.made_of_samples import Inputs

READING = {"image_size": (8, 8), "channels": "grey"}


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "images" / "one.PNG"
    path.parent.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_one_picture_is_enough(picture):
    """By its own name or in a folder; to learn from, as before, two are needed."""
    expected = np.asarray(Image.open(picture))[None, :, :, None]
    for name in (picture, picture.parent):
        data = kgan.data.load_given(str(name), **READING)
        np.testing.assert_array_equal(data.samples, expected)
        np.testing.assert_array_equal(Inputs(data)(1, 0), expected / np.float32(255))
    with pytest.raises(ValueError, match="a data set needs at least 2"):
        kgan.data.load(str(picture.parent), **READING)


def test_some_of_many_may_be_one():
    data = kgan.data.load("digits")
    np.testing.assert_array_equal(Inputs(data, in_order=True)(1, 0), data.as_float()[:1])


def test_a_set_of_one_form_is_not_told_of_a_size_that_nobody_gave(tmp_path):
    assert kgan.data.load_given("digits", **READING).sample_shape == (8, 8, 1)
    table = tmp_path / "a.csv"
    table.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(ValueError, match=r"inputs must be images, got the table .*a\.csv"):
        kgan.data.load_given(str(table), what="inputs", **READING)
