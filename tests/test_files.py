"""A reader sees the old file or the new one."""

import os
import subprocess
import sys

import pytest

from kgan import files
from kgan.files import atomic_path


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.suffix == ".txt"
    assert target.read_text() == "half"
    assert list(target.parent.iterdir()) == [target]


def test_the_name_is_on_disk_too(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    # The content before it has the name, then the folder that holds the name.
    assert synced == [(tmp_path / "a.txt").stat().st_ino, tmp_path.stat().st_ino]


def test_an_error_keeps_the_old_file_and_leaves_nothing(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_appears_whole_and_goes_whole(tmp_path):
    with atomic_path(tmp_path / "1") as temporary:
        temporary.mkdir()
        (temporary / "x").write_text("x")
    assert (tmp_path / "1" / "x").read_text() == "x"

    def fail():
        with atomic_path(tmp_path / "2") as temporary:
            temporary.mkdir()
            (temporary / "x").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_only_what_nobody_writes_any_more_is_removed(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    dead, alive = process.stdout.strip(), os.getppid()
    with files.temporary_path(tmp_path, "ours") as ours:
        ours.touch()
        host = ours.name.split("-")[1]
        for name in (f"{host}-{dead}-x", f"{host}-{alive}-x", "00000000-1-x", "other"):
            (tmp_path / f".tmp-{name}").mkdir()
        (tmp_path / "kept").touch()
        files.remove_left_behind(tmp_path)
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {
            ours.name,
            *(f".tmp-{name}" for name in (f"{host}-{alive}-x", "00000000-1-x", "other")),
            "kept",
        }
        files.remove_left_behind(tmp_path, all_of_them=True)
        assert {path.name for path in tmp_path.iterdir()} == {ours.name, "kept"}
    assert not ours.exists()


def test_a_folder_is_locked_once(tmp_path):
    with files.locked(tmp_path), pytest.raises(BlockingIOError), files.locked(tmp_path):
        raise AssertionError("locked twice")
    with files.locked(tmp_path):
        pass
