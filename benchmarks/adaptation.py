"""Domain adaptation: a classifier of real handwriting that never saw a label of it.

    python benchmarks/adaptation.py --source fonts --fonts FOLDER --seed 0

A LeNet learns from labelled digits of the source: of fonts (TrueType and OpenType files anywhere in
FOLDER) or scikit-learn's. A CycleGAN learns to translate them to MNIST's style, from MNIST's
training images without their labels; what that LeNet takes a digit for, it must take its
translation for (`consistency`). A new LeNet learns from the translations, with the source's labels,
and both are tested on MNIST's test images. With `--variants 10` the source is each digit in ten
variants, turned, slanted and scaled a little, for all arms alike. The LeNet does not know MNIST, so
it judges the source's digits alone; an arm lets it judge both domains, as published. Others leave
out the cycle, the consistency, or both. Prints a row of JSON for each.

Reference: Hoffman et al. 2018, "CyCADA: cycle-consistent adversarial domain adaptation"
(arXiv:1711.03213).
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
import scipy.ndimage
from PIL import Image, ImageDraw, ImageFont

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
_SIDE, _BOX = 28, 20


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
    for path in sorted([*folder.rglob("*.ttf"), *folder.rglob("*.otf")]):
        font = ImageFont.truetype(str(path), 96)
        missing = _drawn(font, "\U0010ffff")
        glyphs = [_drawn(font, digit) for digit in "0123456789"]
        if any(one.max() == 0 or np.array_equal(one, missing) for one in glyphs):
            continue
        ten = np.stack([as_mnist(one) for one in glyphs])
        if len({one.tobytes() for one in ten}) == 10 and ten.tobytes() not in seen:
            seen.add(ten.tobytes())
            samples.extend(ten)
    labels = np.tile(np.arange(10, dtype=np.int32), len(seen))
    return Dataset("fonts", np.stack(samples)[..., None], labels, tuple("0123456789"))


def _drawn(font: ImageFont.FreeTypeFont, text: str) -> np.ndarray:
    image = Image.new("L", (256, 256))
    ImageDraw.Draw(image).text((64, 64), text, fill=255, font=font)
    return np.asarray(image)


def sklearn_digits() -> Dataset:
    """All of scikit-learn's handwritten digits, at MNIST's size."""
    digits = kgan.data.load("digits", "all")
    large = np.stack([as_mnist(_enlarged(one[..., 0])) for one in digits.samples])
    return Dataset("scikit-learn", large[..., None], digits.labels, digits.class_names)


def _enlarged(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC))


def varied(data: Dataset, variants: int, seed: int) -> Dataset:
    """Each digit that many times, by random affine maps about the middle."""
    random = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(data)), variants)
    middle = np.full(2, (_SIDE - 1) / 2)
    found = np.empty((len(rows), _SIDE, _SIDE, 1), np.uint8)
    for number, row in enumerate(rows):
        angle, slant = random.uniform(-0.25, 0.25), random.uniform(-0.4, 0.4)
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        back = turn @ np.array([[1, 0], [slant, 1]]) @ np.diag(random.uniform(0.9, 1.25, 2))
        offset = middle - back @ middle
        image = data.samples[row, ..., 0].astype(np.float32)
        moved = scipy.ndimage.affine_transform(image, back, offset, order=1)
        found[number, ..., 0] = np.clip(np.round(moved), 0, 255)
    return Dataset(data.name, found, data.labels[rows], data.class_names)


def classifier(data: Dataset, seed: int, *, epochs: int) -> keras.Model:
    """A LeNet (20 and 50 maps, 500 units) that learnt from these images and their labels."""
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
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(data.as_float(), data.labels, batch_size=64, epochs=epochs, verbose=0)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=("fonts", "sklearn"), default="sklearn")
    parser.add_argument("--fonts", type=Path, help="folder of font files, for --source fonts")
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--stages", type=int, default=2)
    parser.add_argument("--cycle", type=float, default=10.0)
    parser.add_argument("--variants", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--consistency", type=float, default=1.0)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir")
    parser.add_argument("--picture", type=Path, help="folder of a picture for each arm")
    options = parser.parse_args()
    if (options.source == "fonts") != (options.fonts is not None):
        parser.error("--fonts FOLDER belongs to --source fonts")
    source = sklearn_digits() if options.fonts is None else font_digits(options.fonts)
    epochs = options.epochs
    if options.variants > 1:
        source = varied(source, options.variants, options.seed)
        epochs = max(1, round(2 * epochs / options.variants))
    train, test = (
        kgan.data.load("mnist", split, data_dir=options.data_dir, download=False)
        for split in ("train", "test")
    )
    images = test.as_float()

    def report(arm: str, model: keras.Model, seconds: float, **more: float) -> None:
        accuracy = (model.predict(images, verbose=0).argmax(-1) == test.labels).mean()
        row = {"source": source.name, "samples": len(source), "arm": arm, "seed": options.seed}
        print(json.dumps({**row, "mnist": accuracy, "seconds": seconds, **more}), flush=True)

    def seconds_since(start: float) -> float:
        return round(time.process_time() - start, 1)

    start = time.process_time()
    judge = classifier(source, options.seed, epochs=epochs)
    report("source alone", judge, seconds_since(start))
    for arm in options.arms:
        start = time.process_time()
        gan = translator(Domains(source, train), judge, arm, options)
        spent = seconds_since(start)
        made = gan.translate(source.as_float(), "a_to_b")
        translated = Dataset(arm, made, source.labels, source.class_names)
        adapted = classifier(translated, options.seed, epochs=epochs)
        # The other way to use a translator: real digits in the style of the source.
        back = gan.translate(images, "b_to_a")
        there = (judge.predict(back, verbose=0).argmax(-1) == test.labels).mean()
        report(arm, adapted, spent, steps=options.steps, judged_in_the_source=there)
        if options.picture is not None:
            rows = np.random.default_rng(0).permutation(len(source))[:20]
            shown = [source.take(rows).as_float(), made[rows], images[:20], back[:20]]
            options.picture.mkdir(parents=True, exist_ok=True)
            name = f"{source.name}-{arm.replace(' ', '-')}-{options.seed}.png"
            kgan.pictures.save_image(
                kgan.pictures.grid(np.concatenate(shown), 20), options.picture / name
            )


if __name__ == "__main__":
    main()
