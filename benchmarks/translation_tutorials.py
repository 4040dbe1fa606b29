"""pix2pix and CycleGAN by the pattern of TensorFlow's tutorials, written anew.

pix2pix computes both players' losses from one forward pass under two tapes; CycleGAN those of all
four under a persistent tape, from which four gradients are taken. The networks are made of Keras's
layers alone, with `tf.pad` for borders; a further contestant gives the same pattern kgan's
networks. There is no pool of earlier images.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from translation_contestant import (
    BLOCKS,
    CYCLE,
    IDENTITY,
    L1,
    RATE,
    Contestant,
    adam,
    cycle_networks,
    judge_stages,
    paired_networks,
    translation_by,
)


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _norm() -> layers.Layer:
    return layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)


@keras.saving.register_keras_serializable(package="tutorial")
class Reflected(layers.Layer):
    """A reflected border by `tf.pad`."""

    def __init__(self, border: int, **options):
        super().__init__(**options)
        self.border = border

    def call(self, inputs):
        sides = [self.border, self.border]
        return tf.pad(inputs, [[0, 0], sides, sides, [0, 0]], "REFLECT")


def _stock_unet(side: int, width: int) -> keras.Model:
    inputs = keras.Input((side, side, 3))
    features = layers.Rescaling(2.0, -1.0)(inputs)
    halvings = int(np.log2(side)) - 1
    kept = []
    for stage in range(halvings):
        edge = stage in (0, halvings - 1)
        features = layers.LeakyReLU(0.2)(features) if stage else features
        features = layers.Conv2D(
            width * min(2**stage, 8), 4, 2, "same", use_bias=edge, kernel_initializer=_normal()
        )(features)
        features = features if edge else _norm()(features)
        kept.append(features)
    for stage in range(halvings - 1, 0, -1):
        features = layers.Conv2DTranspose(
            width * min(2 ** (stage - 1), 8),
            4,
            2,
            "same",
            use_bias=False,
            kernel_initializer=_normal(),
        )(layers.ReLU()(features))
        features = _norm()(features)
        if stage >= halvings - max(1, halvings - 4):
            features = layers.Dropout(0.5)(features)
        features = layers.Concatenate()([features, kept[stage - 1]])
    features = layers.Conv2DTranspose(
        3, 4, 2, "same", activation="tanh", kernel_initializer=_normal()
    )(layers.ReLU()(features))
    return keras.Model(inputs, layers.Rescaling(0.5, 0.5)(features))


def _stock_resnet(side: int, width: int) -> keras.Model:
    def convolution(features, kernel: int, filters: int, strides: int = 1):
        features = Reflected(kernel // 2)(features)
        features = layers.Conv2D(
            filters, kernel, strides, use_bias=False, kernel_initializer=_normal()
        )(features)
        return _norm()(features)

    inputs = keras.Input((side, side, 3))
    features = layers.ReLU()(convolution(layers.Rescaling(2.0, -1.0)(inputs), 7, width))
    for factor in (2, 4):
        features = layers.ReLU()(convolution(features, 3, factor * width, 2))
    for _ in range(BLOCKS):
        residual = layers.ReLU()(convolution(features, 3, 4 * width))
        features = layers.Add()([features, convolution(residual, 3, 4 * width)])
    for factor in (2, 1):
        features = convolution(layers.UpSampling2D()(features), 3, factor * width)
        features = layers.ReLU()(features)
    features = layers.Conv2D(3, 7, activation="tanh", kernel_initializer=_normal())(
        Reflected(3)(features)
    )
    return keras.Model(inputs, layers.Rescaling(0.5, 0.5)(features))


def _stock_judge(side: int, width: int, channels: int) -> keras.Model:
    inputs = keras.Input((side, side, channels))
    features = layers.Rescaling(2.0, -1.0)(inputs)
    stages = judge_stages(side)
    for stage in range(stages + 1):
        features = layers.Conv2D(
            width * min(2**stage, 8),
            4,
            2 if stage < stages else 1,
            use_bias=stage == 0,
            kernel_initializer=_normal(),
        )(layers.ZeroPadding2D(1)(features))
        features = layers.LeakyReLU(0.2)(_norm()(features) if stage else features)
    logits = layers.Conv2D(1, 4, kernel_initializer=_normal())(layers.ZeroPadding2D(1)(features))
    return keras.Model(inputs, logits)


def _stock_paired(side: int, width: int) -> list[keras.Model]:
    return [_stock_unet(side, width), _stock_judge(side, width, 6)]


def _stock_cycle(side: int, width: int) -> list[keras.Model]:
    return [
        *(_stock_resnet(side, width) for _ in "ab"),
        *(_stock_judge(side, width, 3) for _ in "ab"),
    ]


def _cross_entropy(logits: tf.Tensor, real: bool) -> tf.Tensor:
    labels = tf.ones_like(logits) if real else tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def _distance(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.abs(one - other))


def _squares(logits: tf.Tensor, real: bool) -> tf.Tensor:
    return 0.5 * tf.reduce_mean(tf.square(logits - float(real)))


def _optimizers(networks: Sequence[keras.Model], rate: float) -> list[keras.optimizers.Optimizer]:
    optimizers = [adam(rate) for _ in networks]
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)
    return optimizers


def _tutorial_pix2pix(networks: list[keras.Model], rate: float) -> Contestant:
    generator, discriminator = networks
    optimizers = _optimizers(networks, rate)

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            made = generator(a, training=True)
            real = discriminator(tf.concat([a, b], -1), training=True)
            fake = discriminator(tf.concat([a, made], -1), training=True)
            g_loss = _cross_entropy(fake, True) + L1 * _distance(b, made)
            d_loss = _cross_entropy(real, True) + _cross_entropy(fake, False)
        for tape, loss, network, optimizer in zip(
            (g_tape, d_tape), (g_loss, d_loss), networks, optimizers, strict=True
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return Contestant(tf.constant, step, translation_by(generator), networks)


def _tutorial_cyclegan(networks: list[keras.Model], rate: float) -> Contestant:
    to_b, to_a, judge_a, judge_b = networks
    optimizers = _optimizers(networks, rate)

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        with tf.GradientTape(persistent=True) as tape:
            fake_b, fake_a = to_b(a, training=True), to_a(b, training=True)
            there, back = to_a(fake_b, training=True), to_b(fake_a, training=True)
            same_a, same_b = to_a(a, training=True), to_b(b, training=True)
            real_a, real_b = judge_a(a, training=True), judge_b(b, training=True)
            seen_a, seen_b = judge_a(fake_a, training=True), judge_b(fake_b, training=True)
            cycle = CYCLE * (_distance(a, there) + _distance(b, back))
            losses = [
                _squares(seen_b, True) + cycle + IDENTITY * _distance(b, same_b),
                _squares(seen_a, True) + cycle + IDENTITY * _distance(a, same_a),
                _squares(real_a, True) + _squares(seen_a, False),
                _squares(real_b, True) + _squares(seen_b, False),
            ]
        for loss, network, optimizer in zip(losses, networks, optimizers, strict=True):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return Contestant(tf.constant, step, translation_by(to_b), networks)


def tutorial_pix2pix(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_pix2pix(_stock_paired(side, width), rate)


def tutorial_cyclegan(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_cyclegan(_stock_cycle(side, width), rate)


def borrowing_pix2pix(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_pix2pix(paired_networks(side, width), rate)


def borrowing_cyclegan(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_cyclegan(cycle_networks(side, width), rate)
