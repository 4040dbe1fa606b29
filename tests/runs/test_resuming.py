"""From which checkpoint a run goes on; the files here say of which step they are, or "bad"."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

import kgan.models
from kgan.runs import resuming
from kgan.runs.run import Run
from kgan.settings import GANSettings


@pytest.fixture
def run(tmp_path, monkeypatch):
    def restore(model, path):
        if path.read_text() == "bad":
            raise OSError("not a zip file")
        model.step = tf.constant(int(path.read_text()))

    monkeypatch.setattr(kgan.models, "restore", restore)
    made = Run.new(tmp_path, "digits", GANSettings())
    made.checkpoints.mkdir()
    return made


@pytest.mark.parametrize(
    ("files", "step", "told"),
    [
        ({"last": "8", "previous": "4", "best": "2"}, 8, None),
        ({"last": "bad", "previous": "4", "best": "2"}, 4, "last.keras is damaged (not a zip"),
        ({"previous": "4"}, 4, "no last.keras; the run went on from previous.keras, of step 4"),
        ({"last": "bad", "previous": "bad", "best": "2"}, 2, "went on from best.keras, of step 2"),
        ({"best": "2"}, 2, "no last.keras; no previous.keras; the run went on from best.keras"),
        ({}, 0, "holds no checkpoint yet; the run began at step 0"),
    ],
)
def test_what_is_left_is_used_and_told(run, files, step, told):
    for name, content in files.items():
        (run.checkpoints / f"{name}.keras").write_text(content)
    model = SimpleNamespace(step=tf.constant(0))
    said = resuming.restore(model, run)
    assert int(model.step) == step
    assert told in said if told else said is None


def test_a_table_that_lost_its_rows_is_told(run):
    assert resuming.lost_rows(run, 3, 4) is None
    said = resuming.lost_rows(run, 9, 4)
    assert said.startswith(f"{run.table} has no row, though 2 epochs are done")
    run.table.write_text("")
    assert resuming.lost_rows(run, 9, 4) == said
    run.table.write_text("epoch,step\n1,4\n")
    assert resuming.lost_rows(run, 9, 4) is None


@pytest.mark.parametrize(("files", "rows"), [({"last": "bad"}, 1), ({}, 2)])
def test_nothing_is_begun_anew_where_there_was_something(run, files, rows):
    for name, content in files.items():
        (run.checkpoints / f"{name}.keras").write_text(content)
    run.table.write_text("epoch,step\n" + "".join(f"{n},{2 * n}\n" for n in range(1, rows + 1)))
    with pytest.raises(ValueError, match=r"nothing to resume from.*last\.keras"):
        resuming.restore(SimpleNamespace(step=tf.constant(0)), run)
