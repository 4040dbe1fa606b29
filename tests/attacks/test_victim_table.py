"""One classifier in many guises: PGD must find the same robust accuracy in each."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import PGD, TopK, Victim

HEADS = ("logits", "softmax", "hidden logits", "hidden softmax", "one logit", "sigmoid")
RANGES = ("0..1", "0..255", "-1..1", "uint8", "mean and std")
DTYPES = ("float32", "mixed_float16", "mixed_bfloat16")
LAYOUTS = ("last", "first")
NOISES = ("none", "keras", "tf")
# A second input that says in which order each image's classes come; the scores among several
# outputs; a criterion that comes to the same.
FORMS = ("two inputs", "dict of outputs", "list of outputs", "top-1")

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
# Number of images.
N = 160


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
    form: str = "plain"

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
        if self.form.endswith(("inputs", "outputs")):
            model = self._formed(model)
        return Hidden(model) if self.head.startswith("hidden") else model

    def _formed(self, model) -> keras.Model:
        """The model with another input, or beside another output."""
        images = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name="images")
        # Layer by layer: a model inside that takes whole numbers is refused.
        scores = images
        for layer in model.layers:
            scores = layer(scores)
        if self.form == "two inputs":
            order = keras.Input((self.units, self.units), name="order")
            scores = keras.layers.Dot(axes=1, dtype="float32")([scores, order])
            return keras.Model({"order": order, "images": images}, scores)
        other = keras.layers.Dense(3)(scores)
        if self.form == "dict of outputs":
            return keras.Model(images, {"other": other, "scores": scores})
        return keras.Model(images, [other, scores])

    def victim(self, model: keras.Model) -> Victim:
        declared = dict(INPUTS[self.range][2])
        if self.head.startswith("hidden"):
            declared["head"] = self.head.split()[1]
        if self.layout == "first":
            declared["data_format"] = "channels_first"
        if self.form == "top-1":
            declared["criterion"] = TopK(1)
        if self.form.endswith("outputs"):
            declared["output"] = "scores" if self.form == "dict of outputs" else 1
        if self.form == "two inputs":
            declared |= {"input": "images", "held": {"order": self.orders}}
        return Victim(model, **declared)

    @property
    def turns(self) -> np.ndarray:
        """By how many places each image's classes are turned round."""
        most = self.units if self.form == "two inputs" else 1
        return np.random.default_rng(0).integers(0, most, N)

    @property
    def orders(self) -> np.ndarray:
        """Matrices that turn rows of scores round, float32 (n, units, units)."""
        return np.stack(
            [np.roll(np.eye(self.units, dtype="float32"), k, axis=1) for k in self.turns]
        )


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
        some, answers = images[1300 : 1300 + N], truth[1300 : 1300 + N]
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
FORMED = [
    Guise(head, values, dtype, layout, "none", form)
    for head, values, dtype, layout, form in itertools.product(
        ("logits", "softmax", "one logit"), RANGES, DTYPES, LAYOUTS, FORMS
    )
    # Whole numbers are refused beside held inputs, and behind another graph no softmax is seen.
    if form != "two inputs" or (head == "logits" and values != "uint8")
]
FEW_FORMED = [
    Guise("logits", "0..255", "float32", "first", "none", "two inputs"),
    Guise("softmax", "-1..1", "float32", "last", "none", "dict of outputs"),
    Guise("one logit", "mean and std", "mixed_float16", "last", "none", "list of outputs"),
    Guise("softmax", "uint8", "float32", "last", "none", "top-1"),
]
# Every fifth of the others, which leaves each pair of properties together somewhere.
TABLE = FEW + [
    pytest.param(guise, marks=pytest.mark.slow)
    for number, guise in enumerate(ALL)
    if guise not in FEW and number % 5 == 0
]
TABLE += FEW_FORMED + [
    pytest.param(guise, marks=pytest.mark.slow)
    for number, guise in enumerate(FORMED)
    if guise not in FEW_FORMED and number % 7 == 0
]


@pytest.mark.parametrize("guise", TABLE, ids=str)
def test_pgd_finds_the_same_robust_accuracy_in_every_guise(guise, plain):
    weights, images, labels, fooled = plain[guise.units]
    model = guise.model(weights)
    victim = guise.victim(model)
    if guise.form == "two inputs":
        # In batches, of which examples leave as they are fooled.
        labels = ((labels + guise.turns) % guise.units).astype("int32")
    success = ATTACK.run(victim, images, labels, batch_size=64).success
    assert victim.random == (guise.noise != "none")
    only, others = np.sum(success & ~fooled), np.sum(fooled & ~success)
    # McNemar's test, and one image for rounding.
    assert abs(only - others) <= 2.58 * np.sqrt(only + others) + 1
    # The noise is of a tenth of the radius; without it only rounding moves an image.
    assert only + others <= (16 if victim.random else 4)
