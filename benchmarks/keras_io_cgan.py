"""The conditional GAN of keras.io's examples, for the same time as kgan's preset.

    python benchmarks/keras_io_cgan.py --seconds 740 --out fakes.npz

The architecture and settings of the published example (label maps beside the image, global max
pooling, Adam at 3e-4, labels with a little noise, batches of 64), written anew on its description;
it trains on the 60,000 training digits. Time counts steps only. Writes `--n` generated images with
balanced labels, which `kgan evaluate fakes.npz --data mnist` scores by the same extractor.
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import kgan.data

CLASSES, LATENT_DIM, BATCH = 10, 128, 64


def networks() -> tuple[keras.Model, keras.Model]:
    """The generator (from noise and one-hot label) and the discriminator (of image and maps)."""
    generator = keras.Sequential(
        [
            keras.Input((LATENT_DIM + CLASSES,)),
            layers.Dense(7 * 7 * (LATENT_DIM + CLASSES)),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((7, 7, LATENT_DIM + CLASSES)),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(1, 7, padding="same", activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1 + CLASSES)),
            layers.Conv2D(64, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(128, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def trainer(generator: keras.Model, discriminator: keras.Model):
    """The example's step: the discriminator on real and fake at once, then the generator."""
    d_optimizer, g_optimizer = keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4)
    d_optimizer.build(discriminator.trainable_variables)
    g_optimizer.build(generator.trainable_variables)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def with_maps(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        maps = tf.ones_like(images) * labels[:, None, None, :]
        return tf.concat([images, maps], axis=-1)

    def noise(labels: tf.Tensor) -> tf.Tensor:
        return tf.concat([tf.random.normal([tf.shape(labels)[0], LATENT_DIM]), labels], axis=1)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, classes: tf.Tensor) -> None:
        labels = tf.one_hot(classes, CLASSES)
        fakes = generator(noise(labels), training=True)
        both = tf.concat([with_maps(fakes, labels), with_maps(images, labels)], axis=0)
        truth = tf.concat([tf.ones([BATCH, 1]), tf.zeros([BATCH, 1])], axis=0)
        with tf.GradientTape() as tape:
            noisy = truth + 0.05 * tf.random.uniform(tf.shape(truth))
            loss = entropy(noisy, discriminator(both, training=True))
        d_optimizer.apply(tape.gradient(loss, discriminator.trainable_variables))
        with tf.GradientTape() as tape:
            fakes = with_maps(generator(noise(labels), training=True), labels)
            loss = entropy(tf.zeros([BATCH, 1]), discriminator(fakes, training=True))
        g_optimizer.apply(tape.gradient(loss, generator.trainable_variables))

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if (options.seconds is None) == (options.steps is None):
        parser.error("give --seconds or --steps")
    keras.utils.set_random_seed(options.seed)
    data = kgan.data.load("mnist", "train")
    generator, discriminator = networks()
    step = trainer(generator, discriminator)
    feed = iter(kgan.data.feed(data, BATCH, seed=options.seed))
    done, begin = 0, None
    while options.steps is None or done < options.steps:
        images, classes = next(feed)
        step(images, classes)
        done += 1
        begin = begin or time.perf_counter()  # The first step compiles.
        if options.seconds is not None and time.perf_counter() - begin >= options.seconds:
            break
    seconds = time.perf_counter() - (begin or 0.0)
    print(f"{done:,} steps, {done * BATCH / seconds:,.0f} images/s")
    classes = np.arange(options.n) % CLASSES
    images = []
    for start in range(0, options.n, 500):
        labels = tf.one_hot(classes[start : start + 500], CLASSES)
        noise = tf.concat([tf.random.normal([len(labels), LATENT_DIM]), labels], axis=1)
        images.append(generator(noise, training=False).numpy())
    np.savez_compressed(options.out, images=np.concatenate(images), labels=classes)


if __name__ == "__main__":
    main()
