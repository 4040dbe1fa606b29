"""Rare classes: what helps a classifier of MNIST whose classes have 4,000 to 40 images.

    python benchmarks/rare_classes.py --arms plain balanced logit --seeds 0 1 2 --out rare.jsonl

The counts are those of DeepSMOTE (Dablain et al. 2021, arXiv:2105.02340); here the classifier is
small and sees one split, so figures compare with each other, not with the paper's. All arms train
the same classifier for the same number of updates:

- plain; balanced, effective: how often a step shows each class; weights, effective-weights: of
  classes in the loss; logit: adjusted logits (Menon et al. 2021);
- smote: points between neighbouring images; latent-smote: between their codes by an autoencoder,
  which saw the same images; gan: the preset mnist, with DiffAugment; bagan: the same after a start
  as an autoencoder. Each fills all classes up to 4,000.

Accuracy is the mean over classes on the balanced test split. Prints a line of JSON for each arm and
seed.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

import kgan.data
import kgan.losses
import kgan.models
import kgan.networks
import kgan.penalties
from kgan.data import Dataset, order
from kgan.networks.classifiers import small_cnn
from kgan.recipes import GANRecipe
from kgan.settings.gan import PRESETS

COUNTS = (4000, 2000, 1000, 750, 500, 350, 200, 100, 60, 40)
ARMS = (
    "plain",
    "balanced",
    "effective",
    "weights",
    "effective-weights",
    "logit",
    "smote",
    "latent-smote",
    "gan",
    "bagan",
)
_BATCH, _BETA = 64, 0.9999


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--arms", nargs="*", default=ARMS, choices=ARMS)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--scale", type=float, default=1.0, help="of the classes' counts")
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--autoencoder-steps", type=int, default=1500)
    parser.add_argument("--gan-steps", type=int, default=1500)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    data, test = (kgan.data.load(given.data, split) for split in ("train", "test"))
    for seed in given.seeds:
        few = long_tail(data, seed, given.scale)
        for arm in given.arms:
            begin = time.process_time()
            accuracies = accuracy_of_classes(trained(arm, few, given, seed), test)
            line = json.dumps(
                {
                    "arm": arm,
                    "seed": seed,
                    "accuracy": round(float(accuracies.mean()), 4),
                    "rarest three": round(float(accuracies[-3:].mean()), 4),
                    "processor s": round(time.process_time() - begin),
                }
            )
            print(line, flush=True)
            if given.out is not None:
                with given.out.open("a") as file:
                    file.write(line + "\n")


def long_tail(data: Dataset, seed: int, scale: float) -> Dataset:
    """As many images of each class as `COUNTS` has."""
    shuffled = np.random.default_rng(seed).permutation(len(data))
    assert data.labels is not None
    classes = data.labels[shuffled]
    rows = [
        shuffled[classes == label][: max(2, round(scale * count))]
        for label, count in enumerate(COUNTS)
    ]
    return data.take(np.sort(np.concatenate(rows)))


def trained(arm: str, few: Dataset, given: argparse.Namespace, seed: int) -> keras.Model:
    """A classifier by one of the arms."""
    counts = kgan.data.class_counts(few)
    labels = few.labels
    assert labels is not None
    rows, loss = None, kgan.losses.RareClassCrossentropy(counts.tolist())
    if arm == "balanced":
        rows = order.balanced(labels, _BATCH, seed=seed)
    elif arm == "effective":
        weights = kgan.losses.effective_weights(counts, beta=_BETA)
        rows = order.weighted(labels, weights, _BATCH, seed=seed)
    elif arm in ("weights", "effective-weights"):
        beta = 1.0 if arm == "weights" else _BETA
        weights = kgan.losses.effective_weights(counts, beta=beta)
        loss = kgan.losses.RareClassCrossentropy(counts.tolist(), weights=weights.tolist())
    elif arm == "logit":
        loss = kgan.losses.RareClassCrossentropy(counts.tolist(), adjustment=1.0)
    elif arm == "smote":
        few = kgan.data.fill(few, _smote(few), seed=seed)
    elif arm == "latent-smote":
        few = kgan.data.fill(few, _latent_smote(few, given.autoencoder_steps, seed), seed=seed)
    elif arm in ("gan", "bagan"):
        start = given.autoencoder_steps if arm == "bagan" else 0
        few = kgan.data.fill(few, _gan(few, given.gan_steps, start, seed), seed=seed)
    keras.utils.set_random_seed(seed)
    model = small_cnn(few.sample_shape, 10, width=16)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, given.updates)
    model.compile(keras.optimizers.Adam(rate), loss)
    batches = kgan.data.feed(few, _BATCH, seed=seed, order=rows)
    model.fit(batches, steps_per_epoch=given.updates, shuffle=False, verbose=0)
    return model


def accuracy_of_classes(model: keras.Model, test: Dataset) -> np.ndarray:
    """Share of each class's images that are told, (classes,)."""
    told = model.predict(test.as_float(), batch_size=500, verbose=0).argmax(axis=1)
    return np.array([(told[test.labels == label] == label).mean() for label in range(10)])


