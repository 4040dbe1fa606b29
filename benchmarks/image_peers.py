"""What others' GANs of images reach in the processor time that `image_presets.py` gives to kgan.

    export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
    python benchmarks/image_peers.py keras-io-dcgan --data cifar10 --extractor judge.keras

The contestants, in the settings that they are published with, written anew on their descriptions:

- `keras-io-dcgan`: keras.io's DCGAN of faces: three strided convolutions each way (two, where the
  side is not divisible by 8), Adam at 1e-4, noisy labels, batches of 32; without classes.
- `keras-io-cgan`: keras.io's conditional GAN: label maps beside the image, global max pooling, Adam
  at 3e-4, noisy labels, batches of 64.
- `stylegan2-pytorch`: that package (1.9; pip, --no-deps, with its imports) in its default settings,
  but of 16 to 128 channels (256 at 64 pixels) and latents of 128: hinge loss, R1 and R2 of
  weight 10 every 4 steps, Adam at 2e-4 and 3e-4 with a beta_1 of .5, style mixing; batches of 32
  (it gathers 30 in parts). Without classes; sides that are no power of two are padded by black.
  Below 20,000 steps its average is a copy of the weights, taken every 1,000 steps, and below 5,000
  it has no path length term: neither is here. Its training loop asks for a GPU, so the step is
  written anew around its networks. Samples are not truncated.
"""

import argparse
import contextlib
import os
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # As for kgan.

# PyTorch's optimizers crash where it comes after TensorFlow.
with contextlib.suppress(ModuleNotFoundError):
    import torch
    import torch._dynamo  # isort: skip

import keras
import numpy as np
import tensorflow as tf
from image_scores import Clock, Scores, add_options, asked_data
from keras import layers

from kgan.data import Dataset

_PART = 500


class Contestant(NamedTuple):
    """A training step of (images in [0, 1], labels), a generator, and the numbers of weights."""

    batch: int
    step: Callable[[np.ndarray, np.ndarray | None], Any]
    generate: Callable[[int, np.ndarray | None], np.ndarray]
    parameters: list[int]
    conditional: bool = False


def keras_io_dcgan(data: Dataset) -> Contestant:
    side, _, channels = data.sample_shape
    stages, latents, batch = (3 if side % 8 == 0 else 2), 128, 32
    first = side >> stages
    generator = keras.Sequential([keras.Input((latents,)), layers.Dense(first * first * 128)])
    generator.add(layers.Reshape((first, first, 128)))
    for width in (128, 256, 512)[:stages]:
        generator.add(layers.Conv2DTranspose(width, 4, strides=2, padding="same"))
        generator.add(layers.LeakyReLU(negative_slope=0.2))
    generator.add(layers.Conv2D(channels, 5, padding="same", activation="sigmoid"))
    discriminator = keras.Sequential([keras.Input(data.sample_shape)])
    for width in (64, 128, 128)[:stages]:
        discriminator.add(layers.Conv2D(width, 4, strides=2, padding="same"))
        discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Flatten())
    discriminator.add(layers.Dropout(0.2))
    discriminator.add(layers.Dense(1))

    def noise(labels: tf.Tensor) -> tf.Tensor:
        return tf.random.normal([tf.shape(labels)[0], latents])

    return _keras_io(generator, discriminator, noise, lambda images, _: images, 1e-4, batch)


