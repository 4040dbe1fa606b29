"""Images outside their range: refused by what measures them, never clipped."""

import keras
import numpy as np
import pytest

from kgan.metrics import frechet_distance, ndb, sliced_wasserstein, spectral_distance
from kgan.metrics.classification_accuracy import classification_accuracy_score
from kgan.metrics.extractor import Extractor
from kgan.metrics.inception import inception_inputs
from kgan.metrics.sample_set import SampleSet

BYTES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.uint8)
FLOATS = BYTES / np.float32(255)

WRONG = {
    "0..255": (BYTES.astype(np.float32), r"in \[0, 1\], got 0 to 255: divide by 255"),
    "-1..1": (FLOATS * 2 - 1, r"got -1 to 1: rescale with \(x \+ 1\) / 2"),
    "int64": (BYTES.astype(np.int64), "uint8 or floats .*, got int64"),
    "bool": (BYTES > 99, "uint8 or floats .*, got bool"),
    "nan": (np.where(FLOATS == 0, np.nan, FLOATS), "they hold NaN"),
    "a little": (FLOATS * 1.001, "got 0 to 1.001: rescale or clip them"),
}


def extractor():
    images = keras.Input((8, 8, 1))
    features = keras.layers.Dense(3, kernel_initializer="ones")(keras.layers.Flatten()(images))
    return Extractor(keras.Model(images, keras.layers.Dense(2)(features)), name="mine")


@pytest.mark.parametrize("case", WRONG)
def test_they_are_refused(case):
    images, said = WRONG[case]
    net = extractor()
    for measured in (
        net.features,
        net.probabilities,
        lambda given: net.features(given, rounded=False),
        inception_inputs,
        lambda given: SampleSet(given).samples,
    ):
        with pytest.raises(ValueError, match=said):
            measured(images)
    with pytest.raises((ValueError, TypeError), match=rf"{said}|must be finite|real numbers"):
        spectral_distance(FLOATS, images)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_bytes_and_the_floats_that_they_stand_for_are_the_same(dtype):
    net = extractor()
    same = FLOATS.astype(dtype)
    np.testing.assert_array_equal(net.features(BYTES), net.features(same))
    assert frechet_distance(net.features(BYTES), net.features(same)) == pytest.approx(0, abs=1e-6)
    assert spectral_distance(BYTES, FLOATS) == pytest.approx(0, abs=1e-9)
    # Bright images have the same sum of pixels whichever way they come.
    np.testing.assert_allclose(net.features(BYTES, rounded=False), net.features(BYTES), rtol=1e-6)


def test_bytes_beside_floats_are_refused_where_nothing_says_that_they_are_images():
    for measure in (sliced_wasserstein, lambda real, fake: ndb(real, fake, bins=2)):
        with pytest.raises(ValueError, match=r"same units, got uint8 and float32.* Divide it by"):
            measure(BYTES, FLOATS)
        measure(BYTES, BYTES)
    labels = np.zeros(12, int)
    with pytest.raises(ValueError, match="train and test must be in the same units"):
        classification_accuracy_score(lambda: None, BYTES, labels, FLOATS, labels)
