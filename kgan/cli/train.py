"""`kgan train [PRESET] [options]`: train, keep everything in a run folder, export."""

import contextlib
import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kgan.cli import run
from kgan.cli.runs import (
    check_unchanged,
    has_run,
    latest_run,
    new_run,
    origin,
    read_config,
    write_config,
)
from kgan.cli.sample import exported_checkpoint
from kgan.config import PRESETS, TrainConfig, preset


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `train.py` and `kgan train`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = "digits"
    if arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
    try:
        defaults = preset(name)
        config = _parse(arguments, defaults)
        run_name = config.name or (name if config.data == defaults.data else Path(config.data).stem)
        # A cluster restarts its workers with the command that started them, so there --resume
        # starts anew where nothing is to be resumed.
        anew = config.strategy == "multi-worker" and not has_run(config.runs_dir, run_name)
        if config.resume and not anew:
            folder = latest_run(config.runs_dir, run_name)
            saved = read_config(folder)
            config = _parse(arguments, saved)
            check_unchanged(saved, config)
        else:
            folder = new_run(config.runs_dir, run_name)
    except (ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    config = dataclasses.replace(config, name=run_name)
    return run(
        lambda: train(config, folder, preset_name=name), debug=config.debug, verbose=config.verbose
    )


def _parse(arguments: Sequence[str], defaults: TrainConfig) -> TrainConfig:
    import tyro

    return tyro.cli(
        TrainConfig,
        default=defaults,
        args=arguments,
        prog="kgan train [PRESET]",
        description=f"Train a GAN and export its generator. Presets: {', '.join(PRESETS)}.",
    )


def train(config: TrainConfig, folder: Path, *, preset_name: str | None = None) -> int:
    """Trains in `folder` (continues where it holds a checkpoint) and exports the generator."""
    import kgan.build
    import kgan.distribution
    import kgan.models

    strategy = kgan.distribution.get(config.strategy)
    data = kgan.build.dataset(config)
    steps = kgan.build.steps_per_epoch(config, data)
    with strategy.scope():
        gan = kgan.build.gan(config, data)
    if config.resume and (folder / "checkpoints" / "last.keras").is_file():
        kgan.models.restore(gan, folder / "checkpoints" / "last.keras")
    if kgan.distribution.is_chief(strategy):
        return _fit_and_export(config, folder, data, steps, gan, preset_name)
    # Reading some variables takes all workers, so each does all that the chief does; but only the
    # chief's files are kept.
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(None):
        scratch = Path(name)
        # What decides on the best state, and on stopping, is the same for all.
        for file in ("metrics.csv", "checkpoints/best.keras") if config.resume else ():
            if (folder / file).is_file():
                (scratch / file).parent.mkdir(exist_ok=True)
                shutil.copy(folder / file, scratch / file)
        own = dataclasses.replace(config, export_dir=scratch / "models")
        return _fit_and_export(own, scratch, data, steps, gan, preset_name)


def _fit_and_export(
    config: TrainConfig, folder: Path, data, steps: int, gan, preset_name: str | None
) -> int:
    import kgan.build
    import kgan.callbacks
    import kgan.distribution
    import kgan.export
    import kgan.models

    last = folder / "checkpoints" / "last.keras"
    write_config(folder, config)
    done = int(gan.step.numpy())
    _announce(config, folder, data, gan, done)

    callbacks = kgan.build.callbacks(config, folder, data, steps, first_epoch=done // steps)
    guard = next(c for c in callbacks if isinstance(c, kgan.callbacks.NonFiniteGuard))
    signals = kgan.callbacks.StopOnSignal()
    # Workers would not stop at the same step: a cluster's signal ends them, and the last checkpoint
    # is where they go on.
    alone = not kgan.distribution.spans_workers(gan.distribute_strategy)
    endings = [signals] if alone else []
    try:
        # A run that was stopped inside an epoch first finishes that epoch.
        while done < config.epochs * steps and not gan.stop_training:
            epoch, inside = divmod(done, steps)
            gan.fit(
                kgan.build.feed(config, data, start=done),
                initial_epoch=epoch,
                epochs=epoch + 1 if inside else config.epochs,
                steps_per_epoch=steps - inside,
                callbacks=[*callbacks, *endings],
                shuffle=False,
                verbose=0,
            )
            done = int(gan.step.numpy())
    finally:
        signals.restore()
    doctors = [c for c in callbacks if isinstance(c, kgan.callbacks.CollapseDoctor)]
    if guard.found and not any(doctor.rolled_back for doctor in doctors):
        raise FloatingPointError(guard.message)
    if signals.stopped:
        print(f"stopped at step {done} of {config.epochs * steps}; the state is in {last}.")
        print("continue with the same command and --resume")
        return 130
    version = None
    if exported_checkpoint(folder) == "best":
        kgan.models.restore(gan, last.with_name("best.keras"))
        print(f"exporting the best checkpoint, of step {int(gan.step.numpy()):,}")
    if config.export:
        version = kgan.export.export(
            gan,
            config.export_dir / str(config.name),
            class_names=data.class_names,
            origin=origin(config, folder, int(gan.step.numpy()), preset_name),
        )
    _tell_what_is_where(folder, version)
    return 0


def _announce(config: TrainConfig, folder: Path, data, gan, done: int) -> None:
    shape = "x".join(map(str, data.sample_shape))
    classes = f", {gan.num_classes} classes" if gan.num_classes else ""
    size = sum(network.count_params() for network in (gan.generator, gan.discriminator))
    print(f"{config.data}: {len(data):,} samples of {shape}{classes}")
    print(f"{config.networks}, {config.loss}: {size:,} weights; run folder {folder}")
    if done:
        print(f"resuming at step {done:,}")


def _tell_what_is_where(folder: Path, version: Path | None) -> None:
    print("\ndone")
    rows = [
        ("samples of each epoch", folder / "samples"),
        ("as an animation", folder / "samples" / "animation.gif"),
        ("losses, probabilities", folder / "metrics.csv"),
        ("checkpoints", folder / "checkpoints"),
    ]
    if version is not None:
        rows.append(("exported model", version))
    for what, where in rows:
        print(f"  {what:<24}{where}")
    print("next")
    print(f"  kgan sample {version or folder} --n 100 --out samples.png")
    print(f"  python train.py --resume --name {folder.name} --epochs N      # train on")