def keras_io_cgan(data: Dataset) -> Contestant:
    side, _, channels = data.sample_shape
    assert data.class_names is not None, "this contestant needs classes"
    classes, latents, batch = len(data.class_names), 128, 64
    first = side // 4
    generator = keras.Sequential(
        [
            keras.Input((latents + classes,)),
            layers.Dense(first * first * (latents + classes)),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((first, first, latents + classes)),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(channels, first, padding="same", activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((side, side, channels + classes)),
            layers.Conv2D(64, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(128, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1),
        ]
    )

    def noise(labels: tf.Tensor) -> tf.Tensor:
        drawn = tf.random.normal([tf.shape(labels)[0], latents])
        return tf.concat([drawn, tf.one_hot(labels, classes)], axis=1)

    def shown(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        maps = tf.one_hot(labels, classes)[:, None, None]
        maps = tf.broadcast_to(maps, [*images.shape[:-1], classes])
        return tf.concat([images, maps], axis=-1)

    made = _keras_io(generator, discriminator, noise, shown, 3e-4, batch)
    return made._replace(conditional=True)


def _keras_io(
    generator: keras.Model,
    discriminator: keras.Model,
    noise: Callable[[tf.Tensor], tf.Tensor],
    shown: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    rate: float,
    batch: int,
) -> Contestant:
    """The examples' step: the discriminator on real and fake at once, then the generator."""
    d_optimizer, g_optimizer = keras.optimizers.Adam(rate), keras.optimizers.Adam(rate)
    d_optimizer.build(discriminator.trainable_variables)
    g_optimizer.build(generator.trainable_variables)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, labels: tf.Tensor) -> None:
        fakes = tf.ensure_shape(generator(noise(labels), training=True), images.shape)
        both = tf.concat([shown(fakes, labels), shown(images, labels)], axis=0)
        truth = tf.concat([tf.ones([batch, 1]), tf.zeros([batch, 1])], axis=0)
        with tf.GradientTape() as tape:
            noisy = truth + 0.05 * tf.random.uniform(tf.shape(truth))
            loss = entropy(noisy, discriminator(both, training=True))
        d_optimizer.apply(tape.gradient(loss, discriminator.trainable_variables))
        with tf.GradientTape() as tape:
            fakes = tf.ensure_shape(generator(noise(labels), training=True), images.shape)
            loss = entropy(tf.zeros([batch, 1]), discriminator(shown(fakes, labels), training=True))
        g_optimizer.apply(tape.gradient(loss, generator.trainable_variables))

    def generate(count: int, labels: np.ndarray | None) -> np.ndarray:
        classes = np.zeros(count, np.int32) if labels is None else labels
        parts = (classes[start : start + _PART] for start in range(0, count, _PART))
        return np.concatenate([generator(noise(tf.constant(one))).numpy() for one in parts])

    def given(images: np.ndarray, labels: np.ndarray | None) -> None:
        classes = np.zeros(len(images), np.int32) if labels is None else labels
        step(tf.constant(images), tf.constant(classes))

    parameters = [generator.count_params(), discriminator.count_params()]
    return Contestant(batch, given, generate, parameters)


def stylegan2_pytorch(data: Dataset) -> Contestant:
    theirs = package()
    own, _, channels = data.sample_shape
    side, batch, every = 1 << (own - 1).bit_length(), 32, 4
    edge = (side - own) // 2
    # As its trainer makes it, but on the processor.
    theirs.StyleGAN2.cuda = lambda self, *_: self
    # Its averaged copy knows no other bound of the channels than the default.
    gan = theirs.StyleGAN2(side, 128, network_capacity=8, lr=2e-4, ttur_mult=1.5)
    mapping, generator, discriminator = gan.S, gan.G, gan.D
    random = np.random.default_rng(0)
    count = 0

    def images(n: int, mixed: bool) -> torch.Tensor:
        one, other = (mapping(torch.randn(n, generator.latent_dim)) for _ in range(2))
        depth = generator.num_layers
        cut = int(torch.randint(depth, ())) if mixed else depth
        styles = torch.stack([one] * cut + [other] * (depth - cut), 1)
        return generator(styles, torch.rand(n, side, side, 1))

    def penalty(seen: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        (slope,) = torch.autograd.grad(logits.sum(), seen, create_graph=True)
        return 10 * slope.square().sum((1, 2, 3)).mean()

    def step(real: np.ndarray, labels: np.ndarray | None) -> None:
        nonlocal count
        edges = [(0, 0), (edge, side - own - edge), (edge, side - own - edge), (0, 0)]
        padded = np.pad(real, edges).transpose(0, 3, 1, 2)
        seen = torch.tensor(np.repeat(padded, 3 // channels, axis=1))
        gan.D_opt.zero_grad()
        with torch.no_grad():
            fake = images(batch, random.random() < 0.9)
        for one in (seen, fake):
            one.requires_grad_(count % every == 0)
        logits, wrong = discriminator(seen)[0], discriminator(fake)[0]
        # Its logits are low for what is real.
        loss = (1 + logits).relu().mean() + (1 - wrong).relu().mean()
        if seen.requires_grad:
            loss = loss + penalty(seen, logits) + penalty(fake, wrong)
        loss.backward()
        gan.D_opt.step()
        gan.G_opt.zero_grad()
        discriminator(images(batch, random.random() < 0.9))[0].mean().backward()
        gan.G_opt.step()
        count += 1

    def generate(n: int, labels: np.ndarray | None) -> np.ndarray:
        with torch.no_grad():
            parts = [images(min(_PART, n - start), False) for start in range(0, n, _PART)]
        found = torch.cat(parts).clamp(0, 1).permute(0, 2, 3, 1).numpy()
        found = found[:, edge : edge + own, edge : edge + own]
        return found if channels == 3 else found.mean(axis=-1, keepdims=True)

    networks = (torch.nn.ModuleList([mapping, generator]), discriminator)
    parameters = [sum(p.numel() for p in one.parameters()) for one in networks]
    return Contestant(batch, step, generate, parameters)


def package() -> Any:
    """The module of stylegan2-pytorch, which asks at import for a GPU and more."""
    available, torch.cuda.is_available = torch.cuda.is_available, lambda: True
    for name, contents in (("aim", []), ("vector_quantize_pytorch", ["VectorQuantize"])):
        module = types.ModuleType(name)
        for content in contents:
            setattr(module, content, None)
        sys.modules.setdefault(name, module)
    from stylegan2_pytorch import stylegan2_pytorch

    torch.cuda.is_available = available
    return stylegan2_pytorch


CONTESTANTS: dict[str, Callable[[Dataset], Contestant]] = {
    "keras-io-dcgan": keras_io_dcgan,
    "keras-io-cgan": keras_io_cgan,
    "stylegan2-pytorch": stylegan2_pytorch,
}


def train(data: Dataset, seed: int, options: argparse.Namespace) -> None:
    """Trains from one seed, and scores."""
    keras.utils.set_random_seed(seed)
    one = CONTESTANTS[options.contestant](data)
    name = f"{options.name or options.contestant}-{seed}"
    about = {
        "contestant": options.contestant,
        "seed": seed,
        "parameters": one.parameters,
        "batch": one.batch,
    }
    scores = Scores(data, options, name, one.generate, one.conditional, about)
    clock = Clock(
        options.minutes,
        options.scores,
        lambda steps, minutes, _: scores(steps, minutes, steps * one.batch, {}),
    )
    random = np.random.default_rng(seed)
    steps, done = 0, False
    while not done:
        rows = random.integers(len(data), size=one.batch)
        batch = data.take(rows)
        one.step(batch.as_float(), batch.labels)
        done = clock(steps)
        steps += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contestant", choices=list(CONTESTANTS))
    add_options(parser)
    options = parser.parse_args()
    data = asked_data(options)
    for seed in options.seeds:
        train(data, seed, options)


if __name__ == "__main__":
    main()
