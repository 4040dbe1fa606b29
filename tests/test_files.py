"""A reader sees the old file or the new one."""

import pytest

from kgan.files import atomic_path


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.suffix == ".txt"
    assert target.read_text() == "half"
    assert list(target.parent.iterdir()) == [target]


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
