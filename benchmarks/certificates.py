"""Certified accuracy on MNIST: interval training and bounds, randomised smoothing; attacks above.

    TFDS_DATA_DIR=... python benchmarks/certificates.py [interval|smoothing] [--network middle]

Interval: a convolutional network trained by `IntervalTraining` for twice the radius of the
test at .1, and .4 for .3 (Gowal et al. 2018); verified error on the test split, and PGD's on 1,000
images of it: the true error lies between. Smoothing: the same network trained on noise; certified
accuracy of 500 images in l2 (Cohen et al. 2019).
"""

import argparse
import time

import keras
import numpy as np

import kgan.data
from kgan.attacks import PGD
from kgan.certificates import SmoothedClassifier, certified, certified_accuracy
from kgan.defenses import IntervalTraining

SIGMAS = (0.25, 0.5)
RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


# Channels, kernel and stride of convolutions, and units of the dense layer; small is the paper's.
NETWORKS = {
    "small": (((16, 4, 2), (32, 4, 1)), 100),
    "middle": (((32, 5, 2), (64, 4, 2)), 512),
}


def network(name: str, noise: float = 0.0) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    convolutions, units = NETWORKS[name]
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            *([layers.GaussianNoise(noise)] if noise else []),
            *(layers.Conv2D(n, k, strides=s, activation="relu") for n, k, s in convolutions),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            layers.Dense(10),
        ]
    )


def rates(epochs: int) -> keras.optimizers.schedules.LearningRateSchedule:
    steps = 600 * epochs
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [int(0.6 * steps), int(0.85 * steps)], [1e-3, 1e-4, 1e-5]
    )


def interval(images, labels, test_images, test_labels, options) -> None:
    epochs = options.epochs
    print("| radius of the test | trained for | clean | PGD-40 | verified | s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for radius, trained in ((0.1, 0.2), (0.3, 0.4)):
        if radius not in options.radii:
            continue
        model = network(options.network)
        steps = 600 * epochs
        training = IntervalTraining(model, epsilon=trained, warmup=steps // 30, ramp=steps // 2)
        training.compile(keras.optimizers.Adam(rates(epochs)), metrics=["accuracy"])
        begin = time.perf_counter()
        training.fit(images, labels, batch_size=100, epochs=epochs, verbose=0)
        seconds = time.perf_counter() - begin
        right = model.predict(test_images, batch_size=500, verbose=0).argmax(1) == test_labels
        safe = certified(model, test_images, test_labels, epsilon=radius)
        attack = PGD(radius, steps=40, step_size=radius / 10)
        fooled = attack.run(model, test_images[:1000], test_labels[:1000]).success
        assert not (fooled & safe[:1000]).any(), "an attack contradicts a certificate"
        print(
            f"| {radius} | {trained} | {1 - right.mean():.2%} | {fooled.mean():.1%} "
            f"| {1 - safe.mean():.2%} | {seconds:.0f} |",
            flush=True,
        )


def smoothing(images, labels, test_images, test_labels, options) -> None:
    epochs = options.epochs
    print("| sigma | " + " | ".join(f"{radius:g}" for radius in RADII) + " | undecided | s |")
    print("| --- " * (len(RADII) + 3) + "|")
    rows = np.random.default_rng(0).permutation(len(test_images))[:500]
    for sigma in SIGMAS:
        model = network(options.network, sigma)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rates(epochs)), loss)
        model.fit(images, labels, batch_size=100, epochs=epochs, verbose=0)
        begin = time.perf_counter()
        smoothed = SmoothedClassifier(model, sigma, batch_size=1000)
        classes, radii = smoothed.certify(test_images[rows], n=10_000)
        shares = certified_accuracy(classes, radii, test_labels[rows], RADII)
        figures = " | ".join(f"{share:.1%}" for share in shares)
        seconds = time.perf_counter() - begin
        print(f"| {sigma} | {figures} | {np.mean(classes < 0):.1%} | {seconds:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["interval", "smoothing"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--network", choices=NETWORKS, default="small")
    parser.add_argument("--radii", nargs="+", type=float, default=[0.1, 0.3])
    options = parser.parse_args()
    train, test = kgan.data.load("mnist"), kgan.data.load("mnist", "test")
    data = train.as_float(), train.labels, test.as_float(), test.labels
    for what in options.what:
        {"interval": interval, "smoothing": smoothing}[what](*data, options)


if __name__ == "__main__":
    main()
