"""What the preset auto chooses learns more of few images in equal time than other settings do."""

import dataclasses
import time

import numpy as np
import pytest

import kgan.data
from kgan.metrics.extractor import extractor
from kgan.metrics.measure import measure
from kgan.metrics.sample_set import SampleSet
from kgan.recipes import GANRecipe
from kgan.settings import PRESETS, GANSettings
from kgan.settings.auto import choice

SECONDS = 12


def few(name, count):
    data = kgan.data.load(name)
    return data.take(np.random.default_rng(0).permutation(len(data))[:count])


def distance(settings: GANSettings, data, judge) -> float:
    """FID of 1,000 samples from the training images, after so much processor time."""
    settings = dataclasses.replace(settings, conditional=False, steps_per_execution=1)
    recipe = GANRecipe(settings)
    recipe.settle(data)
    model, feed = recipe.model(data), iter(recipe.feed(data))
    model.make_train_function()
    model.train_function(feed)
    start = time.process_time()
    while time.process_time() - start < SECONDS:
        model.train_function(feed)
    samples = model.generate(1000, seed=0)
    pair = [SampleSet(one, kind=data.kind, extractor=judge) for one in (data.as_float(), samples)]
    return measure("fid", *pair)["fid"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "judge", "count"), [("digits", "lenet-digits", 150)])
def test_auto_learns_more_of_few_images(name, judge, count):
    data, judge = few(name, count), extractor(judge)
    auto = dataclasses.replace(PRESETS["auto"], **choice(len(data), data.sample_shape).changes)
    cases = {
        "auto": auto,
        "as the digits": PRESETS["digits"],
        "without augmentation": dataclasses.replace(auto, augment="none"),
    }
    found = {}
    for case, settings in cases.items():
        found[case] = distance(settings, data, judge)
        print(name, count, case, round(found[case], 1), flush=True)
    assert found["auto"] < found["as the digits"]
