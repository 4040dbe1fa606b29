"""A task of a family, from samples to scores, pictures and tables."""

import dataclasses

import numpy as np
import pytest

import kgan.data
from kgan.data.table import table
from kgan.data.table_files import write_csv
from kgan.evaluation import (
    DEFAULTS,
    RealData,
    Task,
    default_count,
    default_metrics,
    known_modes,
    print_scores,
    real_data,
    training_metrics,
)
from kgan.evaluation.defaults import baselines
from kgan.evaluation.generated import classes_of, from_generator, from_set
from kgan.kinds import Images, Points
from kgan.metrics import METRICS
from kgan.metrics.extractor import extractor


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))


def test_a_family_says_what_is_scored_and_gets_all_the_rest(tmp_path, capsys):
    def noisy(deviation):
        def fakes(n, seed):
            random = np.random.default_rng(seed)
            return random.normal(scale=deviation, size=(n, 2)).astype(np.float32), None

        return fakes

    law = np.random.default_rng(9).standard_normal((600, 2)).astype(np.float32)
    data = kgan.data.Dataset("normal", law)
    task = Task(
        fakes=noisy(1.1),
        real=RealData(data.take(range(400)), data.take(range(400, 600))),
        metrics=("fid", "sliced_wasserstein"),
        seeds=3,
        baselines={"too wide": noisy(3.0)},
    )
    scored = task.score()
    assert [score.name for score in scored.scores] == ["fid[points]", "sliced_wasserstein"]
    for score in scored.scores:
        assert score.low < score.value < score.high
        assert score.floor < score.value + 0.1
        assert score.value < 0.3 * score.baselines["too wide"]
        assert score.protocol.n_fake == 200
        assert score.protocol.preprocessing == "none"
    scored.draw(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["points.png"]
    print_scores("mine", scored.scores, scored.classes, tmp_path)
    head = next(line for line in capsys.readouterr().out.splitlines() if "real data" in line)
    assert "too wide" in head


def test_classifiers_learn_from_as_many_samples_as_are_asked_for():
    train, test = (kgan.data.load("breast-cancer", split) for split in ("train", "test"))
    asked = []

    def fakes(n, seed):
        asked.append(n)
        return train.samples[:n], None

    settings = {"table_utility": {"target": "diagnosis"}}
    for options, count in (({}, len(train)), ({"n": 60}, 60), ({"n": 60, "given": 90}, 60)):
        asked.clear()
        task = Task(fakes, RealData(train, test), ("table_utility",), settings, seeds=1, **options)
        scores = task.score().scores
        assert {score.protocol.n_fake for score in scores} == {count}
        assert count in asked


def test_a_table_without_baselines_has_no_column_for_them(tmp_path, capsys):
    data = kgan.data.load("ring", "test").take(range(400))
    real = RealData(data, data)
    scores = Task(fakes=from_set(data), real=real, metrics=("fid",), given=400).score().scores
    print_scores("mine", scores, [], tmp_path)
    said = capsys.readouterr().out
    assert said.splitlines()[2].count("┃") == 6


def test_a_generator_gets_the_real_mix_of_classes():
    train = kgan.data.load("digits")
    asked = []

    def generate(n, labels, seed):
        asked.append(labels)
        return np.zeros((n, 8, 8, 1), np.float32)

    from_generator(generate, 10, train)(100, 0)
    shares = np.bincount(train.labels) / len(train)
    assert np.abs(np.bincount(asked[0]) / 100 - shares).max() <= 0.01
    # Of other classes than the real ones, each in turn; none where it is unconditional.
    from_generator(generate, 3, train)(7, 0)
    assert asked[1].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert from_generator(generate, 3, train)(7, 0)[1] is None
    assert from_generator(generate, None, train)(5, 0)[1] is None


@pytest.mark.parametrize("only", [False, True])
def test_classes_of_the_data_are_those_of_the_generator_by_name(only):
    """The order of the data is its own; its labels stay by it."""
    digits, asked = kgan.data.load("digits"), []
    some = digits.take(np.flatnonzero(digits.labels == 1 if only else digits.labels < 2))
    names = ("b",) if only else ("b", "a")
    labels = np.zeros_like(some.labels) if only else some.labels
    data = dataclasses.replace(some, labels=labels, class_names=names)

    def generate(n, labels, seed):
        asked.append(labels)
        return np.zeros((n, 8, 8, 1), np.float32)

    found = from_generator(generate, 3, data, ("a", "b", "c"))(40, 0)[1]
    assert set(found) == set(range(len(names)))
    assert [names[one] for one in found] == ["abc"[one] for one in asked[0]]
    assert classes_of(3, ("a", "c", "d"), data) is None
    assert from_generator(generate, 3, data, ("a", "c", "d"))(4, 0)[1] is None
    assert asked[1].tolist() == [0, 1, 2, 0]


def test_what_is_measured_by_default():
    judge = extractor("lenet-digits")
    digits, ring = Images(8, 8, 1), kgan.data.load("ring", "test")
    modes = known_modes(ring)
    assert set(modes) == {"modes"}
    assert "is" in default_metrics(digits, judge, {})
    assert "spectrum" in default_metrics(digits, None, {})
    assert default_metrics(Points(2), None, modes) == ("modes", "sliced_wasserstein")
    assert default_metrics(Points(2), None, {}) == ("sliced_wasserstein",)
    assert training_metrics(digits, judge, {}) == (("fid", "kid", "prdc"), None)
    assert training_metrics(digits, None, {}) == (("sliced_wasserstein",), None)
    assert training_metrics(Points(2), None, {}) == (("fid", "kid", "prdc"), None)
    assert training_metrics(Points(2), None, modes)[1] == "sliced_wasserstein"
    assert training_metrics(digits, None, {"stacked_modes": {}})[1] == "stacked_kl"
    assert (default_count(digits, {}), default_count(Points(2), modes)) == (None, 2500)
    assert default_count(digits, {"stacked_modes": {}}) == 26_000


@pytest.mark.parametrize("row", DEFAULTS.values(), ids=lambda row: row.metrics[0])
def test_defaults_name_metrics_that_exist(row):
    for names in (row.metrics, row.without_extractor, row.in_training):
        assert set(names) <= set(METRICS)


def test_real_data_of_a_mixture_are_compared_with_draws_of_its_own_law():
    real = real_data("ring")
    assert len(real.held_out) == len(real.train)
    assert np.abs(real.held_out.samples.mean(axis=0)).max() < 0.05
    assert real.floor is None


def test_what_is_learnt_from_is_as_large_as_the_training_set_and_tested_on_held_out_rows():
    def make(n, seed):
        random = np.random.default_rng(seed)
        size = random.normal(size=n)
        answer = np.where(size + 0.3 * random.normal(size=n) > 0, "yes", "no").astype(object)
        return table("sizes", {"size": size, "large": answer})

    train, held_out = make(600, 0), make(200, 1)
    scored = Task(
        fakes=lambda n, seed: (make(n, 5 + seed).samples, None),
        real=RealData(train, held_out),
        metrics=("table_quality", "table_utility"),
        settings={"table_utility": {"target": "large"}},
        seeds=3,
        baselines=baselines(train),
    ).score()
    scores = {score.name: score for score in scored.scores}
    assert list(scores) == [
        *METRICS["table_quality"].lower_is_better,
        *METRICS["table_utility"].lower_is_better,
    ]
    assert (scores["quality"].protocol.n_fake, scores["quality"].protocol.n_real) == (200, 600)
    utility = scores["utility_logistic"]
    assert (utility.protocol.n_fake, utility.protocol.n_real) == (600, 200)
    assert (utility.protocol.split, utility.floor_n) == ("held out", 600)
    # Rows of the same law are as good as real ones; shuffled columns teach nothing.
    assert utility.value == pytest.approx(utility.floor, abs=0.03)
    assert utility.floor > 0.8
    assert utility.baselines["independent columns"] < 0.75
    assert scores["quality"].value > scores["quality"].baselines["independent columns"]
    assert scores["column_shapes"].baselines["independent columns"] > 0.9


def test_a_files_test_split_is_the_held_out_data_of_a_table(tmp_path):
    whole = table("x", {"a": np.arange(50) + 0.5})
    write_csv(whole.samples, tmp_path / "rows.csv")
    real = real_data(str(tmp_path / "rows.csv"))
    assert (len(real.train), len(real.held_out), real.floor) == (40, 10, None)
    both = np.concatenate([real.train.samples["a"], real.held_out.samples["a"]])
    np.testing.assert_array_equal(np.sort(both), whole.samples["a"])


def test_numbers_are_no_names_of_classes():
    pixels, labels = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1], np.int32)
    named = kgan.data.Dataset("named", pixels, labels, ("cat", "dog"))
    numbered = kgan.data.Dataset("numbered", pixels, labels, ("0", "1"))
    for names, data in ((("0", "1"), named), (("dog", "cat"), numbered), (None, named)):
        np.testing.assert_array_equal(classes_of(2, names, data), [0, 1])
    np.testing.assert_array_equal(classes_of(2, ("dog", "cat"), named), [1, 0])
    assert classes_of(2, ("dog", "cow"), named) is None
    assert classes_of(3, ("0", "1", "2"), named) is None
