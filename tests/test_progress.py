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
