"""A trained classifier in its folder."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import kgan.data
from kgan.runs.classifying import fakes_of, save
from kgan.runs.source import Source
from kgan.settings import ClassifierSettings

KILLED = """
import os, signal, sys
from kgan.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_save_that_was_killed_left_goes_with_the_next(tmp_path):
    path = tmp_path / "digits.keras"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert [one.name[:5] for one in tmp_path.iterdir()] == [".tmp-"]
    save(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["fakes.npz", "run"])
def test_fakes_have_the_classes_that_are_called_so(tmp_path, monkeypatch, name):
    """The data and where the fakes are from number them each in an order of their own."""
    shades = np.array([3, 3, 7, 7], np.uint8)
    images = np.tile(shades[:, None, None, None], (1, 8, 8, 1))
    np.savez(
        tmp_path / "fakes.npz", images=images, labels=shades // 7, class_names=["three", "seven"]
    )

    def generate(n, labels, seed):
        return images[2 * labels] / np.float32(255)

    source = Source(None, 2, generate, ("three", "seven"))
    monkeypatch.setattr("kgan.runs.classifying.open_source", lambda path: source)
    labels = np.array([0, 1, 0, 1], np.int32)
    data = kgan.data.Dataset("data", images, labels, ("seven", "three"))
    make = fakes_of(ClassifierSettings(fakes=tmp_path / name))
    made = np.asarray(make(data)(4, labels, 0))
    assert np.rint(255 * made[:, 0, 0, 0]).tolist() == [7, 3, 7, 3]
    other = kgan.data.Dataset("data", images, labels, ("seven", "nine"))
    with pytest.raises(ValueError, match=r"'three'|others: three, seven"):
        make(other)
