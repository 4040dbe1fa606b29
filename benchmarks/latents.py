"""What the latents of a GAN of MNIST's digits mean, in figures.

    python benchmarks/latents.py runs/presets/stylegan2.keras --out latents.json

For a generator with styles: whose class a mixed sample has, by the layer where the styles change
hands; FID, precision and recall by truncation; how near a projection comes to images of the test
split and to the generator's own samples, by search alone, by the encoder, and by search from its
guess; the lengths of steps in the styles, which the path length regularisation makes equal. For any
other: the truncation of its latents, with the batch statistics of training and with standing ones.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import kgan.data
import kgan.evaluation
import kgan.latents
import kgan.metrics.extractor
import kgan.models
import kgan.networks
import kgan.pictures
import kgan.random
from kgan.files import atomic_path
from kgan.generator_penalties import PathLength
from kgan.metrics.measure import measure
from kgan.models.standing import stand_for
from kgan.pixels import visible

SHARES = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0, 1.2)
LIMITS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, None)


class Digits:
    """A generator of digits, and what judges it."""

    def __init__(self, gan: kgan.models.GAN, n: int):
        self.gan, self.n = gan, n
        self.data = kgan.data.load("mnist", "train")
        self.judge = kgan.metrics.extractor.extractor("lenet-mnist")
        self.real = self.sample_set(self.data.samples, self.data.labels).random(n)
        self.labels = None if gan.num_classes is None else self.real.labels

    def sample_set(self, images: np.ndarray, labels: Any) -> kgan.evaluation.SampleSet:
        kind = self.data.kind
        return kgan.evaluation.SampleSet(images, labels, kind=kind, extractor=self.judge)

    def classes(self, images: Any) -> np.ndarray:
        return self.judge.probabilities(np.asarray(images)).argmax(axis=1)

    def scores(self, images: np.ndarray) -> dict[str, float]:
        fake = self.sample_set(images, self.labels)
        found = measure("fid", self.real, fake, None)
        found |= measure("prdc", self.real, fake, None)
        return {name: float(found[name]) for name in ("fid", "precision", "recall")}

    def styles(self, n: int, seed: int, labels: Any) -> tf.Tensor:
        latents = kgan.latents.from_seeds(kgan.latents.example_seeds(seed, n), self.gan.latent_dim)
        given = None if labels is None else tf.constant(labels)
        return self.gan.styles().styles(latents, given)


def in_parts(function: Callable[..., tf.Tensor], *rows: Any, size: int = 250) -> np.ndarray:
    parts = range(0, len(rows[0]), size)
    run = tf.function(function, reduce_retracing=True)
    return np.concatenate([run(*(one[i : i + size] for one in rows)).numpy() for i in parts])


def mixing(digits: Digits, pairs: int) -> list[dict[str, float]]:
    """Of pairs of samples of two classes, whose class the mixed sample has."""
    styled = digits.gan.styles()
    count = styled.shape[0]
    first = second = None
    if digits.gan.num_classes is not None:
        first = np.arange(pairs, dtype=np.int32) % 10
        second = (first + 1 + np.arange(pairs, dtype=np.int32) // 10 % 9) % 10
    coarse, fine = digits.styles(pairs, 1, first), digits.styles(pairs, 2, second)
    ends = [digits.classes(in_parts(styled.images, one)) for one in (coarse, fine)]
    kept = ends[0] != ends[1]
    found = []
    for layer in range(count + 1):
        mixed = in_parts(
            lambda a, b, layer=layer: styled.images(styled.mixed(a, b, layer)), coarse, fine
        )
        told = digits.classes(mixed)
        shares = [float((told == one)[kept].mean()) for one in ends]
        found.append(
            {"layer": layer, "of_coarse": shares[0], "of_fine": shares[1], "pairs": int(kept.sum())}
        )
        print(found[-1], flush=True)
    return found


def truncation(digits: Digits) -> list[dict[str, Any]]:
    gan, found = digits.gan, []
    styled = "mapping" in {layer.name for layer in gan.ema_generator.layers}
    for share in SHARES if styled else LIMITS:
        seed = {"seed": 1}
        if share is None:
            images = gan.generate(digits.n, digits.labels, **seed)
        else:
            images = gan.generate_truncated(digits.n, share, digits.labels, **seed)
        found.append({"truncation": share, **digits.scores(images)})
        print(found[-1], flush=True)
    if not styled:
        before = gan.ema_generator.get_weights()
        for limit in LIMITS[:-1]:
            stand_for(gan, 16, truncation=limit)
            images = gan.generate_truncated(digits.n, limit, digits.labels, seed=1)
            found.append({"truncation": limit, "standing": True, **digits.scores(images)})
            print(found[-1], flush=True)
            gan.ema_generator.set_weights(before)
    return found


def projections(digits: Digits, options: argparse.Namespace) -> dict[str, Any]:
    gan, styled, n = digits.gan, digits.gan.styles(), options.images
    test = kgan.data.load("mnist", "test")
    rows = np.random.default_rng(0).permutation(len(test))[:n]
    held = test.take(rows).as_float()
    own = gan.generate(n, None, seed=9)
    classes = gan.num_classes

    def draw(seed: tf.Tensor, m: int) -> tf.Tensor:
        labels = None if classes is None else tf.range(m) % classes
        return styled.styles(kgan.random.stateless_normal(seed, [m, gan.latent_dim]), labels)

    def starts(restarts: int) -> tf.Tensor:
        found = draw(kgan.random.step_seed(3, 0, "starts"), restarts * n)
        return tf.reshape(styled.truncated(found, 0.5), [restarts, n, *styled.shape])

    many = draw(kgan.random.step_seed(0, 0, "styles"), 2000)[:, 0].numpy()
    network = kgan.networks.style_encoder(gan.sample_shape, *styled.shape)
    encoder = kgan.latents.Encoder(network, many.mean(axis=0), many.std(axis=0))
    began = time.process_time()
    errors = kgan.latents.train_encoder(
        encoder,
        styled.unclipped_images,
        draw,
        images=digits.data.samples,
        steps=options.encoder_steps,
    )
    found: dict[str, Any] = {
        "encoder_minutes": (time.process_time() - began) / 60,
        "encoder_error": float(errors[-100:].mean()),
    }
    print(found, flush=True)

    def features(images: tf.Tensor) -> tf.Tensor:
        return digits.judge._features(tf.clip_by_value(images, 0.0, 1.0), training=False)

    def search(images: np.ndarray, start: tf.Tensor, steps: int, **more: Any) -> np.ndarray:
        return kgan.latents.project(
            styled.unclipped_images, images, start, steps=steps, learning_rate=0.05, **more
        ).images

    def guess(images: np.ndarray) -> np.ndarray:
        return np.asarray(styled.images(encoder(tf.constant(images))))

    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "encoder": guess,
        "encoder, 100 steps": lambda x: search(x, encoder(tf.constant(x))[None], 100, noise=0.0),
        "1 start, 100 steps": lambda x: search(x, starts(1), 100),
        "1 start, 400 steps": lambda x: search(x, starts(1), 400),
        "4 starts, 100 steps": lambda x: search(x, starts(4), 100),
        "1 start, 100 steps, features": lambda x: search(
            x, starts(1), 100, features=features, feature_weight=0.01
        ),
    }
    pictures = [held]
    for name, way in ways.items():
        for what, images in (("held out", held), ("own", own)):
            began = time.process_time()
            made = way(images)
            seconds = (time.process_time() - began) / n
            squares = ((made - images) ** 2).mean(axis=(1, 2, 3))
            apart = digits.judge.features(made) - digits.judge.features(images)
            found[f"{name}: {what}"] = {
                "psnr": float((-10 * np.log10(np.maximum(squares, 1e-12))).mean()),
                "psnr_worst_tenth": float(
                    np.quantile(-10 * np.log10(np.maximum(squares, 1e-12)), 0.1)
                ),
                "features": float(np.linalg.norm(apart, axis=1).mean()),
                "same_class": float((digits.classes(made) == digits.classes(images)).mean()),
                "seconds": seconds,
            }
            print(name, what, found[f"{name}: {what}"], flush=True)
            if what == "held out":
                pictures.append(made)
    between = digits.judge.features(held) - digits.judge.features(held[::-1].copy())
    found["features_between_two_images"] = float(np.linalg.norm(between, axis=1).mean())
    cells = np.stack([one[:12] for one in pictures]).reshape(-1, *gan.sample_shape)
    picture = kgan.pictures.grid(visible(cells, digits.data.kind.shown), 12)
    kgan.pictures.save_image(picture, options.out.with_suffix(".png"))
    return found


def lengths(digits: Digits) -> dict[str, float]:
    """Of steps in the styles: their mean, and their deviation as a share of it."""
    gan, penalty = digits.gan, PathLength(1.0)
    penalty.average_length.assign(1e-6)
    found = []
    for number in range(16):
        seed = kgan.random.step_seed(5, number, "lengths")
        latents = kgan.random.normal(seed, [64, gan.latent_dim])
        labels = None if gan.num_classes is None else tf.range(64) % 10
        with kgan.random.drawing(seed):
            values = penalty.evaluate(gan.ema_generator, latents, labels, seed).values
        found.append(np.sqrt(values.numpy()) + 1e-6)
    every = np.concatenate(found)
    return {"mean": float(every.mean()), "deviation": float(every.std() / every.mean())}


def main(options: argparse.Namespace) -> None:
    digits = Digits(kgan.models.load(options.gan), options.n)
    record: dict[str, Any] = {"gan": options.gan.name, "n": options.n}
    parts: dict[str, Callable[[], Any]] = {"truncation": lambda: truncation(digits)}
    if "mapping" in {layer.name for layer in digits.gan.ema_generator.layers}:
        parts |= {
            "lengths": lambda: lengths(digits),
            "mixing": lambda: mixing(digits, options.pairs),
            "projection": lambda: projections(digits, options),
        }
    for name in options.parts or parts:
        record[name] = parts[name]()
        with atomic_path(options.out) as path:
            path.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gan", type=Path, help="A .keras file.")
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--encoder-steps", type=int, default=3000)
    parser.add_argument("--parts", nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("latents.json"))
    main(parser.parse_args())
