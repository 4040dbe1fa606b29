"""Trains 20 steps in each case on N replicas.

    python -m tests.models.equality N SEED FOLDER CASE...

Where N is "1+2", first on one and then on two, in one process, in the folders "1" and "2 replicas"
of FOLDER. Saves the weights before and after, and the logs. As one of several workers where
TF_CONFIG is set: then N is that of each worker.
"""

import dataclasses
import os
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import kgan.data
import kgan.distribution
import kgan.models
import kgan.networks
import kgan.penalties
from kgan.recipes import GANRecipe
from kgan.restarting_adam import RestartingAdam
from kgan.settings import gan as gan_settings
from tests.models.style_gan import style_gan

STEPS = 20
BATCH = 16
SHAPE = (8, 8, 1)
GANS = {
    "plain": {},
    "adam": {"optimizer": keras.optimizers.Adam},
    "restarting adam": {"optimizer": partial(RestartingAdam, every=8, until=16)},
    "clipping": {"clipnorm": 0.05},
    "gradient penalty": {
        "loss": "wasserstein",
        "penalties": [kgan.penalties.GradientPenalty(1.0)],
        "n_critic": 2,
    },
    "dragan": {"penalties": [kgan.penalties.DRAGAN(1.0), kgan.penalties.R1(0.1, interval=2)]},
    "lazy": {
        "noise": True,
        "clipnorm": 0.05,
        "penalties": [kgan.penalties.DRAGAN(0.1, interval=2), kgan.penalties.R1(0.1, interval=3)],
    },
    "packing": {"packing": 2, "loss": "relativistic"},
    "conditional": {"num_classes": 3, "loss": "hinge", "spectral": True, "minibatch": True},
    "dropout and noise": {"noise": True},
    "clipped noise": {"noise": True, "clipnorm": 0.05},
}
# With lazy penalties of both players, mixing, noise and an augmentation that adapts.
STYLE_GANS = {"styles": {}, "styles of classes": {"num_classes": 3}}
# Goes on where one replica ended "conditional".
GANS["resumed"] = GANS["conditional"]
PERTURBATIONS = {
    "white box": {},
    "any target": {"targets": "any", "least_epsilon": 0.1},
    "black box": {"black_box": True},
}
VAES = {"vae": {}, "gaussian vae": {"likelihood": "gaussian", "beta": 2.0}}
# Shapes of what the presets are trained on.
PRESETS = {
    "digits": (8, 8, 1),
    "mnist": (28, 28, 1),
    "fashion-mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "sngan": (32, 32, 3),
    "wgan-gp": (8, 8, 1),
    "ring": (2,),
    "grid": (2,),
    "stacked-mnist": (28, 28, 3),
    "fastgan": (16, 16, 1),
    "progan": (8, 8, 1),
    "stylegan2": (8, 8, 1),
    "r3gan": (8, 8, 1),
    "biggan": (8, 8, 3),
}
CASES = (
    *GANS,
    *STYLE_GANS,
    *PERTURBATIONS,
    *VAES,
    "cyclegan",
    "paired",
    "cut",
    *(f"preset {name}" for name in PRESETS),
)


def build(case: str, seed: int) -> tuple[keras.Model, object]:
    """A compiled model, with weights of that seed, and its data."""
    keras.utils.set_random_seed(seed)
    if case in GANS:
        return _gan(dict(GANS[case]))
    if case in STYLE_GANS:
        return _style_gan(STYLE_GANS[case])
    if case in PERTURBATIONS:
        return _perturbation_gan(dict(PERTURBATIONS[case]))
    if case == "cyclegan":
        return _cyclegan(seed)
    if case == "paired":
        return _paired()
    if case == "cut":
        return _cut(seed)
    if case in VAES:
        return _vae(VAES[case])
    return _preset(case.removeprefix("preset "), seed)


def _cyclegan(seed: int):
    """Pools that are full after five steps, and exchange what one replica made with the other's.

    Smooth networks: small kernels before a normalisation let rounding grow fast.
    """

    def network(activation: str | None) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.Conv2D(4, 3, padding="same", activation="tanh"),
                keras.layers.Conv2D(1, 3, padding="same", activation=activation),
            ]
        )

    networks = [network(activation) for activation in ("sigmoid", "sigmoid", None, None)]
    gan = kgan.models.CycleGAN(*networks, pool_size=5 * BATCH, seed=seed)
    gan.compile(g_optimizer=keras.optimizers.SGD(0.05), d_optimizer=keras.optimizers.SGD(0.05))
    random = np.random.default_rng(0)
    return gan, tuple(random.random((STEPS * BATCH, *SHAPE), dtype=np.float32) for _ in "ab")


