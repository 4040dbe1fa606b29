"""Folders that cannot be written to: one line, exit code 2, before any work, and nothing left."""

import pytest

import kgan.cli
from tests.faults.conftest import TINY, train


@pytest.mark.parametrize("what", ["runs_dir", "export_dir"])
def test_a_training_is_refused(read_only, what, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(*TINY, "--" + what.replace("_", "-"), read_only) == 2
    assert f"{what} must be a folder to write to, and {read_only} is not" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("sample", "x.png"),
        ("sample", "x.npz"),
        ("sample", "folder"),
        ("export", "models"),
        ("evaluate", ""),
    ],
)
def test_what_a_run_is_asked_for_is_refused(command, out, read_only, whole, monkeypatch, capsys):
    """Before a model is loaded, or a sample made."""
    monkeypatch.setattr("kgan.models.GAN.generate", None)
    assert kgan.cli.main([command, str(whole), "--out", str(read_only / out)]) == 2
    said = capsys.readouterr().err
    assert f"out must be a folder to write to, and {read_only} is not" in said
    assert "Traceback" not in said
