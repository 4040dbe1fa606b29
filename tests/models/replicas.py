"""Trains 20 steps on N replicas and saves the weights: `replicas.py N OUT.npz CASE`.

As one of several workers where TF_CONFIG is set: then N is that of each worker.
"""

import os
import sys

import keras
import numpy as np
import tensorflow as tf

import kgan.distribution
import kgan.models
import kgan.networks
import kgan.penalties

CASES = {
    "plain": {},
    "adam": {"optimizer": "Adam"},
    "clipping": {"clipnorm": 0.05},
    "gradient_penalty": {
        "loss": "wasserstein",
        "penalties": [kgan.penalties.GradientPenalty(1.0)],
        "n_critic": 2,
    },
    "dragan": {"penalties": [kgan.penalties.DRAGAN(1.0), kgan.penalties.R1(0.1, interval=2)]},
    "packing": {"packing": 2, "loss": "relativistic"},
    "conditional": {"num_classes": 3, "loss": "hinge", "spectral": True, "minibatch": True},
}


def main(replicas: int, out: str, case: str) -> None:
    strategy = strategy_of(replicas)
    options = dict(CASES[case])
    spectral, minibatch = options.pop("spectral", False), options.pop("minibatch", False)
    optimizer = getattr(keras.optimizers, options.pop("optimizer", "SGD"))
    clipping = {"clipnorm": options.pop("clipnorm", None)}
    classes = options.get("num_classes")
    keras.utils.set_random_seed(0)
    with strategy.scope():
        gan = kgan.models.GAN(
            kgan.networks.dcgan_generator((8, 8, 1), 6, num_classes=classes, width=4),
            kgan.networks.dcgan_discriminator(
                (8, 8, options.get("packing", 1)),
                num_classes=classes,
                width=4,
                spectral=spectral,
                minibatch_stddev=minibatch,
            ),
            ema_decay=0.9,
            **options,
        )
        rate = 0.05 if optimizer is keras.optimizers.SGD else 1e-3
        gan.compile(
            g_optimizer=optimizer(rate, **clipping), d_optimizer=optimizer(rate, **clipping)
        )
    random = np.random.default_rng(0)
    images = random.random((320, 8, 8, 1), dtype=np.float32)
    data = images if classes is None else (images, np.arange(320) % classes)
    train_and_save(gan, data, out)


def strategy_of(replicas: int) -> tf.distribute.Strategy:
    """The strategy over so many logical CPUs; with TF_CONFIG, over those of all workers."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(replicas)]
    )
    name = "auto" if os.environ.get("TF_CONFIG") else "mirrored" if replicas > 1 else "none"
    return kgan.distribution.get(name)


def train_and_save(model: keras.Model, data, out: str) -> None:
    """One pass in batches of 16; all weights and logs to a file."""
    batches = tf.data.Dataset.from_tensor_slices(data).batch(16, drop_remainder=True)
    history = model.fit(batches, epochs=1, shuffle=False, verbose=0).history
    weights = {f"weight {i}": weight for i, weight in enumerate(model.get_weights())}
    np.savez(out, **weights, **history)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
