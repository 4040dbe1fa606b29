"""Evaluation of sample sets: intervals, floors, protocols."""

import dataclasses
import re
from typing import ClassVar

import keras
import numpy as np
import pytest

import kgan.data
from kgan.data.table import table
from kgan.evaluation import (
    SampleSet,
    classification_scores,
    evaluate,
    paired_scores,
    translation_scores,
)
from kgan.kinds import Images, Kind, Points
from kgan.metrics import METRICS, frechet_distance, table_detection
from kgan.metrics.extractor import extractor
from kgan.metrics.measure import check_metrics, check_possible, measure, published_name


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def lenet():
    return extractor("lenet-digits")


@pytest.fixture
def digits(lenet):
    def make(split, n=300):
        data = kgan.data.load("digits", split)
        known = {"extractor": lenet, "data": "digits", "split": split}
        return SampleSet(data.samples, data.labels, **known).random(n)

    return make


def points(n, seed, shift=0.0):
    return SampleSet(np.random.default_rng(seed).standard_normal((n, 2)).astype("float32") + shift)


def rows(n, seed):
    random = np.random.default_rng(seed)
    size = random.normal(size=n)
    columns = {"size": size, "large": np.where(size > 0, "yes", "no").astype(object)}
    data = table("sizes", columns)
    return SampleSet(data.samples, kind=data.kind, data="sizes")


SETTINGS = {
    "table_utility": {"target": "large"},
    "table_privacy": {"held_out": rows(120, 2).samples},
    # The score is a mean over consecutive splits: with one the order does not matter.
    "is": {"splits": 1},
    "stacked_modes": {"classify": lambda grey: grey.reshape(len(grey), -1)[:, :10]},
    "modes": {"centres": np.array([[0.0, 0.0], [9.0, 9.0]]), "deviation": 1.0},
    "ppl": {
        "generate": lambda latents: np.tile(
            0.5 + 0.5 * np.tanh(latents)[:, :1, None, None], (1, 8, 8, 1)
        ),
        "latent_dim": 3,
        "samples": 20,
    },
}


# What is not computed of two sets of samples.
APART = ("cas", "bits_per_dimension")


@pytest.mark.parametrize("name", [name for name in METRICS if name not in APART])
def test_every_metric_can_be_evaluated(name, digits):
    real, held_out = digits("train"), digits("test", 120)
    if METRICS[name].of == "points":
        real, held_out = points(300, 0), points(120, 1)
    if METRICS[name].of == "rows":
        real, held_out = rows(300, 0), rows(120, 1)
    scores = evaluate(
        lambda seed: held_out, real, held_out, metrics=[name], seeds=(0, 1, 2), settings=SETTINGS
    )
    assert [score.name.partition("[")[0] for score in scores] == list(METRICS[name].lower_is_better)
    for score in scores:
        assert score.protocol.metric == name
        assert score.seeds == (0, 1, 2)
        assert len(score.values) == 3
        if METRICS[name].of != "generator" and METRICS[name].floor:
            # The held-out samples in place of generated ones are the floor itself, but where folds
            # are drawn: the floor's rows are shuffled first.
            if name != "table_detection":
                np.testing.assert_allclose(score.value, score.floor, rtol=1e-6)
            assert score.floor_n == 120


def test_detection_has_the_same_folds_for_each_seed_and_its_floor_those_of_shuffled_rows():
    real, held_out = rows(300, 0), rows(120, 1)
    scores = evaluate(
        lambda seed: held_out, real, held_out, metrics=["table_detection"], seeds=(0, 1)
    )
    order = np.random.default_rng(0).permutation(120)
    value, floor = (
        table_detection(real.samples, one, table=real.kind)
        for one in (held_out.samples, held_out.samples[order])
    )
    for score, found, own in zip(scores, value, floor, strict=True):
        np.testing.assert_allclose(score.values, [found, found], rtol=1e-9)
        assert score.floor == pytest.approx(own, rel=1e-9)


