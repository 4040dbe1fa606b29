"""The real data of folders and files: their own splits, and one scale for all of it."""

import numpy as np
import pytest
from PIL import Image

from kgan.evaluation import real_data


@pytest.fixture
def folder(tmp_path):
    for place, count, value in (("train", 6, 4000), ("test", 3, 1000)):
        for number in range(count):
            path = tmp_path / place / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((8, 8), value * (number > 0), np.uint16)).save(path)
    return tmp_path


def test_held_out_images_of_a_folder_are_its_test_split(folder):
    found = real_data(str(folder), value_range="auto")
    assert (len(found.train), len(found.held_out), found.floor) == (6, 3, None)
    # Both by the range of the training images.
    assert found.train.kind.value_range == found.held_out.kind.value_range == (0, 4000)
    assert found.held_out.as_float().max() == 0.25


def test_of_one_split_halves_are_held_out(folder):
    found = real_data(str(folder / "train"), value_range=(0, 4095), image_size=(8, 8))
    assert [len(one) for one in (found.train, found.held_out, found.floor)] == [6, 3, 3]
    assert found.held_out.as_float().max() == np.float32(4000 / 4095)


def test_files_have_splits_too(tmp_path):
    images = np.zeros((9, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=images, x_test=images[:4])
    found = real_data(str(tmp_path / "a.npz"))
    assert (len(found.train), len(found.held_out), found.floor) == (9, 4, None)
