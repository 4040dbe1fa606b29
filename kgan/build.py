"""From a configuration to objects; the only place that knows every family."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.callbacks
import kgan.data
import kgan.metrics.evaluate
import kgan.metrics.extractor
import kgan.models
import kgan.networks
import kgan.penalties
import kgan.precision
from kgan.config import TrainConfig
from kgan.data import Dataset

_REFERENCE = 1000
# What reads each channel.
_STACKED = {"stacked-mnist": "lenet-mnist"}
_EXTRACTORS: dict[tuple[int, ...], str] = {(8, 8, 1): "lenet-digits", (28, 28, 1): "lenet-mnist"}


def dataset(config: TrainConfig) -> Dataset:
    """Loads the training data."""
    size = config.image_size
    if size is not None and len(size) not in (1, 2):
        raise ValueError(f"image_size must be a side or a height and a width, got {size}.")
    return kgan.data.load(
        config.data,
        config.split,
        data_dir=config.data_dir,
        image_size=None if size is None else (size[0], size[-1]),
        download=config.download,
    )


def steps_per_epoch(config: TrainConfig, data: Dataset) -> int:
    """Generator updates in an epoch."""
    in_a_pass = kgan.data.steps_per_epoch(data, _feed_batch(config))
    return config.steps_per_epoch or in_a_pass


def feed(config: TrainConfig, data: Dataset, *, start: int = 0) -> tf.data.Dataset:
    """The training batches from step `start` on."""
    return kgan.data.feed(
        data,
        _feed_batch(config),
        seed=config.seed,
        start=start,
        labels=config.conditional,
        flip=config.flip,
    )


def gan(config: TrainConfig, data: Dataset) -> kgan.models.GAN:
    """A compiled GAN; equal configurations give equal initial weights."""
    policy = kgan.precision.policy(config.precision)
    if config.networks not in kgan.networks.NETWORKS:
        raise ValueError(
            f"networks must be one of {', '.join(kgan.networks.NETWORKS)}, got {config.networks!r}."
        )
    pair = kgan.networks.NETWORKS[config.networks]
    num_classes = data.num_classes if config.conditional else None
    *space, channels = data.sample_shape
    keras.utils.set_random_seed(config.seed)
    outside = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        generator = pair.generator(
            data.sample_shape,
            config.latent_dim,
            num_classes=num_classes,
            width=config.generator_width,
        )
        discriminator = pair.discriminator(
            (*space, channels * config.packing),
            num_classes=num_classes,
            width=config.discriminator_width,
            spectral=config.spectral,
            minibatch_stddev=config.minibatch_stddev,
        )
    finally:
        keras.config.set_dtype_policy(outside)
    width = kgan.penalties.IMAGE_WIDTH if data.is_images else 1.0
    penalties = [
        kgan.penalties.get(
            name,
            _halving(config.penalty_weight, config.penalty_half_life),
            interval=config.penalty_interval,
            input_width=width,
        )
        for name in config.penalty
    ]
    model = kgan.models.GAN(
        generator,
        discriminator,
        num_classes=num_classes,
        loss=config.loss,
        label_smoothing=config.label_smoothing,
        penalties=penalties,
        n_critic=config.n_critic,
        packing=config.packing,
        ema_decay=config.ema_decay,
        seed=config.seed,
    )
    model.compile(
        g_optimizer=_adam(config, config.g_learning_rate, updates=1),
        d_optimizer=_adam(config, config.d_learning_rate, updates=config.n_critic),
        jit_compile=_jit_compile(config),
        steps_per_execution=config.steps_per_execution,
    )
    return model


def known_modes(data: Dataset) -> dict[str, dict[str, Any]]:
    """The metric that counts the data's modes, with its settings; empty where none are known."""
    if data.name in kgan.data.MIXTURES:
        return {"modes": kgan.data.MIXTURES[data.name]._asdict()}
    if data.name in _STACKED:
        judge = kgan.metrics.extractor.extractor(_STACKED[data.name])
        return {"stacked_modes": {"classify": judge.probabilities}}
    return {}


def default_extractor(data: Dataset) -> str | None:
    """The shipped extractor that takes the data's images, if there is one."""
    return _EXTRACTORS.get(data.sample_shape)


