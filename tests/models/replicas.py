"""Trains small models on N replicas, on data of unknown length, and saves what they come to.

python -m tests.models.replicas N FILE CASE ...
"""

import sys

import keras
import numpy as np
import tensorflow as tf

import kgan.data
import kgan.defenses
import kgan.distribution
import kgan.models
import kgan.networks
import kgan.penalties
from tests.conftest import build_gan
from tests.models.people import build, people
from tests.models.tug_of_war import samples, tug_of_war

BATCH, BATCHES, EPOCHS = 8, 3, 2
# Limits that every gradient exceeds, but not every replica's share of it.
OPTIMIZERS = {
    "clipnorm": lambda: keras.optimizers.SGD(0.1, clipnorm=0.3),
    "global_clipnorm": lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.3),
    "clipvalue": lambda: keras.optimizers.SGD(0.1, clipvalue=0.3),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), 256.0),
    "scaled and clipped": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1, clipnorm=0.3), 256.0
    ),
}
SHAPE = (8, 8, 1)


def unknown(*arrays) -> tf.data.Dataset:
    """Batches whose number nobody knows before they have come."""
    data = tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0])
    return data.batch(BATCH, drop_remainder=True).filter(lambda *batch: True)


def images() -> np.ndarray:
    return np.random.default_rng(1).random((BATCHES * BATCH, *SHAPE), dtype=np.float32)


def labels() -> np.ndarray:
    return np.arange(BATCHES * BATCH, dtype=np.int32) % 3


def classifier() -> keras.Model:
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])


def perturbation_gan():
    victim = classifier()
    keras.utils.set_random_seed(2)
    gan = kgan.models.PerturbationGAN(
        kgan.networks.perturbation_network(SHAPE, width=4, blocks=1),
        kgan.networks.dcgan_discriminator(SHAPE, width=4),
    )
    gan.compile(g_optimizer=keras.optimizers.SGD(0.01), d_optimizer=keras.optimizers.SGD(0.01))
    gan.set_victim(lambda batch: victim(batch, training=False))
    return gan


def training(optimizer, kind=kgan.defenses.AdversarialTraining, **options):
    made = kind(classifier(), epsilon=0.1, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(optimizer, loss, metrics=["accuracy"])
    return made


def vae():
    # Noise of both kinds: of the latents and of the values.
    keras.utils.set_random_seed(2)
    sizes = {"num_classes": 3, "width": 4}
    made = kgan.models.VAE(
        kgan.networks.dcgan_encoder(SHAPE, 4, **sizes),
        kgan.networks.dcgan_decoder(SHAPE, 4, **sizes),
        num_classes=3,
        likelihood="gaussian",
    )
    made.compile(optimizer=keras.optimizers.SGD(1e-4))
    return made


def clipped_training():
    return training(keras.optimizers.SGD(1.0, clipnorm=0.05), method="fgsm")


def private_gan():
    keras.utils.set_random_seed(2)
    # All that a half-step takes is in this one: no record is left to chance.
    gan = kgan.models.PrivateGAN(
        kgan.networks.dcgan_generator(SHAPE, 4, num_classes=3, width=4),
        kgan.networks.dcgan_discriminator(SHAPE, num_classes=3, width=4),
        num_classes=3,
        records=BATCHES * BATCH,
        batch_size=BATCH,
        noise=0.5,
        delta=1e-3,
        key=(1, 2),
    )
    gan.compile(g_optimizer=keras.optimizers.SGD(0.01), d_optimizer=keras.optimizers.SGD(0.1))
    return gan


def lazy_gan():
    """One whose discriminator normalises the batch, in a pass too that some steps skip."""
    keras.utils.set_random_seed(2)
    layers = [
        keras.layers.Conv2D(4, 3, strides=2),
        kgan.networks.BatchNormalization(),
        keras.layers.LeakyReLU(0.2),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ]
    gan = kgan.models.GAN(
        kgan.networks.dcgan_generator(SHAPE, 4, width=4),
        keras.Sequential([keras.Input(SHAPE), *layers]),
        penalties=[kgan.penalties.R1(1.0, interval=2)],
    )
    gan.compile(g_optimizer=keras.optimizers.SGD(0.01), d_optimizer=keras.optimizers.SGD(0.01))
    return gan


def twice() -> np.ndarray:
    """Images of which both replicas get the same, whose moments then are those of the batch."""
    halves = np.split(images(), 2 * BATCHES)[::2]
    return np.concatenate([one for half in halves for one in (half, half)])


def taken() -> np.ndarray:
    return np.arange(BATCHES * BATCH) % 5 != 1


def table_gan():
    """One whose discriminator drops units, in a pass too that some steps skip."""
    penalty = kgan.penalties.GradientPenalty(10.0, interval=2, input_width=1.0)
    make = lambda: keras.optimizers.SGD(1e-3)  # noqa: E731
    return build(packing=2, eager=False, penalties=[penalty], optimizer=make)


def table_batches():
    """Columns, texts among them, and the categories that the rows stand for."""
    (columns, categories), *_ = kgan.data.feed_rows(people(), BATCHES * BATCH).take(1)
    arrays = {name: values.numpy() for name, values in columns.items()}
    return arrays, categories.numpy()


MODELS = {
    **{
        f"players, {name}": (lambda make=make: tug_of_war(make), lambda: (samples(24),))
        for name, make in OPTIMIZERS.items()
    },
    "gan": (
        lambda: build_gan(optimizer=lambda: keras.optimizers.SGD(0.05, momentum=0.9)),
        lambda: (images(),),
    ),
    # The last execution of an epoch lacks a step.
    "players, two steps at once": (
        lambda: tug_of_war(lambda: keras.optimizers.SGD(0.1), steps_per_execution=2),
        lambda: (samples(24),),
    ),
    "lazy gan": (lazy_gan, lambda: (twice(),)),
    "perturbation gan": (perturbation_gan, lambda: (images(), labels())),
    "vae": (vae, lambda: (images(), labels())),
    "table gan": (table_gan, table_batches),
    "private gan": (
        private_gan,
        lambda: ({"samples": images(), "labels": labels(), "taken": taken()},),
    ),
    "adversarial training": (clipped_training, lambda: (images(), labels())),
}


def state(model: keras.Model) -> list[np.ndarray]:
    """Everything that a step may move."""
    names = getattr(model, "optimizers", {"optimizer": ()})
    optimizers = [getattr(model, name) for name in names]
    variables = [variable for one in optimizers if one is not None for variable in one.variables]
    return [np.asarray(variable) for variable in (*model.weights, *variables)]


def trained(case: str, strategy: tf.distribute.Strategy) -> tuple[list[np.ndarray], int]:
    """The state of the model after training on data of unknown length, and its count of steps."""
    make, data = MODELS[case]
    with strategy.scope():
        model = make()
    model.fit(unknown(*data()), epochs=EPOCHS, shuffle=False, verbose=0)
    return state(model), int(model.step.numpy())


def main(replicas: int, file: str, *cases: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(replicas)]
    )
    strategy = kgan.distribution.get("mirrored")
    arrays = {}
    for case in cases:
        values, arrays[f"{case}: steps"] = trained(case, strategy)
        arrays |= {f"{case}: {i}": value for i, value in enumerate(values)}
    np.savez(file, **arrays)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