def _cut(seed: int):
    """Places and flips that all replicas draw alike."""
    images = keras.Input(SHAPE)
    first = keras.layers.Conv2D(4, 3, padding="same", activation="tanh", name="first")(images)
    made = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(first)
    judge = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 3, padding="same", activation="tanh"),
            keras.layers.Conv2D(1, 3, padding="same"),
        ]
    )
    gan = kgan.models.CUT(
        keras.Model(images, made),
        judge,
        kgan.networks.patch_projector([4], width=5),
        layers=["first"],
        patches=16,
        flip_equivariance=True,
        seed=seed,
    )
    gan.compile(g_optimizer=keras.optimizers.SGD(0.01), d_optimizer=keras.optimizers.SGD(0.05))
    random = np.random.default_rng(0)
    return gan, tuple(random.random((STEPS * BATCH, *SHAPE), dtype=np.float32) for _ in "ab")


def _paired():
    """A conditional judge, and noise in the generator, of inpainting with random holes."""

    def network(channels: int, made: int, activation: str | None) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((*SHAPE[:2], channels)),
                keras.layers.Conv2D(4, 3, padding="same", activation="tanh"),
                kgan.networks.Dropout(0.2),
                keras.layers.Conv2D(made, 3, padding="same", activation=activation),
            ]
        )

    gan = kgan.models.PairedGAN(
        kgan.networks.keeping_known(network(2, 1, "sigmoid")),
        network(3, 1, None),
        distance="charbonnier",
        reconstruction_weight=2.0,
    )
    gan.compile(g_optimizer=keras.optimizers.SGD(0.05), d_optimizer=keras.optimizers.SGD(0.05))
    images = np.random.default_rng(0).random((STEPS * BATCH, *SHAPE), dtype=np.float32)
    task = kgan.data.task("inpaint", mask="random")
    return gan, kgan.data.feed_damaged(kgan.data.Dataset("random", images), task, BATCH)


def _gan(options: dict):
    spectral, minibatch = options.pop("spectral", False), options.pop("minibatch", False)
    optimizer = options.pop("optimizer", keras.optimizers.SGD)
    clipping = {"clipnorm": options.pop("clipnorm", None)}
    classes, packing = options.get("num_classes"), options.get("packing", 1)
    noise = options.pop("noise", False)
    discriminator = kgan.networks.dcgan_discriminator(
        (*SHAPE[:2], packing),
        num_classes=classes,
        width=4,
        spectral=spectral,
        minibatch_stddev=minibatch,
    )
    gan = kgan.models.GAN(
        kgan.networks.dcgan_generator(SHAPE, 6, num_classes=classes, width=4),
        _noisy() if noise else discriminator,
        ema_decay=0.9,
        **options,
    )
    rate = 0.05 if optimizer is keras.optimizers.SGD else 1e-3
    gan.compile(g_optimizer=optimizer(rate, **clipping), d_optimizer=optimizer(rate, **clipping))
    images = np.random.default_rng(0).random((STEPS * BATCH, *SHAPE), dtype=np.float32)
    return gan, images if classes is None else (images, np.arange(len(images)) % classes)


def _style_gan(options: dict):
    gan = style_gan(optimizer=lambda: keras.optimizers.SGD(0.01), ema_decay=0.9, **options)
    images = np.random.default_rng(0).random((STEPS * BATCH, *SHAPE), dtype=np.float32)
    return gan, images if not options else (images, np.arange(len(images)) % 3)


def _noisy() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            kgan.networks.GaussianNoise(0.1),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            kgan.networks.Dropout(0.3, noise_shape=(None, 1, 1, None)),
            keras.layers.Flatten(),
            kgan.networks.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )


