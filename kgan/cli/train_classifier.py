"""`kgan train-classifier [PRESET] [options]`: a classifier to attack, saved as a .keras file."""

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kgan.cli import run
from kgan.cli.fakes import with_fakes
from kgan.cli.labelled import load_labelled
from kgan.config import CLASSIFIER_PRESETS, ClassifierConfig, classifier_preset
from kgan.files import atomic_path


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kgan train-classifier`."""
    import tyro

    arguments = list(sys.argv[1:] if argv is None else argv)
    name = "digits"
    if arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
    try:
        defaults = classifier_preset(name)
    except ValueError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    config = tyro.cli(
        ClassifierConfig,
        default=defaults,
        args=arguments,
        prog="kgan train-classifier [PRESET]",
        description=f"Train a classifier. Presets: {', '.join(CLASSIFIER_PRESETS)}.",
    )
    if config.name is None:
        own = config.data == defaults.data
        config = dataclasses.replace(config, name=name if own else Path(config.data).stem)

    def body() -> int:
        train(config)
        return 0

    return run(body, debug=config.debug, verbose=config.verbose)


def train(config: ClassifierConfig) -> Path:
    """Trains a classifier, says how good it is on the test split, and saves it.

    Returns:
        The file: `classifiers_dir/NAME.keras`.
    """
    check_network(config)
    data, held_out = splits(config)
    data = with_fakes(config, data)
    begin = time.perf_counter()
    model = fit(config, data)
    seconds = time.perf_counter() - begin
    path = config.classifiers_dir / f"{config.name}.keras"
    with atomic_path(path) as temporary:
        model.save(temporary)
    accuracy = model.evaluate(held_out.as_float(), held_out.labels, batch_size=256, verbose=0)[1]
    print(f"test accuracy {accuracy:.2%} ({len(held_out):,} images) after {seconds:.1f} s")
    print(f"saved as {path}")
    return path


def check_network(config: ClassifierConfig) -> None:
    from kgan.networks.classifiers import CLASSIFIERS

    if config.network not in CLASSIFIERS:
        raise ValueError(
            f"network must be one of {', '.join(CLASSIFIERS)}, got {config.network!r}."
        )


def new_network(config: ClassifierConfig, data):
    """An untrained classifier; equal seeds give equal weights."""
    import keras

    from kgan.networks.classifiers import CLASSIFIERS

    keras.utils.set_random_seed(config.seed)
    return CLASSIFIERS[config.network](data.sample_shape, data.num_classes, width=config.width)


def fit(config: ClassifierConfig, data):
    """A new classifier, trained on the data."""
    import keras

    import kgan.data

    steps = kgan.data.steps_per_epoch(data, config.batch_size)
    model = new_network(config, data)
    print(f"training {config.network} ({model.count_params():,} weights) on {config.data}")
    model.compile(
        optimizer(config, config.epochs * steps),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(
        batches(config, data),
        epochs=config.epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=[epoch_lines(config.epochs)],
    )
    return model


def splits(config: ClassifierConfig):
    """What to train on and what to test on: a tenth of a file or folder, which has one split."""
    import numpy as np

    data = load_labelled(config, config.data, "train")
    if not Path(config.data).expanduser().exists():
        return data, load_labelled(config, config.data, "test")
    rows = np.random.default_rng(config.seed).permutation(len(data))
    tenth = max(2, len(data) // 10)
    return data.take(np.sort(rows[tenth:])), data.take(np.sort(rows[:tenth]))


def batches(config: ClassifierConfig, data):
    """The training batches, rotated and shifted at random where the configuration says so."""
    import tensorflow as tf

    import kgan.data
    import kgan.random
    from kgan.data.rotation import rotate
    from kgan.data.shift import shift

    batches = kgan.data.feed(data, config.batch_size, seed=config.seed, flip=config.flip)
    if not config.shift and not config.rotate:
        return batches

    def move(step, batch):
        images, labels = batch
        if config.rotate:
            seed = kgan.random.step_seed(config.seed, step, "rotation")
            images = rotate(images, seed, degrees=config.rotate)
        if config.shift:
            seed = kgan.random.step_seed(config.seed, step, "shift")
            images = shift(images, seed, pixels=config.shift)
        return images, labels

    return batches.enumerate().map(move, num_parallel_calls=1).prefetch(tf.data.AUTOTUNE)


def optimizer(config: ClassifierConfig, steps: int, *, rising_share: float = 0.2):
    """AdamW whose rate rises linearly, then falls to zero as a cosine."""
    import keras

    rising = int(steps * rising_share)
    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / 25,
        steps - rising,
        warmup_target=config.learning_rate,
        warmup_steps=rising,
    )
    return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)


def epoch_lines(epochs: int):
    """Prints a line after each epoch, about ten in all."""
    import keras

    def line(epoch, logs):
        if (epoch + 1) % max(1, epochs // 10) == 0:
            shares = "".join(
                f"  {name.replace('_', ' ')} {value:.2%}"
                for name, value in logs.items()
                if name.endswith("accuracy")
            )
            print(
                f"epoch {epoch + 1:>{len(str(epochs))}}/{epochs}  loss {logs['loss']:.4f}{shares}",
                flush=True,
            )

    return keras.callbacks.LambdaCallback(on_epoch_end=line)
