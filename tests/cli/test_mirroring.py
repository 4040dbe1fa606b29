"""A preset mirrors the images that it was made for; others only where the user says so."""

import pytest

import kgan.cli.command_line as command_line
from kgan.cli import COMMANDS


@pytest.mark.parametrize(
    ("command", "words", "flip", "said"),
    [
        ("train", ["biggan"], True, ""),
        ("train", ["cifar10"], True, ""),
        ("train", ["cifar10", "--data", "cifar10"], True, ""),
        ("train", ["biggan", "--no-flip"], False, ""),
        ("train", ["biggan", "--data", "mnist"], False, "flip is off: biggan mirrors cifar10"),
        ("train", ["biggan", "--data=digits"], False, "flip is off: biggan mirrors cifar10"),
        ("train", ["biggan", "--data", "mnist", "--flip"], True, ""),
        ("train", ["biggan", "--data", "mnist", "--no-flip"], False, ""),
        ("train", ["mnist", "--data", "digits"], False, ""),
        # Not of data, but of a kind of data: the user chose photographs by name.
        ("train", ["cyclegan-photos", "--a", "a", "--b", "b"], True, ""),
        ("train", ["pix2pix-photos", "--data", "photos"], True, ""),
        ("harden", ["cifar10"], True, ""),
        ("harden", ["cifar10", "--data", "digits"], False, "flip is off: cifar10 mirrors cifar10"),
        ("train-classifier", ["cifar10", "--data", "digits"], False, "--flip mirrors them"),
    ],
)
def test_other_data_are_mirrored_where_that_is_said(command, words, flip, said, capsys):
    request = command_line.read(command, COMMANDS[command], words)
    assert request.settings.flip is flip
    printed = capsys.readouterr().out
    assert said in printed
    assert bool(said) == bool(printed)