def _perturbation_gan(options: dict):
    victim, surrogate = (
        keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
        for _ in range(2)
    )
    black_box = options.pop("black_box", False)
    gan = kgan.models.PerturbationGAN(
        kgan.networks.perturbation_network(
            SHAPE,
            num_classes=3 if "targets" in options else None,
            epsilon="least_epsilon" in options,
            width=4,
            blocks=1,
        ),
        kgan.networks.dcgan_discriminator(SHAPE, width=4),
        surrogate=surrogate if black_box else None,
        **options,
    )
    gan.compile(
        g_optimizer=keras.optimizers.SGD(0.01),
        d_optimizer=keras.optimizers.SGD(0.05),
        s_optimizer=keras.optimizers.SGD(0.05) if black_box else None,
    )
    gan.set_victim(lambda images: victim(images, training=False))
    images = np.random.default_rng(0).random((STEPS * BATCH, *SHAPE), dtype=np.float32)
    return gan, (images, np.arange(len(images)) % 3)


def _vae(options: dict):
    vae = kgan.models.VAE(
        kgan.networks.dcgan_encoder(SHAPE, 6, num_classes=3, width=4),
        kgan.networks.dcgan_decoder(SHAPE, 6, num_classes=3, width=4),
        num_classes=3,
        ema_decay=0.9,
        **options,
    )
    vae.compile(optimizer=keras.optimizers.SGD(1e-4))
    images = np.random.default_rng(0).random((STEPS * BATCH, *SHAPE), dtype=np.float32)
    return vae, (images, np.arange(len(images)) % 3)


def _preset(name: str, seed: int):
    """The preset's own GAN but narrower, with SGD, on random data of its data's shape.

    At a small part of its rate: with SGD, the full one lets rounding grow a thousand times in 20
    steps, most of all with the large penalties of the points.
    """
    config = gan_settings.PRESETS[name]
    config = dataclasses.replace(
        config,
        generator_width=config.generator_width // 8,
        discriminator_width=config.discriminator_width // 8,
        batch_size=BATCH,
        # Networks that grow do so within these steps.
        phase_steps=config.phase_steps and STEPS // 4,
        # The finest waves would make of 1e-7 in a point 2e-5 in its features.
        networks=config.networks.removesuffix("-fine"),
        precision="float32",
        seed=seed,
    )
    random, shape = np.random.default_rng(0), PRESETS[name]
    n = STEPS * BATCH * config.n_critic
    if len(shape) == 1:
        samples = random.standard_normal((n, *shape), dtype=np.float32)
        data = kgan.data.Dataset(name, samples)
    else:
        samples = random.integers(0, 256, (n, *shape), dtype=np.uint8)
        data = kgan.data.Dataset(
            name, samples, np.arange(n, dtype=np.int32) % 10, tuple("0123456789")
        )
    recipe = GANRecipe(config)
    gan = recipe.model(data)
    part = 1e-3 if len(shape) == 1 else 0.1
    if name == "r3gan":
        # Its branches begin near zero, where gradients are small.
        part = 100.0
    gan.compile(
        g_optimizer=keras.optimizers.SGD(part * config.g_learning_rate),
        d_optimizer=keras.optimizers.SGD(part * config.d_learning_rate),
        steps_per_execution=config.steps_per_execution,
    )
    return gan, recipe.feed(data)


def main(replicas: str, seed: int, folder: str, cases: list[str]) -> None:
    counts = [int(count) for count in replicas.split("+")]
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(max(counts))]
    )
    if len(counts) == 1:
        train(counts[0], seed, folder, cases)
        return
    for count in counts:
        train(count, seed, str(Path(folder, "1" if count == 1 else f"{count} replicas")), cases)


def train(replicas: int, seed: int, folder: str, cases: list[str]) -> None:
    name = "auto" if os.environ.get("TF_CONFIG") else "mirrored" if replicas > 1 else "none"
    strategy = kgan.distribution.get(name)
    Path(folder).mkdir(exist_ok=True)
    for case in cases:
        with strategy.scope():
            model, data = build(case, seed)
            if case == "resumed":
                kgan.models.restore(model, Path(folder).with_name("1") / "conditional.keras")
        before = model.get_weights()
        if not isinstance(data, tf.data.Dataset):
            data = tf.data.Dataset.from_tensor_slices(data).batch(BATCH, drop_remainder=True)
        logs = model.fit(data, steps_per_epoch=STEPS, shuffle=False, verbose=0).history
        weights = zip(before, model.get_weights(), strict=True)
        arrays = {f"weight {i}": np.stack(pair) for i, pair in enumerate(weights)}
        np.savez(Path(folder, f"{case}.npz"), **arrays, **logs)
        if case == "conditional":
            model.save(Path(folder, f"{case}.keras"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
