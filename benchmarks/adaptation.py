"""Domain adaptation: a classifier of real handwriting that never saw a label of it.

    python benchmarks/adaptation.py --source fonts --fonts FOLDER --seed 0

A LeNet learns from labelled digits of the source: of fonts (TrueType and OpenType files anywhere in
FOLDER) or scikit-learn's, each in some variants (`--variants`: turned, slanted, stretched, bent, of
thinner and thicker strokes). A CycleGAN learns to translate them to MNIST's style, from MNIST's
training images without their labels; what that LeNet takes a digit for, it must take its
translation for (`consistency`). A new LeNet learns from the translations, with the source's labels.
At last each LeNet teaches itself: MNIST's training images of which it is surest, as many of each
digit as it finds, join what it learns from, with the labels that it gives them. All are tested on
MNIST's test images. Arms leave out the cycle, the consistency, or both; "source alone" leaves out
the translation. Prints a row of JSON for each.

The labels of MNIST's training images are dropped as they are loaded. With `--blind`, for choosing
settings, its test images are not loaded. It prints what is known without labels: on how many of
MNIST's training images two LeNets agree that learnt alike from different seeds, and how far the
shares of the digits that they find are from equal ones.

References: Hoffman et al. 2018, "CyCADA: cycle-consistent adversarial domain adaptation"
(arXiv:1711.03213); Zou et al. 2018, "Unsupervised domain adaptation for semantic segmentation via
class-balanced self-training" (arXiv:1810.07911); Jiang et al. 2022, "Assessing generalization of
SGD via disagreement" (arXiv:2106.13799).
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
import scipy.ndimage
from fonts import alphabets
from PIL import Image
from scipy.special import softmax

import kgan.data
import kgan.models
import kgan.networks
import kgan.pictures
from kgan.data import Dataset, Domains
from kgan.models.learning_rate import ConstantThenLinear

# Weights of the cycle and of the consistency, and whose samples the latter judges.
ARMS = {
    "whole": (10.0, 1.0, ("a",)),
    "consistency of both": (10.0, 1.0, ("a", "b")),
    "no consistency": (10.0, 0.0, ("a",)),
    "no cycle": (0.0, 1.0, ("a",)),
    "adversary alone": (0.0, 0.0, ("a",)),
}
_SIDE, _BOX, _CANVAS, _KNOTS = 28, 20, 40, 5
_BATCH = 128


def as_mnist(ink: np.ndarray) -> np.ndarray:
    """White ink on black as MNIST has it: within 20 pixels, its centre of mass in the middle."""
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 16) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = _BOX / max(cut.shape)
    size = [max(1, round(side * scale)) for side in cut.shape[::-1]]
    small = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BOX), np.float64)
    if scale > 1:
        small = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC), np.float64)
    total = small.sum()
    found = np.zeros((_SIDE, _SIDE), np.uint8)
    corner = []
    for axis, length in enumerate(small.shape):
        centre = (small.sum(axis=1 - axis) * np.arange(length)).sum() / total
        corner.append(int(np.clip(round((_SIDE - 1) / 2 - centre), 0, _SIDE - length)))
    top, left = corner
    found[top : top + small.shape[0], left : left + small.shape[1]] = np.clip(small, 0, 255)
    return found


def font_digits(folder: Path) -> Dataset:
    """The ten digits of every font that draws ten different ones, each font once."""
    samples: list[np.ndarray] = []
    seen = set()
    for glyphs in alphabets(folder, "0123456789", size=96):
        ten = np.stack([as_mnist(one) for one in glyphs])
        if len({one.tobytes() for one in ten}) == 10 and ten.tobytes() not in seen:
            seen.add(ten.tobytes())
            samples.extend(ten)
    labels = np.tile(np.arange(10, dtype=np.int32), len(seen))
    return Dataset("fonts", np.stack(samples)[..., None], labels, tuple("0123456789"))


def sklearn_digits() -> Dataset:
    """All of scikit-learn's handwritten digits, at MNIST's size."""
    digits = kgan.data.load("digits", "all")
    large = np.stack([as_mnist(_enlarged(one[..., 0])) for one in digits.samples])
    return Dataset("scikit-learn", large[..., None], digits.labels, digits.class_names)


def _enlarged(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC))


def varied(data: Dataset, variants: int, seed: int, *, bend: float, weight: float) -> Dataset:
    """Each digit that many times, turned, slanted, stretched and bent, of other strokes.

    Args:
        data: White digits on black.
        variants: How many of each.
        seed: Of the draws.
        bend: By how many pixels places are moved, smoothly over the image (standard deviation).
        weight: Strokes become thinner or thicker by up to this part of a pixel on each side.
    """
    random = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(data)), variants)
    places = np.stack(np.mgrid[:_CANVAS, :_CANVAS]) - (_CANVAS - 1) / 2
    smooth = scipy.ndimage.zoom(np.eye(_KNOTS), (_CANVAS / _KNOTS, 1), order=3)
    found = np.empty((len(rows), _SIDE, _SIDE, 1), np.uint8)
    for number, row in enumerate(rows):
        angle, slant = random.uniform(-0.25, 0.25), random.uniform(-0.4, 0.4)
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        back = turn @ np.array([[1, 0], [slant, 1]]) @ np.diag(random.uniform(0.9, 1.25, 2))
        moved = np.tensordot(back, places, 1) + (_SIDE - 1) / 2
        moved += bend * (smooth @ random.normal(size=(2, _KNOTS, _KNOTS)) @ smooth.T)
        image = data.samples[row, ..., 0].astype(np.float32)
        ink = scipy.ndimage.map_coordinates(image, moved, order=1)
        ink = _weighted(ink, random.uniform(-weight, weight))
        found[number, ..., 0] = as_mnist(np.round(ink * (255.0 / ink.max())).astype(np.uint8))
    return Dataset(data.name, found, data.labels[rows], data.class_names)


def _weighted(ink: np.ndarray, weight: float) -> np.ndarray:
    """Strokes that are thicker by a part of a pixel on each side; thinner where it is negative."""
    extreme = np.maximum if weight > 0 else np.minimum
    wide = ink.copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            wide = extreme(wide, np.roll(ink, shift, axis))
    return ink + abs(weight) * (wide - ink)


def classifier(
    data: Dataset, seed: int, *, steps: int, rate: float = 1e-3, start: keras.Model | None = None
) -> keras.Model:
    """A LeNet (20 and 50 maps, 500 units) that learnt from these images and their labels.

    Args:
        data: Images and labels.
        seed: Of its first weights and of the batches.
        steps: How many batches of 128 it sees, about: whole epochs.
        rate: Learning rate of Adam at the start; it falls to 0 as a cosine does.
        start: Whose weights it starts with.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((_SIDE, _SIDE, 1)),
            layers.Conv2D(20, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu"),
            layers.Dense(10),
        ]
    )
    if start is not None:
        model.set_weights(start.get_weights())
    epochs = max(1, round(steps * _BATCH / len(data)))
    steps = epochs * -(-len(data) // _BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(data.as_float(), data.labels, batch_size=_BATCH, epochs=epochs, verbose=0)
    return model


def translator(
    domains: Domains, judge: keras.Model, arm: str, options: argparse.Namespace
) -> kgan.models.CycleGAN:
    """A CycleGAN of an arm, trained."""
    cycle, consistency, judged = ARMS[arm]
    cycle *= options.cycle / 10.0
    keras.utils.set_random_seed(options.seed)
    shape = (_SIDE, _SIDE, 1)
    gan = kgan.models.CycleGAN(
        *(kgan.networks.translation_generator(shape, width=options.width) for _ in "ab"),
        *(kgan.networks.patch_discriminator(shape, width=32, stages=options.stages) for _ in "ab"),
        cycle_weight=cycle,
        identity_weight=0.0,
        consistency=judge if consistency else None,
        consistency_weight=consistency * options.consistency,
        consistency_domains=judged,
        seed=options.seed,
    )
    rates = [
        ConstantThenLinear(
            options.rate,
            constant_steps=options.steps // 2,
            falling_steps=options.steps - options.steps // 2,
        )
        for _ in range(2)
    ]
    gan.compile(
        g_optimizer=keras.optimizers.Adam(rates[0], beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(rates[1], beta_1=0.5),
    )
    feed = kgan.data.feed_apart(domains, options.batch_size, seed=options.seed)
    gan.fit(feed, steps_per_epoch=options.steps, shuffle=False, verbose=0)
    return gan


def self_taught(
    model: keras.Model, known: Dataset, unlabelled: Dataset, options: argparse.Namespace, seed: int
) -> keras.Model:
    """A model that went on with images of which it was sure, in rounds of ever more of them.

    Args:
        model: What it starts from.
        known: Images and labels that it learnt from; half of what it sees.
        unlabelled: Images, whose labels are not read.
        options: Of the command.
        seed: Of variants and batches.
    """
    images = unlabelled.as_float()
    for number, share in enumerate(options.shares):
        logits = model.predict(images, batch_size=1000, verbose=0)
        found, sure = logits.argmax(-1), softmax(logits, axis=-1).max(-1)
        kept = []
        for digit in range(10):
            rows = np.flatnonzero(found == digit)
            kept.append(rows[np.argsort(-sure[rows])[: round(share * len(rows))]])
        rows = np.concatenate(kept)
        labels = found[rows].astype(np.int32)
        taken = Dataset("", unlabelled.samples[rows], labels, known.class_names)
        taken = varied(taken, 1, seed + number, bend=options.bend, weight=options.weight)
        again = np.random.default_rng(seed + number).integers(0, len(known), len(taken))
        mixed = Dataset(
            "",
            np.concatenate([taken.as_float(), known.take(again).as_float()]),
            np.concatenate([taken.labels, known.labels[again]]),
            taken.class_names,
        )
        model = classifier(mixed, seed + number, steps=options.round_steps, rate=5e-4, start=model)
    return model


class Scores:
    """What is printed of a classifier: its accuracy, or what is known without labels."""

    def __init__(self, train: Dataset, options: argparse.Namespace):
        self.blind = options.blind
        self.test = None
        if not self.blind:
            self.test = kgan.data.load("mnist", "test", data_dir=options.data_dir, download=False)
        self.images = (train.take(np.arange(10_000)) if self.test is None else self.test).as_float()

    def __call__(self, name: str, model: keras.Model, other: keras.Model | None = None) -> dict:
        """Scores by name; `other` is a classifier that learnt alike from another seed."""
        others = None if other is None else self.logits(other)
        return self.of_logits(name, self.logits(model), others)

    def of_logits(self, name: str, logits: np.ndarray, others: np.ndarray | None = None) -> dict:
        found = logits.argmax(-1)
        if self.test is not None:
            return {name: float((found == self.test.labels).mean())}
        shares = np.bincount(found, minlength=10) / len(found)
        row = {
            f"{name}: confidence": float(softmax(logits, axis=-1).max(-1).mean()),
            f"{name}: unequal": float(np.abs(shares - 0.1).sum() / 2),
        }
        if others is not None:
            row[f"{name}: agreement"] = float((found == others.argmax(-1)).mean())
        return {key: round(value, 4) for key, value in row.items()}

    def logits(self, model: keras.Model) -> np.ndarray:
        return model.predict(self.images, batch_size=1000, verbose=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=("fonts", "sklearn"), default="sklearn")
    parser.add_argument("--fonts", type=Path, help="folder of font files, for --source fonts")
    parser.add_argument("--arms", nargs="*", choices=["source alone", *ARMS], default=list(ARMS))
    parser.add_argument("--blind", action="store_true", help="without MNIST's labels")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--stages", type=int, default=2)
    parser.add_argument("--cycle", type=float, default=10.0)
    parser.add_argument("--variants", type=int, default=12)
    parser.add_argument("--bend", type=float, default=1.0)
    parser.add_argument("--weight", type=float, default=0.7)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--consistency", type=float, default=1.0)
    parser.add_argument("--learn-steps", type=int, default=600)
    parser.add_argument("--shares", type=float, nargs="*", default=[0.5, 0.8])
    parser.add_argument("--round-steps", type=int, default=200)
    parser.add_argument("--unlabelled", type=int, default=20_000, help="images to teach itself on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir")
    parser.add_argument("--picture", type=Path, help="folder of a picture for each arm")
    options = parser.parse_args()
    if (options.source == "fonts") != (options.fonts is not None):
        parser.error("--fonts FOLDER belongs to --source fonts")
    plain = sklearn_digits() if options.fonts is None else font_digits(options.fonts)
    train = kgan.data.load("mnist", "train", data_dir=options.data_dir, download=False)
    train = Dataset(train.name, train.samples)
    scores = Scores(train, options)
    rows = np.random.default_rng(options.seed).permutation(len(train))[: options.unlabelled]
    unlabelled = train.take(np.sort(rows))
    seed = options.seed

    def learnt(data: Dataset, name: str) -> tuple[keras.Model, dict]:
        """A classifier of these, and its scores; two where they are compared."""
        models = [
            classifier(data, one, steps=options.learn_steps)
            for one in ((seed, seed + 1000) if options.blind else (seed,))
        ]
        return models[0], scores(name, *models)

    def taught(model: keras.Model, known: Dataset) -> dict:
        if not options.shares:
            return {}
        begun = time.process_time()
        found = scores("taught", self_taught(model, known, unlabelled, options, seed))
        return {**found, "taught_seconds": seconds_since(begun)}

    def report(arm: str, start: float, **found) -> None:
        row = {"source": plain.name, "samples": len(source), "arm": arm, "seed": seed}
        print(json.dumps({**row, **found, "seconds": seconds_since(start)}), flush=True)

    def seconds_since(start: float) -> float:
        return round(time.process_time() - start, 1)

    source = plain
    start = time.process_time()
    if "source alone" in options.arms and not options.blind:
        report("source as it is", start, **learnt(plain, "mnist")[1])
        start = time.process_time()
    source = varied(plain, options.variants, seed, bend=options.bend, weight=options.weight)
    judge, found = learnt(source, "mnist")
    if "source alone" in options.arms:
        report("source alone", start, **found, **taught(judge, source))
    for arm in options.arms:
        if arm == "source alone":
            continue
        start = time.process_time()
        gan = translator(Domains(source, train), judge, arm, options)
        spent = seconds_since(start)
        made = gan.translate(source.as_float(), "a_to_b")
        translated = Dataset(arm, made, source.labels, source.class_names)
        adapted, found = learnt(translated, "mnist")
        # The other way to use a translator: real digits in the style of the source.
        back = gan.translate(scores.images, "b_to_a")
        there = judge.predict(back, batch_size=1000, verbose=0)
        mean = softmax(scores.logits(adapted), axis=-1) + softmax(there, axis=-1)
        found |= scores.of_logits("judged in the source", there, scores.logits(adapted))
        found |= scores.of_logits("both", np.log(mean / 2))
        found |= taught(adapted, translated)
        report(arm, start, steps=options.steps, gan_seconds=spent, **found)
        if options.picture is not None:
            rows = np.random.default_rng(0).permutation(len(source))[:20]
            shown = [source.take(rows).as_float(), made[rows], scores.images[:20], back[:20]]
            options.picture.mkdir(parents=True, exist_ok=True)
            name = f"{plain.name}-{arm.replace(' ', '-')}-{seed}.png"
            kgan.pictures.save_image(
                kgan.pictures.grid(np.concatenate(shown), 20), options.picture / name
            )


if __name__ == "__main__":
    main()
