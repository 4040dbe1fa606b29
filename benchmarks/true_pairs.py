"""Translation of pairs whose truth is known: by the pairs (pix2pix), and without (CycleGAN, CUT).

    python benchmarks/true_pairs.py emoji FOLDER_A FOLDER_B --catalogue emoji.json --arm pix2pix
    python benchmarks/true_pairs.py glyphs uming.ttc ukai.ttc --minutes 5

`emoji` makes one vendor's emoji another's: folders of PNG files of equal names, such as the
packages emoji-datasource-twitter and emoji-datasource-google have them in img/*/64, and their
catalogue, emoji.json. A fifth of the base emoji is held out, with all variants of their skin, which
would tell them otherwise; scores are of the base emoji. `glyphs` makes characters of one font those
of another: all Chinese ones that both font files have, a tenth of them held out.

CycleGAN and CUT see the images of both sides in two orders, so no pair. Each arm trains for as many
processor minutes. Prints a row of JSON: L1, SSIM, and FID by the features of a small classifier
that learns from the training images of B, whose accuracy is printed first; beside the untranslated
images, the mean colour and the mean image of B. Its classes are the categories of emoji; of
characters, the twenty equal parts of their order in Unicode, which is that of their radicals.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from fontTools.ttLib import TTCollection
from PIL import Image, ImageDraw, ImageFont

import kgan.callbacks
import kgan.data
import kgan.pictures
from kgan.data import Dataset, Domains, Pairs
from kgan.metrics.feature_extractor import Extractor
from kgan.metrics.frechet import frechet_distance
from kgan.metrics.image_quality import psnr, ssim
from kgan.networks.classifiers import lenet
from kgan.recipes import RECIPES
from kgan.settings import PRESETS

ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "pix2pix": ("pix2pix", {"generator_width": 32, "discriminator_width": 32}),
    "L1 alone": ("pix2pix", {"generator_width": 32, "adversarial_weight": 0.0}),
    "cyclegan": ("cyclegan", {"generator_width": 16, "discriminator_width": 32}),
    "cut": ("cut", {"generator_width": 16, "discriminator_width": 32}),
}


_IDEOGRAPHS = range(0x4E00, 0xA000)
_PARTS, _FINER = 20, 4


def emoji(options: argparse.Namespace) -> tuple[Pairs, Pairs]:
    """Pairs to train on, and base emoji that are held out."""
    catalogue = json.loads(options.catalogue.read_text())
    categories = sorted({one["category"] for one in catalogue})
    order = np.random.default_rng(0).permutation(len(catalogue))
    held_out = set(order[: len(catalogue) // 5].tolist())
    rows: dict[bool, list[tuple[str, int]]] = {True: [], False: []}
    for number, one in enumerate(catalogue):
        names = [one["image"]]
        if number not in held_out:
            names += [variant["image"] for variant in one.get("skin_variations", {}).values()]
        label = categories.index(one["category"])
        rows[number in held_out] += [(name, label) for name in names]
    found = []
    for part in (False, True):
        there = [
            (name, label)
            for name, label in rows[part]
            if all((folder / name).is_file() for folder in (options.a, options.b))
        ]
        labels = np.array([label for _, label in there], np.int32)
        sides = [
            Dataset(
                folder.parent.name,
                np.stack([_on_white(folder / name, options.side) for name, _ in there]),
                labels,
                tuple(categories),
            )
            for folder in (options.a, options.b)
        ]
        found.append(Pairs(*sides))
    return found[0], found[1]


def _on_white(path: Path, side: int) -> np.ndarray:
    image = Image.open(path).convert("RGBA")
    whole = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return np.asarray(whole.resize((side, side), Image.Resampling.BOX))


def glyphs(options: argparse.Namespace) -> tuple[Pairs, Pairs]:
    """Black characters on white, of both fonts at one place and size; and some held out."""
    codes = [_codes(path) for path in (options.a, options.b)]
    common = sorted(set.intersection(*codes))
    labels = (np.arange(len(common)) * _PARTS // len(common)).astype(np.int32)
    held_out = np.zeros(len(common), bool)
    held_out[np.random.default_rng(0).permutation(len(common))[: len(common) // 10]] = True
    names = tuple(f"part {part}" for part in range(_PARTS))
    sides = []
    for path in (options.a, options.b):
        font = ImageFont.truetype(path, _FINER * (options.side - 2))
        images = np.stack([_drawn(chr(code), font, options.side) for code in common])
        sides.append(Dataset(path.stem, images[..., np.newaxis], labels, names))
    return (
        Pairs(*(one.take(np.flatnonzero(~held_out)) for one in sides)),
        Pairs(*(one.take(np.flatnonzero(held_out)) for one in sides)),
    )


def _codes(path: Path) -> set[int]:
    """The ideographs that a collection's first font has."""
    return set(TTCollection(path, lazy=True).fonts[0].getBestCmap()) & set(_IDEOGRAPHS)


