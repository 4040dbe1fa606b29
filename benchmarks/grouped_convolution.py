"""Convolution in blocks of groups beside TensorFlow's grouped one: forward and all gradients.

    TF_NUM_INTRAOP_THREADS=1 python benchmarks/grouped_convolution.py

Prints the median time of rounds that alternate between the two, and their ratio.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from kgan.networks import GroupedConv2D

BATCH, SIDE, CHANNELS = 16, 16, 64
GROUPS = (2, 8, 16)
ROUNDS = 7


def trainer(layer: keras.layers.Layer, images: tf.Tensor):
    layer.build(images.shape)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(tf.square(layer(images)))
        return tape.gradient(total, [images, layer.kernel.value])

    return gradients


def main() -> None:
    images = tf.constant(
        np.random.default_rng(0).standard_normal((BATCH, SIDE, SIDE, CHANNELS)), tf.float32
    )
    for groups in GROUPS:
        options = {"padding": "same", "use_bias": False}
        blocks = GroupedConv2D(CHANNELS, 3, groups=groups, **options)
        grouped = keras.layers.Conv2D(CHANNELS, 3, groups=groups, **options)
        functions = [trainer(layer, images) for layer in (blocks, grouped)]
        grouped.kernel.assign(blocks.kernel)
        for one, other in zip(*(function() for function in functions), strict=True):
            scale = float(tf.reduce_max(tf.abs(other)))
            np.testing.assert_allclose(one, other, atol=1e-5 * scale)
        times: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for taken, function in zip(times, functions, strict=True):
                start = time.perf_counter()
                function()[0].numpy()
                taken.append(time.perf_counter() - start)
        ours, theirs = (1000 * float(np.median(taken)) for taken in times)
        print(
            f"{groups} groups: blocks {ours:.1f} ms, grouped {theirs:.1f} ms, "
            f"{theirs / ours:.1f} times as long"
        )


if __name__ == "__main__":
    main()
