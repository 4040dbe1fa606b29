"""`kgan harden [PRESET] [options]`: train a classifier against attacks, and compare."""

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kgan.cli import run
from kgan.cli.fakes import with_fakes
from kgan.cli.runs import new_run, write_config
from kgan.cli.train_classifier import (
    batches,
    check_network,
    epoch_lines,
    fit,
    new_network,
    optimizer,
    splits,
)
from kgan.config import HARDEN_PRESETS, HardenConfig, harden_preset
from kgan.files import atomic_path

# Images kept from training for the guard.
_HELD = 200
# Beyond it a change of a photograph is plain to see.
_COLOUR = 16 / 255


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kgan harden`."""
    import tyro

    arguments = list(sys.argv[1:] if argv is None else argv)
    name = _preset_of_data(arguments)
    if arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
    try:
        defaults = harden_preset(name)
        config = tyro.cli(
            HardenConfig,
            default=defaults,
            args=arguments,
            prog="kgan harden [PRESET]",
            description=f"Harden a classifier. Presets: {', '.join(HARDEN_PRESETS)}; default that "
            "of the data, else digits.",
        )
    except ValueError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if config.name is None:
        source = config.data if config.model is None else str(config.model)
        config = dataclasses.replace(config, name=f"{Path(source).stem}-{config.method}")

    def body() -> int:
        harden(config)
        return 0

    return run(body, debug=config.debug, verbose=config.verbose)


def _preset_of_data(arguments: Sequence[str]) -> str:
    """The preset named as the data are, where there is one: its settings suit them."""
    words = " ".join(arguments).replace("--data=", "--data ").split()
    name = words[words.index("--data") + 1 :][:1] if "--data" in words else []
    return name[0] if name and name[0] in HARDEN_PRESETS else "digits"


def harden(config: HardenConfig) -> Path:
    """Hardens a classifier, saves it, and tells how robust it was and is.

    Returns:
        The run folder. The hardened classifier is `classifiers_dir/NAME.keras`.
    """
    from kgan.robustness.classifier_file import load_classifier
    from kgan.robustness.hardening import compare, print_hardening, write_hardening

    check_network(config)
    data, test = splits(config)
    held, train = _held(config, data)
    data, train = with_fakes(config, data), with_fakes(config, train)
    if data.sample_shape[-1] == 3 and config.norm == "linf" and config.epsilon > _COLOUR:
        print(f"note: epsilon {config.epsilon:.3g} is large for colour images; 8/255 is usual")
    target = config.classifiers_dir / f"{config.name}.keras"
    if config.model is not None and target.resolve() == config.model.expanduser().resolve():
        raise ValueError(f"name must differ from the model's: {target} would be overwritten.")
    # Made before anything is trained, so that a mistake in the settings costs no time.
    hardened = new_network(config, data) if config.model is None else _start(config, data)
    training = _training(config, hardened, train)
    if config.model is None:
        before = fit(config, data)
    else:
        before = load_classifier(config.model.expanduser())
    begin = time.perf_counter()
    stopped = _train(config, training, train, held)
    seconds = time.perf_counter() - begin
    with atomic_path(target) as temporary:
        hardened.save(temporary)
    print(f"hardened in {seconds:.1f} s; saved as {target}", flush=True)
    if stopped:
        print("the guard stopped the training: robustness was falling; the best weights are kept")
    hardening = compare(
        before,
        hardened,
        test,
        method=config.method,
        epsilon=config.epsilon,
        norm=config.norm,
        n=config.n,
        autoattack_n=config.autoattack_n,
        seed=config.seed,
        seconds=seconds,
        stopped=stopped,
    )
    folder = new_run(config.runs_dir, f"harden-{config.name}")
    write_config(folder, config)
    write_hardening(hardening, folder)
    print_hardening(hardening, folder)
    return folder


def _held(config: HardenConfig, data):
    """A few images for the guard, and the others."""
    import numpy as np

    rows = np.random.default_rng(config.seed).permutation(len(data))
    count = min(_HELD, len(data) // 5)
    return data.take(np.sort(rows[:count])), data.take(np.sort(rows[count:]))


def _start(config: HardenConfig, data):
    """The given model, or its architecture with new weights."""
    import keras

    from kgan.robustness.classifier_file import check_fit, load_classifier

    assert config.model is not None
    model = load_classifier(config.model.expanduser())
    check_fit(config.model, model, data)
    if not config.fresh:
        return model
    keras.utils.set_random_seed(config.seed)
    return keras.models.clone_model(model)


def _training(config: HardenConfig, classifier, data):
    """The classifier in training on the data, not compiled yet."""
    import kgan.data
    from kgan.defenses import METHODS, AdversarialTraining, GenerativeAdversarialTraining

    common: dict[str, Any] = {
        name: getattr(config, name) for name in ("epsilon", "norm", "awp", "warmup", "seed")
    }
    if config.warmup is not None:
        common["warmup"] = config.warmup * kgan.data.steps_per_epoch(data, config.batch_size)
    if config.method not in (*METHODS, "gat"):
        raise ValueError(
            f"method must be one of {', '.join(METHODS)} or gat, got {config.method!r}."
        )
    if config.method == "gat":
        for name in ("steps", "beta", "replays"):
            if getattr(config, name) is not None:
                raise ValueError(f"{name} must be left out for the method gat.")
        return GenerativeAdversarialTraining(classifier, **common)
    attack = None
    if config.steps is not None:
        make = METHODS[config.method].attack
        made = None if make is None else make(config.epsilon, config.norm)
        if made is not None and "steps" not in made.get_config():
            made = None
        if made is None:
            raise ValueError(f"steps must be left out for the method {config.method}.")
        attack = made.replace(steps=config.steps)
    return AdversarialTraining(
        classifier,
        method=config.method,
        attack=attack,
        beta=config.beta,
        replays=config.replays,
        batch_size=config.batch_size if config.method == "free" else None,
        **common,
    )


def _train(config: HardenConfig, training, data, held) -> bool:
    """Trains; whether the guard had to stop it."""
    import keras

    import kgan.data
    from kgan.attacks.victim import victim_of
    from kgan.defenses import OverfittingGuard

    victim = victim_of(training.classifier, data.take([0, 1]).as_float())
    kind = keras.losses.SparseCategoricalCrossentropy
    if victim.binary:
        kind = keras.losses.BinaryCrossentropy
    epochs = max(1, config.epochs // training.replays)
    steps = kgan.data.steps_per_epoch(data, config.batch_size)
    print(
        f"hardening {training.classifier.name} by {config.method}, "
        f"{config.norm} {config.epsilon:.4g}: {epochs} epochs of {steps} steps"
    )
    training.compile(
        optimizer(config, epochs * steps * training.replays, rising_share=0.4),
        kind(from_logits=victim.head == "logits"),
        metrics=[] if victim.binary else ["accuracy"],
    )
    guard = OverfittingGuard(held.as_float(), held.labels, epsilon=config.epsilon, norm=config.norm)
    training.fit(
        batches(config, data),
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
        callbacks=[*([guard] if config.guard else []), epoch_lines(epochs)],
    )
    return guard.fired
