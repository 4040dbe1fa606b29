"""Callbacks in a real `fit`."""

import os
import signal
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan.models
from kgan import callbacks
from kgan.pictures import grid
from tests.conftest import build_growing_gan


@pytest.fixture
def train(make_gan, images):
    def run(callback_list, *, epochs=2, initial_epoch=0, gan=None, **options):
        gan = gan or make_gan(**options)
        classes = options.get("num_classes")
        data = images if classes is None else (images, np.arange(16) % classes)
        dataset = tf.data.Dataset.from_tensor_slices(data).batch(8)
        # So few steps that tracing one would take longer.
        gan.run_eagerly = True
        gan.fit(
            dataset,
            epochs=epochs,
            initial_epoch=initial_epoch,
            callbacks=callback_list,
            shuffle=False,
            verbose=0,
        )
        return gan

    return run


class Logs(keras.callbacks.Callback):
    """Puts values into the logs of each epoch."""

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: series[epoch] for name, series in self.values.items()})


def test_sample_grid_writes_a_row_a_class_and_an_animation(train, tmp_path):
    # Fast learning: a GIF drops frames that are equal.
    gan = train(
        [callbacks.SampleGrid(tmp_path)],
        num_classes=3,
        optimizer=lambda: keras.optimizers.Adam(0.1),
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["animation.gif", "epoch-0001.png", "epoch-0002.png"]
    with Image.open(tmp_path / "epoch-0002.png") as file:
        picture = np.asarray(file)
    assert picture.shape == (3 * 33 + 1, 10 * 33 + 1)
    # Same latents in every row: the picture is the decoder's on those.
    seeds = kgan.latents.example_seeds(0, 10)
    latents = np.tile(kgan.latents.from_seeds(seeds, 6), (3, 1))
    expected = grid(gan.decode(latents, np.repeat([0, 1, 2], 10)), 10)
    np.testing.assert_array_equal(picture, np.asarray(expected))
    with Image.open(tmp_path / "animation.gif") as file:
        assert file.n_frames == 2


def test_history_has_a_row_an_epoch_and_continues(train, tmp_path):
    table = tmp_path / "metrics.csv"

    def history():
        return callbacks.HistoryTable(table, samples_per_step=8)

    curves = {"losses": ("d_loss", "g_loss"), "probabilities": ("d_real", "d_fake")}
    gan = train([history(), callbacks.HistoryPlot(table, tmp_path, curves=curves)], epochs=3)
    rows = callbacks.read_history(table)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert {"d_loss", "g_loss", "d_real", "d_fake", "samples_per_second"} <= set(rows[0])
    for name in ("losses.png", "probabilities.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (700, 400)
    # Resumed after the second epoch: the third row is written anew.
    train([history()], gan=gan, initial_epoch=2, epochs=4)
    again = callbacks.read_history(table)
    assert [row["epoch"] for row in again] == [1, 2, 3, 4]
    assert again[:2] == rows[:2]
    assert again[2]["step"] == 8


def test_checkpoint_keeps_the_best_and_the_last(train, tmp_path):
    scores = Logs(distance=[2.0, 1.0, 3.0])
    train([scores, callbacks.Checkpoint(tmp_path, monitor="distance")], epochs=3)
    assert int(kgan.models.load(tmp_path / "best.keras").step.numpy()) == 4
    assert int(kgan.models.load(tmp_path / "last.keras").step.numpy()) == 6
    assert int(kgan.models.load(tmp_path / "previous.keras").step.numpy()) == 4
    assert len(list(tmp_path.iterdir())) == 3


def test_checkpoint_of_a_score_that_is_to_be_high(train, tmp_path):
    scores = Logs(recall=[0.2, 0.7, float("nan"), 0.5])
    table = tmp_path / "metrics.csv"
    best = callbacks.Checkpoint(tmp_path, monitor="recall", lower_is_better=False, table=table)
    train([scores, callbacks.HistoryTable(table, samples_per_step=8), best], epochs=4)
    assert int(kgan.models.load(tmp_path / "best.keras").step.numpy()) == 4


def test_an_epoch_that_was_broken_off_is_never_the_best(train, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    keep = callbacks.Checkpoint(tmp_path, monitor="distance")
    train([Logs(distance=[0.1]), Stop(), keep], epochs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["last.keras"]


def test_a_resumed_checkpoint_remembers_the_best(train, tmp_path):
    table = tmp_path / "metrics.csv"

    def both(scores):
        return [
            Logs(distance=scores),
            callbacks.HistoryTable(table, samples_per_step=8),
            callbacks.Checkpoint(tmp_path, monitor="distance", table=table),
        ]

    gan = train(both([1.0]), epochs=1)
    train(both([None, 2.0]), gan=gan, initial_epoch=1, epochs=2)
    assert int(kgan.models.load(tmp_path / "best.keras").step.numpy()) == 2
    assert int(kgan.models.load(tmp_path / "last.keras").step.numpy()) == 4


def test_non_finite_training_stops_and_keeps_the_last_good_state(train, tmp_path):
    guard = callbacks.NonFiniteGuard(every=1)
    keep = callbacks.Checkpoint(tmp_path, monitor="distance")
    gan = train([guard, keep], epochs=1)
    assert guard.found is None
    kernel = gan.discriminator.trainable_weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    train([guard, keep], gan=gan, initial_epoch=1, epochs=5)
    assert "=nan is not finite" in guard.message
    assert "learning rate" in guard.message
    assert int(gan.step.numpy()) == 3
    saved = kgan.models.load(tmp_path / "last.keras")
    assert int(saved.step.numpy()) == 2
    assert all(np.isfinite(weight.numpy()).all() for weight in saved.weights)


def test_a_signal_ends_training_after_the_step(train, capsys):
    class Press(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)

    stop = callbacks.StopOnSignal()
    before = signal.getsignal(signal.SIGINT)
    gan = train([stop, Press()], epochs=3)
    assert stop.stopped
    assert int(gan.step.numpy()) == 1
    assert signal.getsignal(signal.SIGINT) is before
    assert "stopping after this step" in capsys.readouterr().err


def test_distance_is_zero_for_the_data_itself(train, images):
    logs = {}
    monitor = callbacks.SampleDistance(images)
    gan = train([monitor], epochs=1)
    monitor.on_epoch_end(0, logs)
    assert logs["distance"] > 0.01
    gan.generate = lambda n, labels=None, seed=0: images[::-1]
    monitor.on_epoch_end(0, logs)
    assert logs["distance"] == pytest.approx(0, abs=1e-6)


def test_progress_prints_a_line_an_epoch(train, capsys):
    progress = callbacks.ProgressBar(epochs=2, first_step=0, steps=2, samples_per_step=8)
    train([progress])
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert "d_loss" in lines[0]


@pytest.mark.parametrize(
    ("grows", "start", "slow"), [(True, 0, [1, 2, 3, 4]), (True, 3, [4]), (False, 0, [])]
)
def test_progress_says_that_networks_that_grow_get_slower(make_gan, grows, start, slow):
    """The size is full from step 4 on, so from the fifth step on there is nothing to say.

    A resumed training starts inside an epoch, and its first batch is batch 0 again.
    """
    told = []
    progress = callbacks.ProgressBar(epochs=1, first_step=start, steps=9, samples_per_step=8)
    progress.set_model(build_growing_gan() if grows else make_gan())
    progress._display = types.SimpleNamespace(update=lambda done, note: told.append((done, note)))
    progress.on_epoch_begin(0)
    for batch in range(6):
        progress._last = 0.0
        progress.on_train_batch_end(batch)
    slower = [done for done, note in told if note.endswith("samples/s, fewer as the networks grow")]
    assert slower == slow
    assert [done for done, _ in told] == [start + one for one in range(1, 7)]


def test_a_table_that_lost_its_first_line_is_told(tmp_path):
    table = tmp_path / "metrics.csv"
    table.write_text("2,8\n")
    assert callbacks.read_history(table) == []
    table.write_text("1,4\n2,8\n")
    with pytest.raises(ValueError, match=r"metrics.csv, line 1: it must name the columns epoch"):
        callbacks.read_history(table)
    # As a spreadsheet writes it.
    table.write_text("epoch,step\r\n1,4\r\n", encoding="utf-8-sig")
    assert callbacks.read_history(table) == [{"epoch": 1, "step": 4}]
