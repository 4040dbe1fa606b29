"""A command in this process: starting TensorFlow takes longer than most of them."""

import subprocess

import pytest

import kgan.cli


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """A command in this process and in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, check=True):
        capfd.readouterr()
        try:
            code = kgan.cli.main([*map(str, arguments)])
        except SystemExit as end:
            code = end.code
        said = subprocess.CompletedProcess(arguments, code, *capfd.readouterr())
        assert code == 0 or not check, said
        return said

    return run
