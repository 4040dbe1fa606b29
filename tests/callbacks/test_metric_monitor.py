"""Scores inside `fit`."""

import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.models
from kgan import callbacks
from kgan.evaluation import SampleSet
from kgan.metrics import METRICS
from kgan.metrics.extractor import extractor
from kgan.metrics.measure import measure
from tests.conftest import build_growing_gan


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def real():
    data = kgan.data.load("digits", "test")
    return SampleSet(data.samples, data.labels, extractor=extractor("lenet-digits")).random(40)


@pytest.fixture
def fit(images):
    """Two steps an epoch."""

    def run(gan, callback_list, epochs, initial_epoch=0):
        data = images if gan.num_classes is None else (images, np.arange(16) % gan.num_classes)
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

    return run


def monitor(real, **options):
    return callbacks.MetricMonitor(
        real, **{"metrics": ["fid"], "every": 4, "steps_per_epoch": 2, **options}
    )


def test_scores_come_at_the_first_epoch_end_after_each_multiple(make_gan, fit, real, tmp_path):
    table = tmp_path / "metrics.csv"
    watch = monitor(real, every=3, metrics=["fid", "prdc"])
    gan = make_gan(num_classes=10)
    fit(gan, [watch, callbacks.HistoryTable(table, samples_per_step=8)], epochs=4)
    rows = callbacks.read_history(table)
    # Multiples of 3 up to step 8: 3 and 6, reached in the epochs that end at steps 4 and 6.
    assert [row["step"] for row in rows if watch.monitor in row] == [4, 6]
    label = real.extractor.label
    assert watch.monitor == f"fid[{label}]"
    assert {f"{score}[{label}]" for score in METRICS["prdc"].lower_is_better} <= set(rows[1])


def test_scores_are_of_the_averaged_generator(make_gan, real):
    gan = make_gan(num_classes=10)
    watch = monitor(real, seed=3)
    watch.set_model(gan)
    fake = SampleSet(gan.generate(40, real.labels, seed=3), extractor=real.extractor)
    assert watch.scores() == {watch.monitor: measure("fid", real, fake)["fid"]}


def test_a_run_with_scores_has_the_weights_of_one_without(make_gan, fit, real):
    weights = []
    for extra in ([], [monitor(real, every=1)]):
        gan = make_gan(num_classes=10)
        fit(gan, extra, epochs=2)
        weights.append([np.asarray(weight) for weight in gan.weights])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_second_fit_is_scored_too(make_gan, fit, real):
    watch = monitor(real, every=2)
    gan = make_gan(num_classes=10)
    seen = []
    for _ in range(2):
        fit(gan, [watch], epochs=2)
        seen.append(len(gan.history.history[watch.monitor]))
    assert seen == [2, 2]


def test_the_score_that_decides_can_be_named(real):
    watch = monitor(real, metrics=["fid", "prdc"], decides="coverage")
    assert watch.monitor == f"coverage[{real.extractor.label}]"
    assert not watch.lower_is_better
    with pytest.raises(ValueError, match="decides must be one of fid, precision"):
        monitor(real, metrics=["fid", "prdc"], decides="modes")


def scripted(watch, values):
    """The monitor with given scores."""
    remaining = iter(values)
    watch.scores = lambda: {watch.monitor: next(remaining)}
    return watch


def test_the_best_checkpoint_is_kept_by_score(make_gan, fit, real, tmp_path):
    table = tmp_path / "metrics.csv"
    watch = scripted(monitor(real), [2.0, 1.0, 3.0])
    fit(
        make_gan(),
        [
            watch,
            callbacks.HistoryTable(table, samples_per_step=8),
            callbacks.Checkpoint(tmp_path, monitor=watch.monitor, table=table),
        ],
        epochs=6,
    )
    assert int(kgan.models.load(tmp_path / "best.keras").step.numpy()) == 8
    assert int(kgan.models.load(tmp_path / "last.keras").step.numpy()) == 12


def test_patience_counts_scores_also_over_a_resumed_run(make_gan, fit, real, tmp_path, capsys):
    table = tmp_path / "metrics.csv"

    def both(values):
        watch = scripted(monitor(real, patience=2, table=table), values)
        return [watch, callbacks.HistoryTable(table, samples_per_step=8)]

    whole = make_gan()
    fit(whole, both([1.0, 2.0, float("nan"), 0.5]), epochs=20)
    assert int(whole.step.numpy()) == 12
    assert "has not improved in 2 scores" in capsys.readouterr().out
    # Stopped after the second score and resumed.
    table.unlink()
    gan = make_gan()
    fit(gan, both([1.0, 2.0]), epochs=4)
    fit(gan, both([float("nan"), 0.5]), epochs=20, initial_epoch=4)
    assert int(gan.step.numpy()) == 12


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_patience_and_the_best_count_from_the_full_size_on(fit, real, tmp_path, capsys):
    """Two steps an epoch, and the full size after step 4, over a run that is resumed."""
    table = tmp_path / "metrics.csv"

    def watched(values):
        watch = scripted(monitor(real, every=2, patience=2, table=table), values)
        history = callbacks.HistoryTable(table, samples_per_step=8)
        checkpoint = callbacks.Checkpoint(tmp_path, monitor=watch.monitor, table=table)
        return [watch, history, checkpoint]

    def best():
        return int(kgan.models.load(tmp_path / "best.keras").step.numpy())

    gan = build_growing_gan()
    fit(gan, watched([1.0, 2.0]), epochs=2)
    assert not (tmp_path / "best.keras").exists()
    fit(gan, watched([4.0, 5.0]), epochs=4, initial_epoch=2)
    assert best() == 6
    fit(gan, watched([3.0, 3.5, 3.5, 0.0]), epochs=20, initial_epoch=4)
    assert (best(), int(gan.step.numpy())) == (10, 14)
    assert capsys.readouterr().out.count("has not improved in 2 scores") == 1


def test_samples_that_are_not_finite_score_nan(make_gan, real):
    gan = make_gan(num_classes=10)
    gan.generate = lambda n, labels=None, seed=0: np.full((n, 8, 8, 1), np.nan, np.float32)
    watch = monitor(real, metrics=["fid", "prdc"])
    watch.set_model(gan)
    found = watch.scores()
    assert len(found) == 5
    assert np.isnan(list(found.values())).all()


def test_every_must_be_positive(real):
    with pytest.raises(ValueError, match="every must be at least 1 step, got 0"):
        monitor(real, every=0)
