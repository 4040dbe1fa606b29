"""A disk that is full in the middle of a file: no half of one, and the resumed run is the same."""

import shutil

import pytest

import kgan.callbacks
import kgan.export.saved_model
from tests.faults.conftest import TINY, full_disk, train
from tests.same_run import assert_same_run, assert_whole

# Where the disk is full, and how many bytes of the file it still takes.
FAULTS = {
    "a picture": (kgan.callbacks.SampleGrid, "on_epoch_end", 400),
    "the table": (kgan.callbacks.HistoryTable, "on_epoch_end", 60),
    "a checkpoint": (kgan.callbacks.Checkpoint, "on_epoch_end", 20_000),
    "the animation": (kgan.callbacks.SampleGrid, "on_train_end", 400),
    "the export": (kgan.export.saved_model, "write", 20_000),
}
SLOW = [
    name if name == "the table" else pytest.param(name, marks=pytest.mark.slow) for name in FAULTS
]


@pytest.mark.parametrize("where", SLOW)
def test_nothing_is_half_written_and_the_resumed_run_is_the_same(
    where, whole, tmp_path, monkeypatch, capsys
):
    owner, name, size = FAULTS[where]
    write = getattr(owner, name)

    def fails(*arguments, **options):
        # The first epoch was well.
        if name == "on_epoch_end" and arguments[1] == 0:
            return write(*arguments, **options)
        with full_disk(size):
            return write(*arguments, **options)

    places = ["--runs-dir", tmp_path / "runs", "--export-dir", tmp_path / "saved_models"]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fails)
        assert train(*TINY, *places, "--name", "run") == 3
    run = tmp_path / "runs" / "run"
    said = capsys.readouterr().err
    assert "File too large" in said or "fault of the program" in said
    assert "Traceback" in (run / "error.txt").read_text()
    assert_whole(tmp_path)
    assert not list(tmp_path.glob("saved_models/*/*"))
    assert train(*TINY, *places, "--name", "run", "--resume") == 0
    assert_same_run(whole, run)
    assert [path.name for path in (tmp_path / "saved_models" / "run").iterdir()] == ["1"]


def test_a_run_that_another_process_trains_is_refused(whole, tmp_path, capsys):
    from kgan.files import locked

    run = tmp_path / "runs" / "run"
    shutil.copytree(whole, run)
    with locked(run):
        code = train("--resume", "--name", "run", "--epochs", 4, "--runs-dir", tmp_path / "runs")
    assert code == 2
    assert "is being trained by another process: wait for its end" in capsys.readouterr().err
    assert_same_run(whole, run)
