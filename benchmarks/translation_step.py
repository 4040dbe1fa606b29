"""A training step of pix2pix and CycleGAN beside the pattern of TensorFlow's tutorials.

    python benchmarks/translation_step.py --model cyclegan --rounds 9

Both train the same networks on the same batches, each in one `tf.function`; rounds alternate. The
tutorials' pattern, written anew: pix2pix computes both players' losses from one forward pass under
two tapes; CycleGAN those of all four under a persistent tape, from which four gradients are taken.
kgan's step differs in what it learns too: pix2pix's generator is judged by the discriminator after
its update, as published. Prints images a second of both, and the median of the rounds' ratios.
"""

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import kgan.models
import kgan.networks

Step = Callable[[tf.Tensor, tf.Tensor], None]


def adam() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(2e-4, beta_1=0.5)


def cross_entropy(logits: tf.Tensor, real: bool) -> tf.Tensor:
    labels = tf.ones_like(logits) if real else tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def paired_networks(side: int, width: int) -> tuple[keras.Model, keras.Model]:
    shape = (side, side, 3)
    return (
        kgan.networks.unet_generator(shape, width=width),
        kgan.networks.patch_discriminator((side, side, 6), width=width),
    )


def tutorial_pix2pix(side: int, width: int) -> Step:
    generator, discriminator = paired_networks(side, width)
    g_optimizer, d_optimizer = adam(), adam()
    g_optimizer.build(generator.trainable_variables)
    d_optimizer.build(discriminator.trainable_variables)

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            made = generator(a, training=True)
            real = discriminator(tf.concat([a, b], -1), training=True)
            fake = discriminator(tf.concat([a, made], -1), training=True)
            g_loss = cross_entropy(fake, True) + 100.0 * tf.reduce_mean(tf.abs(b - made))
            d_loss = cross_entropy(real, True) + cross_entropy(fake, False)
        for tape, loss, network, optimizer in (
            (g_tape, g_loss, generator, g_optimizer),
            (d_tape, d_loss, discriminator, d_optimizer),
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return step


def cycle_networks(side: int, width: int) -> list[keras.Model]:
    shape = (side, side, 3)
    return [
        *(kgan.networks.translation_generator(shape, width=width, blocks=3) for _ in "ab"),
        *(kgan.networks.patch_discriminator(shape, width=width) for _ in "ab"),
    ]


def tutorial_cyclegan(side: int, width: int) -> Step:
    to_b, to_a, judge_a, judge_b = networks = cycle_networks(side, width)
    optimizers = [adam() for _ in networks]
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)

    def distance(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.abs(one - other))

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        with tf.GradientTape(persistent=True) as tape:
            fake_b, fake_a = to_b(a, training=True), to_a(b, training=True)
            there, back = to_a(fake_b, training=True), to_b(fake_a, training=True)
            same_a, same_b = to_a(a, training=True), to_b(b, training=True)
            real_a, real_b = judge_a(a, training=True), judge_b(b, training=True)
            seen_a, seen_b = judge_a(fake_a, training=True), judge_b(fake_b, training=True)
            cycle = 10.0 * (distance(a, there) + distance(b, back))
            losses = [
                cross_entropy(seen_b, True) + cycle + 5.0 * distance(b, same_b),
                cross_entropy(seen_a, True) + cycle + 5.0 * distance(a, same_a),
                0.5 * (cross_entropy(real_a, True) + cross_entropy(seen_a, False)),
                0.5 * (cross_entropy(real_b, True) + cross_entropy(seen_b, False)),
            ]
        for loss, network, optimizer in zip(losses, networks, optimizers, strict=True):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return step


def own(model: keras.Model) -> Step:
    model.compile(g_optimizer=adam(), d_optimizer=adam())

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        model.train_step((a, b))

    return step


def own_pix2pix(side: int, width: int) -> Step:
    return own(kgan.models.PairedGAN(*paired_networks(side, width)))


def own_cyclegan(side: int, width: int) -> Step:
    return own(kgan.models.CycleGAN(*cycle_networks(side, width)))


STEPS = {
    "pix2pix": (own_pix2pix, tutorial_pix2pix),
    "cyclegan": (own_cyclegan, tutorial_cyclegan),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=list(STEPS), default="pix2pix")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=4, help="steps of a round")
    options = parser.parse_args()
    steps = [make(options.side, options.width) for make in STEPS[options.model]]
    random = np.random.default_rng(0)
    shape = (options.batch_size, options.side, options.side, 3)
    a, b = (tf.constant(random.random(shape, dtype=np.float32)) for _ in "ab")
    for step in steps:
        step(a, b)
    seconds: list[list[float]] = [[], []]
    for _ in range(options.rounds):
        for step, spent in zip(steps, seconds, strict=True):
            start = time.perf_counter()
            for _ in range(options.steps):
                step(a, b)
            spent.append(time.perf_counter() - start)
    count = options.batch_size * options.steps
    for name, spent in zip(("kgan", "tutorial"), seconds, strict=True):
        print(f"{options.model}, {name}: {count / np.median(spent):.1f} images/s")
    ratios = [theirs / ours for ours, theirs in zip(*seconds, strict=True)]
    low, middle, high = np.percentile(ratios, [0, 50, 100])
    print(f"{options.model}: {middle:.2f} times as fast ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