def callbacks(
    config: TrainConfig, folder: Path, data: Dataset, steps: int, *, first_epoch: int
) -> list[keras.callbacks.Callback]:
    """What a run records in its folder, in the order that the callbacks need."""
    table = folder / "metrics.csv"
    per_step = _feed_batch(config)
    reference = _reference(data, config.seed)
    monitor = metric_monitor(config, data, steps, table=table)
    found: list[keras.callbacks.Callback] = [
        kgan.callbacks.NonFiniteGuard(),
        kgan.callbacks.SampleDistance(reference.as_float(), reference.labels, seed=config.seed),
        *([] if monitor is None else [monitor]),
        kgan.callbacks.HistoryTable(table, samples_per_step=per_step),
        kgan.callbacks.ProgressBar(
            epochs=config.epochs, first_epoch=first_epoch, steps=steps, samples_per_step=per_step
        ),
        kgan.callbacks.SampleGrid(
            folder / "samples",
            real=None if data.is_images else reference.samples,
            seed=config.seed,
        ),
        kgan.callbacks.HistoryPlot(table, folder),
        kgan.callbacks.Checkpoint(
            folder / "checkpoints",
            monitor="distance" if monitor is None else monitor.monitor,
            lower_is_better=monitor is None or monitor.lower_is_better,
            table=table,
        ),
    ]
    # Of fewer samples it could not tell chance from illness.
    if config.doctor and len(data) >= kgan.callbacks.FEWEST_SAMPLES:
        # Before the checkpoint, which then keeps what was rolled back to.
        found.insert(-1, _doctor(config, folder, data))
    if config.tensorboard:
        found.append(keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False))
    return found


def _doctor(config: TrainConfig, folder: Path, data: Dataset) -> kgan.callbacks.CollapseDoctor:
    size = min(len(data), kgan.callbacks.reference_size(data.sample_shape))
    some = data.take(np.random.default_rng(config.seed).permutation(len(data))[:size])
    return kgan.callbacks.CollapseDoctor(
        some.as_float(),
        some.labels,
        training=data.samples,
        label=_labelling(some),
        folder=folder,
        roll_back=config.roll_back,
        seed=config.seed,
    )


def _labelling(data: Dataset) -> Callable[[np.ndarray], np.ndarray] | None:
    """The shipped classifier of such images, unless their classes are others than its own."""
    name = default_extractor(data)
    if name is None:
        return None
    classifier = kgan.metrics.extractor.extractor(name)

    def label(images: np.ndarray) -> np.ndarray:
        return classifier.probabilities(images).argmax(axis=1)

    if data.labels is not None and (label(data.samples) == data.labels).mean() < 0.5:
        return None
    return label


def metric_monitor(
    config: TrainConfig, data: Dataset, steps: int, *, table: Path
) -> kgan.callbacks.MetricMonitor | None:
    """Scores while training, where `evaluate_every` asks for them."""
    if config.evaluate_every is None:
        return None
    name = config.extractor or default_extractor(data)
    if name == "discriminator":
        raise ValueError(
            "extractor discriminator is for kgan evaluate: while it trains its features change, so "
            "no score by them can tell the best state. Leave --extractor out, or name another one."
        )
    found = None
    if name is not None:
        found = kgan.metrics.extractor.extractor(name, download=config.download)
        found.features(data.samples[:1])  # Now, not after the first epoch, is the time to fail.
    if config.evaluate_every > config.epochs * steps:
        raise ValueError(
            f"evaluate_every must be at most the run's {config.epochs * steps} steps, "
            f"got {config.evaluate_every}."
        )
    modes = known_modes(data)
    metrics: tuple[str, ...]
    decides = None
    if modes:
        metrics = (*modes, "sliced_wasserstein")
        # Neither the modes' number nor their evenness tells sharp points from blurred ones.
        decides = "sliced_wasserstein" if "modes" in modes else "stacked_kl"
    elif found is not None or not data.is_images:
        metrics = ("fid", "kid", "prdc")
    else:
        metrics = ("sliced_wasserstein",)
    real = kgan.metrics.evaluate.SampleSet(
        data.samples, data.labels, extractor=found, data=data.name, split=config.split
    )
    return kgan.callbacks.MetricMonitor(
        real.random(config.evaluate_samples),
        metrics=metrics,
        decides=decides,
        every=config.evaluate_every,
        steps_per_epoch=steps,
        settings=modes,
        patience=config.patience,
        table=table,
        seed=config.seed,
    )


def _reference(data: Dataset, seed: int) -> Dataset:
    """Real samples for the score after each epoch, chosen once."""
    rows = np.random.default_rng(seed).permutation(len(data))[:_REFERENCE]
    return data.take(np.sort(rows))


def _adam(config: TrainConfig, learning_rate: float, *, updates: int) -> keras.optimizers.Optimizer:
    """Adam whose rate halves as configured; it is updated `updates` times a step."""
    half_life = config.learning_rate_half_life
    rate = _halving(learning_rate, half_life and half_life * updates)
    adam = keras.optimizers.Adam(rate, beta_1=config.beta_1, beta_2=config.beta_2)
    if config.precision != "float16":
        return adam
    return keras.optimizers.LossScaleOptimizer(adam)


def _jit_compile(config: TrainConfig) -> bool:
    if config.jit_compile != "auto":
        return config.jit_compile == "on"
    # Keras cannot compile a step for several replicas.
    alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
    return alone and len(tf.config.list_physical_devices("GPU")) == 1


def _halving(value: float, half_life: int | None):
    if half_life is None:
        return value
    return keras.optimizers.schedules.ExponentialDecay(value, half_life, 0.5)


def _feed_batch(config: TrainConfig) -> int:
    return config.batch_size * config.n_critic
