"""Where results cannot be written, a command says so before it works for them."""

from pathlib import Path

import pytest

import kgan.cli.attack
import kgan.cli.evaluate
import kgan.cli.export
import kgan.cli.sample
from kgan.cli import main
from kgan.kinds import Images, Points


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "old").mkdir()

    def never(*arguments, **options):
        raise AssertionError("the work was begun")

    monkeypatch.setattr(kgan.cli.sample, "open_source", never)
    monkeypatch.setattr(kgan.cli.evaluate, "opened", never)
    monkeypatch.setattr(kgan.cli.attack, "attacked_data", never)
    monkeypatch.setattr(kgan.cli.export, "_load", never)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sample", "x", "--out", "file/x.png"], "out must be a folder, and"),
        (["sample", "x", "--out", "folder.png"], "out must be a file, and folder.png is a folder"),
        (["sample", "x", "--out", "old"], "old exists; choose another --out"),
        (["evaluate", "old", "--out", "file"], "out must be a folder, and"),
        (["evaluate", "old", "--runs-dir", "file"], "runs_dir must be a folder, and"),
        (["attack", "--model", "x", "--runs-dir", "file"], "runs_dir must be a folder, and"),
        (["attack", "--model", "x", "--junit", "folder.png"], "junit must be a file, and"),
        (["export", "x.keras", "--out", "file"], "out must be a folder, and"),
    ],
    ids=lambda value: None,
)
def test_a_place_that_cannot_be_written_is_told_first(command, said, capsys):
    assert main(command) == 2
    assert said in capsys.readouterr().err


def test_a_suffix_that_samples_do_not_have_is_told():
    images = Images(8, 8, 3)
    for name in ("new", "new.d", "a.png", "a.npz", "deep/er/a.png"):
        kgan.cli.sample.check_out(Path(name), images)
    with pytest.raises(ValueError, match=r"end in .png or .npz, or be a folder for images"):
        kgan.cli.sample.check_out(Path("a.jpg"), images)
    with pytest.raises(ValueError, match=r"end in .png or .npz for points, got new"):
        kgan.cli.sample.check_out(Path("new"), Points(2))