def test_scores_are_the_functions_of_what_was_drawn(digits, lenet):
    real, held_out = digits("train"), digits("test", 100)
    fakes = [digits("train", 500).take(np.arange(seed, seed + 100)) for seed in range(3)]
    (score,) = evaluate(lambda seed: fakes[seed], real, held_out, metrics=["fid"], seeds=(0, 1, 2))
    expected = [frechet_distance(real.features, fake.features) for fake in fakes]
    np.testing.assert_allclose(score.values, expected, rtol=1e-9)
    assert score.value == pytest.approx(np.mean(expected))
    assert score.low < score.value < score.high
    assert score.name == f"fid[{lenet.label}]"
    assert score.floor == pytest.approx(frechet_distance(real.features, held_out.features))
    protocol = score.protocol
    assert (protocol.n_real, protocol.n_fake, protocol.data) == (300, 100, "digits")
    assert (protocol.extractor, protocol.interval) == (lenet.label, "seeds")
    assert protocol.preprocessing == "rounded to 8 bits"


def test_two_seeds_give_no_interval(digits):
    fake = digits("test", 50)
    (score,) = evaluate(lambda seed: fake, digits("train"), fake, metrics=["fid"], seeds=(0, 1))
    assert score.low is None
    assert score.protocol.interval is None


def test_a_fixed_set_has_an_interval_over_halves():
    real, fake = points(500, 0), points(400, 1, shift=0.2)
    drawn = []

    def fakes(seed):
        drawn.append(seed)
        return fake

    (score,) = evaluate(fakes, real, points(400, 2), metrics=["fid"], fixed=True)
    assert drawn == [0]
    assert score.protocol.interval == "halves"
    assert score.name == "fid[points]"
    assert score.low < score.value < score.high
    # As wide as the spread of other draws of 400.
    others = [measure("fid", real, points(400, seed, shift=0.2))["fid"] for seed in range(10, 40)]
    assert (score.high - score.low) / 2 == pytest.approx(1.96 * np.std(others), rel=0.6)


def test_the_floor_is_a_mean_over_held_out_parts():
    real = points(200, 0)
    (score,) = evaluate(
        lambda seed: points(100, seed), real, points(5000, 9), metrics=["fid"], seeds=range(3)
    )
    singles = [measure("fid", real, points(100, seed))["fid"] for seed in range(50, 250)]
    assert score.floor == pytest.approx(np.mean(singles), abs=3 * np.std(singles) / 20**0.5)


def test_simpler_generators_stand_beside():
    real = points(300, 0)
    scores = evaluate(
        lambda seed: points(100, seed),
        real,
        points(100, 9),
        metrics=["fid", "sliced_wasserstein"],
        seeds=(1, 2),
        baselines={"shifted": lambda seed: points(100, seed, shift=3.0)},
    )
    for score in scores:
        name = score.protocol.metric
        each = [measure(name, real, points(100, seed, shift=3.0))[name] for seed in (1, 2)]
        assert score.baselines == {"shifted": pytest.approx(np.mean(each))}
        assert score.baselines["shifted"] > 2 * score.value


def test_kid_of_few_samples_says_its_subset_size(digits):
    fake = digits("test", 60)
    (score,) = evaluate(lambda seed: fake, digits("train"), fake, metrics=["kid"], seeds=(0,))
    assert score.protocol.settings["subset_size"] == 60
    with pytest.raises(ValueError, match="subset_size"):
        measure("kid", digits("train"), fake, {"kid": {"subset_size": 1000}})


def test_images_are_rounded_to_8_bits():
    images = np.random.default_rng(0).random((4, 3, 3, 1), dtype=np.float32)
    np.testing.assert_allclose(SampleSet(images).samples * 255, np.round(images * 255), atol=1e-4)


def test_classification_accuracy_both_ways(digits):
    def classifier():
        flat = [keras.layers.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
        model = keras.Sequential(flat)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(3e-2), loss)
        return model

    real, held_out = digits("train", 600), digits("test", 200)
    good = digits("train", 1000)
    swapped = SampleSet(good.samples, (good.labels + 1) % 10, extractor=good.extractor)
    scores = {}
    for name, fake in (("good", good), ("swapped", swapped)):
        found = classification_scores(
            lambda seed, fake=fake: fake,
            real,
            held_out,
            classifier=classifier,
            seeds=(0,),
            epochs=6,
        )
        scores |= {(name, score.name): score for score in found}
    assert scores["good", "cas"].value > 0.8
    assert scores["good", "cas_reverse"].value > 0.8
    assert scores["good", "cas"].floor > 0.8
    # Images of one class under another's label teach what is wrong, and are seen as wrong.
    assert scores["swapped", "cas"].value < 0.1
    assert scores["swapped", "cas_reverse"].value < 0.1
    assert scores["good", "cas"].protocol.settings["classifier"] == "classifier"
    unlabelled = SampleSet(good.samples)
    with pytest.raises(ValueError, match="the generated samples have none"):
        classification_scores(
            lambda seed: unlabelled, real, held_out, classifier=classifier, seeds=(0,), epochs=1
        )