def _drawn(text: str, font: ImageFont.FreeTypeFont, side: int) -> np.ndarray:
    image = Image.new("L", (_FINER * side, _FINER * side), 255)
    ImageDraw.Draw(image).text((_FINER, _FINER), text, 0, font)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


LOADERS = {"emoji": emoji, "glyphs": glyphs}


def extractor(data: Dataset) -> Extractor:
    """A LeNet of the classes; its features are what FID compares."""
    keras.utils.set_random_seed(0)
    model = lenet(data.sample_shape, len(data.class_names or ()), width=16)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(data.as_float(), data.labels, batch_size=64, epochs=8, verbose=0)
    return Extractor(model, name="lenet")


def trained(train: Pairs, arm: str, options: argparse.Namespace) -> tuple[Any, int, float]:
    """The model of an arm, its steps, and the processor seconds that they took."""
    preset, changes = ARMS[arm]
    settings = dataclasses.replace(
        PRESETS[preset],
        **changes,
        batch_size=options.batch_size,
        seed=options.seed,
        g_learning_rate=options.rate,
        d_learning_rate=options.rate,
        epochs=1,
        steps_per_epoch=1,
    )
    paired = preset == "pix2pix"
    data = train if paired else Domains(train.a, train.b)
    feed = kgan.data.feed_pairs if paired else kgan.data.feed_apart

    def fit(steps: int) -> tuple[Any, float]:
        recipe = RECIPES[settings.family](dataclasses.replace(settings, steps_per_epoch=steps))
        model = recipe.model(data)
        batches = feed(data, options.batch_size, seed=options.seed)
        # The first step traces its graph.
        model.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)
        start = time.process_time()
        model.fit(batches, steps_per_epoch=steps - 1, shuffle=False, verbose=0)
        return model, time.process_time() - start

    _, seconds = fit(16)
    steps = max(16, int(60 * options.minutes / (seconds / 15)))
    model, seconds = fit(steps)
    return model, steps, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=list(LOADERS))
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--catalogue", type=Path, help="of emoji")
    parser.add_argument("--arm", choices=list(ARMS), action="append")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("pairs"), help="folder of pictures")
    options = parser.parse_args()
    if (options.data == "emoji") != (options.catalogue is not None):
        parser.error("--catalogue FILE belongs to emoji")
    train, test = LOADERS[options.data](options)
    judge = extractor(train.b)
    truth = test.b.as_float()
    real = judge.features(train.b.as_float())

    def report(arm: str, images: np.ndarray, **more: Any) -> None:
        row = {
            "arm": arm,
            "l1": float(np.abs(images - truth).mean()),
            "psnr": float(psnr(images, truth).mean()),
            "ssim": float(ssim(images, truth).mean()),
            "fid": float(frechet_distance(real, judge.features(images))),
        }
        print(json.dumps({**row, **more}), flush=True)

    told = (judge.probabilities(truth).argmax(axis=1) == test.b.labels).mean()
    sizes = {"train": len(train), "held out": len(test), "side": options.side}
    print(json.dumps({**sizes, "judge": judge.label, "accuracy": round(float(told), 4)}))
    report("the truth", truth)
    report("untranslated", test.a.as_float())
    colour = train.b.as_float().mean(axis=(0, 1, 2)).astype(np.float32)
    report("mean colour", np.broadcast_to(colour, truth.shape))
    mean = train.b.as_float().mean(axis=0).astype(np.float32)
    report("mean image", np.broadcast_to(mean, truth.shape))
    options.out.mkdir(parents=True, exist_ok=True)
    some = np.random.default_rng(1).permutation(len(test))[:16]
    for arm in options.arm or list(ARMS):
        model, steps, seconds = trained(train, arm, options)
        report(arm, model.translate(test.a.as_float()), steps=steps, seconds=round(seconds))
        picture = kgan.callbacks.translated_pairs(
            model, test.a.take(some).as_float(), test.b.take(some).as_float()
        )
        model.save(options.out / f"{arm.replace(' ', '-')}.keras")
        kgan.pictures.save_image(picture, options.out / f"{arm.replace(' ', '-')}.png")


if __name__ == "__main__":
    main()
