"""One classifier in many guises: PGD must find the same robust accuracy in each."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import PGD, Victim

HEADS = ("logits", "softmax", "hidden logits", "hidden softmax", "one logit", "sigmoid")
RANGES = ("0..1", "0..255", "-1..1", "uint8", "mean and std")
DTYPES = ("float32", "mixed_float16", "mixed_bfloat16")
LAYOUTS = ("last", "first")
NOISES = ("none", "keras", "tf")

MEAN, STD = 0.3, 0.25
# Scale and offset that bring a model's input back to [0, 1], and what declares its range.
INPUTS = {
    "0..1": (1.0, 0.0, {}),
    "0..255": (1 / 255, 0.0, {"bounds": (0, 255)}),
    "-1..1": (0.5, 0.5, {"bounds": (-1, 1)}),
    "uint8": (1 / 255, 0.0, {}),
    "mean and std": (STD, MEAN, {"mean": MEAN, "std": [STD]}),
}
ATTACK = PGD(0.1, steps=10)


class Hidden(keras.Model):
    """A classifier that is called through a compiled function, as an imported one is."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.function = tf.function(lambda images: inner(images, training=False))

    def call(self, images):
        return self.function(images)


@keras.saving.register_keras_serializable(package="tests")
class Noise(keras.layers.Layer):
    """Noise at inference, by a seed of Keras's or of TensorFlow's own."""

    def __init__(self, source, **options):
        super().__init__(**options)
        self.source = source
        self.seed = keras.random.SeedGenerator(1)

    def call(self, images):
        shape = tf.shape(images)
        if self.source == "tf":
            return images + tf.random.normal(shape, stddev=0.02, dtype=images.dtype)
        noise = keras.random.normal(shape, stddev=0.02, dtype=images.dtype, seed=self.seed)
        return images + noise


@dataclasses.dataclass(frozen=True)
class Guise:
    head: str
    range: str
    dtype: str
    layout: str
    noise: str

    def __str__(self) -> str:
        return ", ".join(dataclasses.astuple(self))

    @property
    def units(self) -> int:
        return 1 if self.head in ("one logit", "sigmoid") else 10

    def model(self, weights) -> keras.Model:
        """The classifier of these weights, dressed so."""
        scale, offset, _ = INPUTS[self.range]
        policy = {"dtype": self.dtype}
        shape = (8, 8, 1) if self.layout == "last" else (1, 8, 8)
        layers = [keras.Input(shape, dtype="uint8" if self.range == "uint8" else "float32")]
        if self.layout == "first":
            layers.append(keras.layers.Permute((2, 3, 1)))
        layers.append(keras.layers.Rescaling(scale, offset))
        if self.noise != "none":
            layers.append(Noise(self.noise))
        layers += [
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu", **policy),
            keras.layers.Dense(self.units, **policy),
        ]
        if self.head.endswith("softmax"):
            layers.append(keras.layers.Softmax(dtype="float32"))
        if self.head == "sigmoid":
            layers.append(keras.layers.Activation("sigmoid", dtype="float32"))
        model = keras.Sequential(layers)
        _set(model, weights)
        return Hidden(model) if self.head.startswith("hidden") else model

    def victim(self, model: keras.Model) -> Victim:
        declared = dict(INPUTS[self.range][2])
        if self.head.startswith("hidden"):
            declared["head"] = self.head.split()[1]
        if self.layout == "first":
            declared["data_format"] = "channels_first"
        return Victim(model, **declared)


def _set(model: keras.Model, weights) -> None:
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for number, layer in enumerate(dense):
        layer.set_weights(weights[2 * number : 2 * number + 2])


@pytest.fixture(scope="module")
def plain(digits):
    """For 10 classes and for 2 by one unit: weights, data, and what PGD fools in float32."""
    images, labels = digits
    found = {}
    for units in (10, 1):
        truth = labels if units == 10 else (labels >= 5).astype("int32")
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(units),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if units == 1:
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss)
        model.fit(images[:1200], truth[:1200], epochs=10, batch_size=64, verbose=0)
        some, answers = images[1300:1460], truth[1300:1460]
        fooled = ATTACK.run(model, some, answers).success
        assert 0.1 < fooled.mean() < 0.9
        found[units] = model.get_weights(), some, answers, fooled
    return found


def _possible(guise: Guise) -> bool:
    # Behind a function of its own, a model of whole numbers shows no dtype.
    return not (guise.head.startswith("hidden") and guise.range == "uint8")


ALL = [
    guise
    for guise in itertools.starmap(Guise, itertools.product(HEADS, RANGES, DTYPES, LAYOUTS, NOISES))
    if _possible(guise)
]
FEW = [
    Guise("softmax", "0..255", "float32", "last", "none"),
    Guise("hidden softmax", "-1..1", "mixed_bfloat16", "last", "none"),
    Guise("hidden logits", "0..255", "float32", "first", "none"),
    Guise("one logit", "0..255", "mixed_float16", "last", "none"),
    Guise("sigmoid", "mean and std", "float32", "first", "none"),
    Guise("logits", "uint8", "float32", "last", "none"),
    Guise("logits", "-1..1", "mixed_float16", "first", "none"),
    Guise("logits", "0..1", "float32", "last", "keras"),
    Guise("softmax", "mean and std", "mixed_float16", "last", "tf"),
]
# Every fifth of the others, which leaves each pair of properties together somewhere.
TABLE = FEW + [
    pytest.param(guise, marks=pytest.mark.slow)
    for number, guise in enumerate(ALL)
    if guise not in FEW and number % 5 == 0
]


@pytest.mark.parametrize("guise", TABLE, ids=str)
def test_pgd_finds_the_same_robust_accuracy_in_every_guise(guise, plain):
    weights, images, labels, fooled = plain[guise.units]
    model = guise.model(weights)
    victim = guise.victim(model)
    success = ATTACK.run(victim, images, labels).success
    assert victim.random == (guise.noise != "none")
    only, others = np.sum(success & ~fooled), np.sum(fooled & ~success)
    # McNemar's test, and one image for rounding.
    assert abs(only - others) <= 2.58 * np.sqrt(only + others) + 1
    # The noise is of a tenth of the radius; without it only rounding moves an image.
    assert only + others <= (16 if victim.random else 4)