def _smote(few: Dataset) -> kgan.data.fakes.Generate:
    images = few.as_float()

    def generate(n: int, labels: np.ndarray, seed: int) -> np.ndarray:
        flat = images.reshape(len(images), -1)
        made = kgan.data.smote(flat, few.labels, labels, seed=seed)
        return made.reshape(n, *few.sample_shape)

    return generate


def _latent_smote(few: Dataset, steps: int, seed: int) -> kgan.data.fakes.Generate:
    """SMOTE among the codes of an autoencoder of the same images, after DeepSMOTE."""
    keras.utils.set_random_seed(seed)
    images = keras.Input(few.sample_shape)
    features = images
    for width in (16, 32):
        features = layers.Conv2D(width, 4, 2, padding="same", activation="relu")(features)
    encoder = keras.Model(images, layers.Dense(64)(layers.Flatten()(features)))
    codes = keras.Input((64,))
    side = few.sample_shape[0] // 4
    features = layers.Reshape((side, side, 32))(
        layers.Dense(32 * side * side, activation="relu")(codes)
    )
    features = layers.Conv2DTranspose(16, 4, 2, padding="same", activation="relu")(features)
    made = layers.Conv2DTranspose(few.sample_shape[-1], 4, 2, padding="same", activation="sigmoid")(
        features
    )
    decoder = keras.Model(codes, made)
    both = keras.Model(images, decoder(encoder(images)))
    both.compile(keras.optimizers.Adam(1e-3), "mse")
    # All classes alike, as the codes of rare ones matter most.
    rows = order.balanced(few.labels, _BATCH, seed=seed)
    batches = kgan.data.feed(few, _BATCH, seed=seed, labels=False, order=rows)
    both.fit(batches.map(lambda x: (x, x)), steps_per_epoch=steps, shuffle=False, verbose=0)
    latents = encoder.predict(few.as_float(), batch_size=500, verbose=0)

    def generate(n: int, labels: np.ndarray, seed: int) -> np.ndarray:
        between = kgan.data.smote(latents, few.labels, labels, seed=seed)
        return decoder.predict(between, batch_size=500, verbose=0)

    return generate


def _gan(few: Dataset, steps: int, start: int, seed: int) -> kgan.data.fakes.Generate:
    settings = dataclasses.replace(
        PRESETS["mnist"],
        augment="diffaugment",
        batch_size=_BATCH,
        seed=seed,
        autoencoder_steps=start,
        # All classes alike, as for the others.
        sampling="balanced",
    )
    recipe = GANRecipe(settings)
    gan = recipe.model(few)
    recipe.begin(gan, few)
    gan.fit(recipe.feed(few), steps_per_epoch=steps, shuffle=False, verbose=0)
    return lambda n, labels, seed: gan.generate(n, labels, seed=seed)


if __name__ == "__main__":
    main()
