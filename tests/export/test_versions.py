"""The numbered folders of a servable."""

import os
from pathlib import Path

from kgan.export import versions


def test_what_is_a_version(tmp_path):
    assert versions.folders(tmp_path / "missing") == {}
    assert versions.newest(tmp_path) is None
    assert versions.next_number(tmp_path) == 1
    # As TensorFlow Serving reads names; a digit that is none of 0 to 9 makes no number.
    for name in ("2", "10", "00000003", "³", "-1", "1.5", "tmp-4", "latest"):
        (tmp_path / name).mkdir()
    (tmp_path / "11").write_text("a file")
    names = {number: path.name for number, path in versions.folders(tmp_path).items()}
    assert names == {2: "2", 3: "00000003", 10: "10"}
    assert list(names) == [2, 3, 10]
    assert versions.newest(tmp_path) == tmp_path / "10"
    assert versions.next_number(tmp_path) == 11
    (tmp_path / "3").mkdir()
    assert versions.folders(tmp_path)[3].name == "3"


def test_a_number_that_was_taken_meanwhile(tmp_path, monkeypatch):
    """Another export ends between the look at the folder and the renaming."""
    (tmp_path / ".tmp-mine").mkdir()
    (tmp_path / ".tmp-mine" / "file").write_text("mine")
    look = versions.next_number

    def slow(servable):
        number = look(servable)
        if number == 1:
            (tmp_path / "1").mkdir()
            (tmp_path / "1" / "file").write_text("another's")
        return number

    monkeypatch.setattr(versions, "next_number", slow)
    assert versions.add(tmp_path, tmp_path / ".tmp-mine") == tmp_path / "2"
    assert (tmp_path / "1" / "file").read_text() == "another's"
    assert (tmp_path / "2" / "file").read_text() == "mine"


def test_a_version_is_on_disk_with_its_number(tmp_path, monkeypatch):
    """The folder of versions is written after the rename: a crash then finds the version."""
    (tmp_path / ".tmp-mine").mkdir()
    done = []
    rename, fsync = Path.rename, os.fsync
    monkeypatch.setattr(
        Path, "rename", lambda path, target: (done.append("rename"), rename(path, target))[1]
    )

    def record(handle):
        done.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    assert versions.add(tmp_path, tmp_path / ".tmp-mine") == tmp_path / "1"
    assert done == ["rename", str(tmp_path)]
