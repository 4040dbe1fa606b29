"""A trained classifier in its folder."""

import subprocess
import sys

import keras

from kgan.runs.classifying import save

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