def test_what_a_metric_needs_is_told():
    has = {"features", "labels"}
    check_possible(["fid", "cas", "sliced_wasserstein"], kind=Images(8, 8, 1), has=has)
    for name, kind, said in (
        ("is", Images(8, 8, 1), "metric is needs an extractor that is a classifier; leave it out"),
        ("modes", Images(8, 8, 1), "needs data with known modes"),
        ("ppl", Images(8, 8, 1), "needs a run or a .keras file"),
        ("spectrum", Points(2), "metric spectrum needs images; leave it out"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            check_possible([name], kind=kind, has=has)


def test_samples_are_measured_as_their_kind_is_declared():
    """Not by their rank: a stack of rows may be no image."""
    values = np.random.default_rng(0).random((4, 3, 3, 1), dtype=np.float32)

    @dataclasses.dataclass(frozen=True)
    class Cubes(Kind):
        name: ClassVar[str] = "cubes"

    cubes = SampleSet(values, kind=Cubes())
    assert cubes.samples is values
    assert cubes.take(np.arange(2)).kind == Cubes()
    assert np.any(SampleSet(values).samples != values)


def test_errors(digits):
    with pytest.raises(ValueError, match=r"got 'fdi'\. Did you mean 'fid'"):
        check_metrics(["fdi"])
    images = SampleSet(np.zeros((9, 8, 8, 1), np.float32))
    with pytest.raises(ValueError, match="an extractor must be given"):
        measure("fid", images, images)
    with pytest.raises(ValueError, match="an extractor must be given"):
        measure("is", images, images)
    with pytest.raises(ValueError, match="metrics must be without cas"):
        evaluate(lambda seed: images, images, images, metrics=["cas"])
    with pytest.raises(ValueError, match="seeds must hold at least one"):
        evaluate(lambda seed: images, images, images, metrics=["sliced_wasserstein"], seeds=())
    with pytest.raises(ValueError, match=r"one for each of 9 samples, got the shape \(3,\)"):
        SampleSet(images.samples, np.arange(3))


def test_answers_are_compared_with_their_own_truth_alone():
    images = np.random.default_rng(0).random((6, 12, 12, 1), dtype=np.float32)
    images = np.round(images * 255) / np.float32(255)
    known = kgan.data.Dataset("known", images)
    pairs = kgan.data.Pairs(known, known)
    as_bytes = np.round(images * 255).astype(np.uint8)
    for score in (
        *paired_scores(as_bytes, pairs, baselines={}),
        *translation_scores(as_bytes, pairs, baselines={}, ideal=images),
    ):
        assert (
            score.value
            == {"error": 0, "psnr": 100, "ssim": 1, "recognised": 1}[score.name.partition("[")[0]]
        )
    # One answer for all, and a colour beside grey, are no answers.
    for other in (images[:1], images.repeat(3, axis=-1), images.astype(int)):
        with pytest.raises(ValueError, match=r"translated must be .* shape \(6, 12, 12, 1\)"):
            paired_scores(other, pairs, baselines={})
        with pytest.raises(ValueError, match=r"translated must be .* shape \(6, 12, 12, 1\)"):
            translation_scores(other, pairs, baselines={}, ideal=images)
        with pytest.raises(ValueError, match=r"baseline 'other' must be .* \(6, 12, 12, 1\)"):
            paired_scores(images, pairs, baselines={"other": other})
    with pytest.raises(ValueError, match="direction must be one of a_to_b, b_to_a, got 'a-to-b'"):
        translation_scores(images, pairs, baselines={}, ideal=images, direction="a-to-b")


def test_a_missed_mode_has_an_infinite_divergence_and_no_interval():
    scores = evaluate(
        lambda seed: points(50, seed),
        points(50, 7),
        points(50, 8),
        metrics=["modes"],
        settings=SETTINGS,
    )
    found = {score.name: score for score in scores}
    assert found["reverse_kl"].value == np.inf
    assert found["reverse_kl"].low is None
    assert found["modes"].value == 1
    assert found["kl"].value == pytest.approx(np.log(2))


def test_published_names(lenet):
    assert published_name("prdc", "recall", lenet) == f"recall[{lenet.label}]"
    assert published_name("cas", "cas", lenet) == "cas"
