"""How much of a font a GAN of letters knows from one of them.

    python benchmarks/letters.py FONTS --out letters.npz
    kgan train mnist --data letters.npz --name letters
    python benchmarks/one_letter.py runs/letters/checkpoints/best.keras letters.npz

Of each held-out font one letter, drawn at random, is given. The latents whose sample is nearest to
it make the other 25, as `kgan latents --show classes` does; they are compared with the font's own.
Beside: the letters of the training font whose given letter is nearest in its pixels, and the mean
of each letter over the training fonts, which is best for squared errors where the style is unknown.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

import kgan.data
import kgan.latents
import kgan.models
from kgan.data import Dataset
from kgan.metrics.image_quality import psnr, ssim
from kgan.models.unclipped import unclipped


def alphabets(data: Dataset) -> np.ndarray:
    """float32 (fonts, letters, height, width, 1), where the letters come in turn."""
    letters = len(data.class_names or ())
    assert (data.labels == np.arange(len(data)) % letters).all(), (
        "not a set of benchmarks/letters.py"
    )
    return data.as_float().reshape(-1, letters, *data.sample_shape)


def made_of(
    gan: kgan.models.GAN, given: np.ndarray, labels: np.ndarray, options: argparse.Namespace
) -> np.ndarray:
    """The alphabets of the latents that are nearest to one letter each."""
    starts = tf.random.stateless_normal(
        [options.starts, len(given), gan.latent_dim], [options.seed, 1]
    )
    make, many = unclipped(gan.ema_generator), tf.tile(tf.constant(labels), [options.starts])
    found = kgan.latents.project(
        lambda latents: make(latents, many),
        given,
        starts,
        steps=options.steps,
        learning_rate=0.05,
        pull=options.pull,
    )
    print(f"the given letters: found to {found.psnr.mean():.1f} dB")
    letters = np.arange(gan.num_classes)
    return np.stack(
        [gan.decode(np.repeat(one[None], len(letters), 0), letters) for one in found.points]
    )


def main(options: argparse.Namespace) -> None:
    gan = kgan.models.load(options.model)
    known = alphabets(kgan.data.load(str(options.data)))
    truth = alphabets(kgan.data.load(str(options.data), "test"))
    letters = truth.shape[1]
    labels = np.random.default_rng(options.seed).integers(0, letters, len(truth), np.int32)
    given = truth[np.arange(len(truth)), labels]
    apart = np.square(known[:, labels] - given).mean(axis=(2, 3, 4))
    ways = {
        "generator": made_of(gan, given, labels, options),
        "nearest training font": known[apart.argmin(axis=0)],
        "mean letters": np.broadcast_to(known.mean(axis=0), truth.shape),
    }
    other = np.arange(letters) != labels[:, None]
    rows = {}
    for name, made in ways.items():
        rows[name] = {
            "psnr": float(psnr(made[other], truth[other]).mean()),
            "ssim": float(ssim(made[other], truth[other]).mean()),
        }
        print(name, {key: round(value, 3) for key, value in rows[name].items()})
    options.out.write_text(json.dumps({"fonts": len(truth), "ways": rows}, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="A .keras file of a GAN of classes.")
    parser.add_argument("data", type=Path, help="A file that benchmarks/letters.py wrote.")
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pull", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("one_letter.json"))
    main(parser.parse_args())
