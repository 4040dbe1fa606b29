import time

import kgan.progress
from kgan.progress import Progress


def test_where_there_is_no_terminal_a_line_comes_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(kgan.progress.time, "monotonic", lambda: now[0])
    with Progress() as progress:
        for second in range(25):
            now[0] = float(second)
            progress.update(second, 50, "work")
        progress.print("[a] line")
    assert capsys.readouterr().out.splitlines() == [" 22%  work", " 44%  work", "[a] line"]


def test_nothing_is_said_of_an_unknown_total_or_where_no_lines_are_wanted(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(kgan.progress.time, "monotonic", lambda: now[0])
    for progress in (Progress(), Progress(10, lines=False), Progress(stderr=True)):
        now[0] += 100
        progress.update(5, what="work")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_on_a_terminal_it_is_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with Progress(8, done=2, counts=True, stays=True) as progress:
        assert progress.is_live
        progress.update(6, what="training", note="9 samples/s")
    said = capsys.readouterr().out
    assert "training" in said
    assert "6/8" in said
    assert "9 samples/s" in said


def test_a_line_comes_while_the_work_says_nothing(capsys, monkeypatch):
    """The first update is long ago, and the work has not reported since."""
    monkeypatch.setattr(kgan.progress, "_TICK", 0.01)
    with Progress(400, done=100, counts=True, seconds=0.05) as progress:
        progress.update(what="training")
        time.sleep(0.5)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2
    assert set(lines) == {" 25%  training  100 of 400"}


def test_in_a_notebook_it_is_a_bar_where_that_can_be_drawn(monkeypatch):
    progress = Progress(8)
    progress.console.is_jupyter = True
    for there in (True, False):
        monkeypatch.setattr(
            kgan.progress.importlib.util, "find_spec", lambda name, there=there: there or None
        )
        assert progress.is_live == there
