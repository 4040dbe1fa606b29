"""A table GAN that was saved before columns had missing values still loads, samples and trains."""

import json
from pathlib import Path

import numpy as np
import pytest

import kgan.data
import kgan.models
from tests.models.people import BATCH, people

FILES = Path(__file__).parent / "table"


def test_a_table_gan_of_an_earlier_version():
    gan = kgan.models.load(FILES / "people.keras")
    assert int(gan.step) == 3
    assert gan.kind == people().kind
    assert (gan.several, gan.calibrates) == (0.0, False)
    kept = json.loads((FILES / "people.json").read_text())
    rows = gan.generate(8, seed=3)
    # What is drawn as a condition is now sure to be met, so a category may differ; numbers do not.
    np.testing.assert_allclose(rows["weight"], kept["rows"]["weight"], atol=0.11)
    np.testing.assert_array_equal(rows["visits"], kept["rows"]["visits"])
    assert gan.generate(5, where={"level": 0, "sex": "male"})["sex"].tolist() == ["male"] * 5
    gan.run_eagerly = True
    feed = kgan.data.feed_rows(people(), BATCH, start=3)
    gan.fit(feed, steps_per_epoch=1, shuffle=False, verbose=0)
    total = sum(np.abs(one).sum() for one in gan.generator.get_weights())
    assert total == pytest.approx(kept["step4"], rel=1e-5)
