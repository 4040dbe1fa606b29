"""Trains a `PerturbationGAN` on N replicas, as `replicas.py` does: N OUT.npz CASE."""

import sys

import keras
import numpy as np

import kgan.models
from kgan.networks import dcgan_discriminator, perturbation_network
from tests.models.replicas import strategy_of, train_and_save

CASES = {
    "white box": {},
    "targets": {"targets": "any", "least_epsilon": 0.1},
    "black box": {"black_box": True},
}
SHAPE = (8, 8, 1)


def main(replicas: int, out: str, case: str) -> None:
    strategy = strategy_of(replicas)
    options = dict(CASES[case])
    keras.utils.set_random_seed(0)
    with strategy.scope():
        victim, surrogate = (
            keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
            for _ in range(2)
        )
        black_box = options.pop("black_box", False)
        gan = kgan.models.PerturbationGAN(
            perturbation_network(
                SHAPE,
                num_classes=3 if "targets" in options else None,
                epsilon="least_epsilon" in options,
                width=4,
                blocks=1,
            ),
            dcgan_discriminator(SHAPE, width=4),
            surrogate=surrogate if black_box else None,
            **options,
        )
        gan.compile(
            g_optimizer=keras.optimizers.SGD(0.01),
            d_optimizer=keras.optimizers.SGD(0.05),
            s_optimizer=keras.optimizers.SGD(0.05) if black_box else None,
        )
    gan.set_victim(lambda images: victim(images, training=False))
    random = np.random.default_rng(0)
    data = random.random((160, *SHAPE), dtype=np.float32), np.arange(160) % 3
    train_and_save(gan, data, out)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
