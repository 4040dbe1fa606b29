"""What each row of METRICS must keep, and what all metrics say of bad input."""

import inspect

import keras
import numpy as np
import pytest

from kgan.metrics import METRICS
from tests.models.people import people

PEOPLE = people(60)
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.standard_normal((2, 120, 3))
LABELS = np.arange(120) % 2


def linear_classifier():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    return model


# Arguments and settings for each row; rows not named take features.
INPUTS = {
    "modes": (FEATURES[0][:2], FEATURES[1]),
    "stacked_modes": (None, RANDOM.random((40, 4, 4, 3))),
    "is": (None, np.full((120, 4), 0.25)),
    "cas": tuple((features.astype("float32"), LABELS) for features in FEATURES),
    "ppl": (None, lambda z: z),
    "bits_per_dimension": tuple(-50.0 - RANDOM.random((2, 20))),
    "table_quality": (PEOPLE.samples, PEOPLE.samples),
    "table_utility": (PEOPLE.samples, PEOPLE.samples),
    "table_detection": (PEOPLE.samples, PEOPLE.samples),
    "table_privacy": (PEOPLE.samples, PEOPLE.samples),
    "spectrum": tuple(RANDOM.random((2, 5, 8, 8, 1))),
}
SETTINGS = {
    "kid": {"subsets": 5, "subset_size": 30},
    "cas": {"classifier": linear_classifier, "epochs": 1},
    "modes": {"deviation": 1.0},
    "stacked_modes": {
        "classify": lambda x: np.stack([1 - x.mean(axis=(1, 2, 3)), x.mean(axis=(1, 2, 3))], 1),
        "num_classes": 2,
    },
    "ndb": {"bins": 10},
    "ppl": {"features": lambda x: x, "latent_dim": 3, "samples": 50},
    "bits_per_dimension": {"dimensions": 64},
    "table_quality": {"table": PEOPLE.kind},
    "table_utility": {"table": PEOPLE.kind, "target": "sex"},
    "table_detection": {"table": PEOPLE.kind},
    "table_privacy": {"table": PEOPLE.kind, "held_out": PEOPLE.samples},
}
each_metric = pytest.mark.parametrize("name", METRICS)
of_two_sets = pytest.mark.parametrize(
    "name",
    [
        name
        for name, metric in METRICS.items()
        if metric.of in ("features", "points", "samples") and name != "spectrum"
    ],
)


def scores(name, **inputs):
    real, fake = INPUTS.get(name, FEATURES)
    row = METRICS[name]
    return row.scores(inputs.get("real", real), inputs.get("fake", fake), **SETTINGS.get(name, {}))


@each_metric
def test_scores_are_flat_floats_under_the_public_names(name):
    found = scores(name)
    assert list(found) == list(METRICS[name].lower_is_better)
    assert all(type(value) is float and np.isfinite(value) for value in found.values())
    assert scores(name) == found


@each_metric
def test_functions_are_documented_and_take_settings_by_name(name):
    function = METRICS[name].function
    for section in ("Args:",) if name == "cas" else ("Args:", "Returns:"):
        assert section in inspect.getdoc(function)
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 2


def test_score_names_are_unique():
    names = [score for row in METRICS.values() for score in row.lower_is_better]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["fid", "prdc", "kid", "ndb", "mind", "sliced_wasserstein"])
def test_directions_are_those_of_the_scores(name):
    good, bad = scores(name, fake=FEATURES[0]), scores(name, fake=FEATURES[0] + 30)
    for score, lower in METRICS[name].lower_is_better.items():
        assert good[score] < bad[score] if lower else good[score] > bad[score], score


def test_the_seed_reaches_functions_that_draw():
    first, other = (METRICS["kid"].scores(*FEATURES, seed=s, **SETTINGS["kid"]) for s in (1, 2))
    assert first != other


@of_two_sets
def test_not_finite(name):
    spoilt = FEATURES[1].copy()
    spoilt[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"(fake|points) must be finite, got NaN .* in 1 of 120"):
        scores(name, fake=spoilt)


@of_two_sets
def test_unequal_features(name):
    with pytest.raises(ValueError, match=r"must have (equally|one shape|as many coord).* got"):
        scores(name, fake=FEATURES[1][:, :2])


@of_two_sets
def test_no_numbers(name):
    with pytest.raises(TypeError, match="must hold real numbers, got dtype <U"):
        scores(name, fake=FEATURES[1].astype(str))


@of_two_sets
def test_too_few(name):
    with pytest.raises(ValueError, match="must hold at least"):
        scores(name, real=FEATURES[0][:0], fake=FEATURES[1][:0])


@pytest.mark.parametrize("name", ["fid", "kid", "ndb", "modes"])
def test_a_vector_is_no_set(name):
    with pytest.raises(ValueError, match=r"(fake|points) must have shape \(n, d\), got \(120,\)"):
        scores(name, fake=FEATURES[1][:, 0])


def test_images_of_different_sizes_have_no_spectral_distance():
    real, fake = INPUTS["spectrum"]
    with pytest.raises(ValueError, match=r"images of one shape, got \(8, 8, 1\) and \(4, 8, 1\)"):
        scores("spectrum", fake=fake[:, :4])
    with pytest.raises(ValueError, match=r"real must have shape \(n, height, width, channels\)"):
        scores("spectrum", real=real[0])
