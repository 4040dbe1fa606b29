"""Whose fault an error is: what kgan says on purpose is the caller's, all else the program's."""

import errno
from pathlib import Path

import numpy as np
import pytest

import kgan.names
import kgan.random
from kgan.runs import faults
from kgan.settings import GANSettings


def caught(function):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def wrapped():
    try:
        {}["a"]
    except KeyError as error:
        raise RuntimeError("inner") from error


def full_disk():
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("function", "mistake"),
    [
        (lambda: kgan.names.look_up("loss", "x", {"hinge": 1}), True),
        (lambda: kgan.random.check_seed(-1), True),
        (lambda: GANSettings(epochs=0), True),
        (lambda: Path("/nowhere/at/all").read_text(), True),
        # A library's, on the way.
        (lambda: np.zeros(3).reshape(2), False),
        (lambda: int("x"), False),
        (lambda: np.concatenate([]), False),
        (lambda: {}["a"], False),
        (lambda: None.shape, False),
        (wrapped, False),
        (full_disk, False),
        # On purpose, but not by kgan.
        (lambda: pytest.fail("x"), False),
    ],
)
def test_whose_fault_it_is(function, mistake):
    assert faults.is_mistake(caught(function)) is mistake


def test_the_traceback_is_kept_once_and_named(tmp_path):
    error = caught(wrapped)
    path = faults.keep(error, tmp_path)
    text = path.read_text()
    assert "KeyError: 'a'" in text
    assert "RuntimeError: inner" in text
    assert "in wrapped" in text
    assert faults.keep(error) == path


def test_a_folder_that_cannot_be_written_does_not_hide_the_error(tmp_path):
    path = faults.keep(caught(wrapped), tmp_path / "not there")
    assert "RuntimeError: inner" in path.read_text()
    path.unlink()
