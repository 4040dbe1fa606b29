"""`kgan sample SOURCE`: images from a run, a .keras file or an exported model."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from kgan.cli import run
from kgan.files import atomic_path


@dataclass(frozen=True)
class SampleConfig:
    """Generate samples; the same seed gives the same samples from every kind of source."""

    source: "Annotated[Path, tyro.conf.Positional]"  # noqa: F821
    """A run folder, a .keras file, or an exported model (its folder or one of its versions)."""
    n: int = 100
    """How many samples."""
    labels: tuple[int, ...] = ()
    """Classes to generate, in turn; default all of them."""
    seed: int = 0
    """Seed of the request."""
    out: Path = Path("samples.png")
    """NAME.png: a grid (points: a plot); NAME.npz: arrays; anything else: a folder of PNGs."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that was exported: best with --evaluate-every."""
    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `kgan sample`."""
    import tyro

    globals()["tyro"] = tyro
    arguments = list(sys.argv[1:] if argv is None else argv)
    config = tyro.cli(SampleConfig, args=arguments, prog="kgan sample")
    return run(lambda: sample(config), debug=config.debug, verbose=config.verbose)


def sample(config: SampleConfig) -> int:
    """Generates and writes."""
    import numpy as np

    if config.n < 1:
        raise ValueError(f"n must be at least 1, got {config.n}.")
    samples, labels = generate(config)
    is_images = samples.ndim == 4
    if config.out.suffix == ".npz":
        arrays = {"images" if is_images else "points": samples}
        arrays |= {} if labels is None else {"labels": labels}
        with atomic_path(config.out) as temporary:
            np.savez_compressed(temporary, **arrays)
    elif config.out.suffix == ".png":
        _draw(samples, labels, config.out)
    elif is_images:
        _write_folder(samples, labels, config.out)
    else:
        raise ValueError(f"out must end in .png or .npz for points, got {config.out}.")
    print(f"{len(samples)} samples in {config.out}")
    return 0


class Source(NamedTuple):
    """A generator, wherever it came from.

    Attributes:
        num_classes: Number of classes of a conditional one, else `None`.
        generate: `(n, labels, seed)` to samples (n, ...); labels (n,) where conditional.
        gan: The whole model, where there is one.
    """

    num_classes: int | None
    generate: Callable[..., Any]
    gan: Any = None


def generate(config: SampleConfig):
    """(samples, labels) from whatever the source is."""
    source = open_source(config.source, checkpoint=config.checkpoint)
    labels = _labels(config, source.num_classes)
    return source.generate(config.n, labels, config.seed), labels


def open_source(path: Path, *, checkpoint: str | None = None) -> Source:
    """The generator of a run folder, a .keras file or an exported model."""
    import kgan.export
    import kgan.models

    source = path
    if (source / "config.json").is_file():
        source = source / "checkpoints" / f"{checkpoint or exported_checkpoint(source)}.keras"
    if source.suffix == ".keras":
        gan = kgan.models.load(source)
        return Source(
            gan.num_classes, lambda n, labels, seed: gan.generate(n, labels, seed=seed), gan
        )
    source = kgan.export.versions.newest(source) or source
    if not (source / "saved_model.pb").is_file():
        raise FileNotFoundError(
            f"{path} is neither a run folder, nor a .keras file, nor an exported model."
        )
    return _exported(source)


def exported_checkpoint(run_folder: Path) -> str:
    """The checkpoint that training exports: the best one where scores decided on it."""
    config = json.loads((run_folder / "config.json").read_text()).get("config", {})
    best = (run_folder / "checkpoints" / "best.keras").is_file()
    return "best" if best and config.get("evaluate_every") else "last"


def _exported(version: Path) -> Source:
    import numpy as np
    import tensorflow as tf

    import kgan.export
    import kgan.latents

    manifest = kgan.export.manifest.read(version)
    model = tf.saved_model.load(version)
    signature = model.signatures["generate"]

    def generate(n, labels, seed):
        seeds = kgan.latents.example_seeds(seed, n)
        samples = []
        for start in range(0, n, 256):
            request = {"seeds": seeds[start : start + 256]}
            if labels is not None:
                request["labels"] = tf.constant(labels[start : start + 256], tf.int64)
            samples.append(next(iter(signature(**request).values())).numpy())
        return np.concatenate(samples)

    # The signature alone does not keep the model's variables alive.
    generate.model = model  # type: ignore[attr-defined]
    return Source(manifest["num_classes"], generate)


def _labels(config: SampleConfig, num_classes: int | None):
    import numpy as np

    if num_classes is None:
        if config.labels:
            raise ValueError("labels must be left out: the generator is unconditional.")
        return None
    chosen = config.labels or tuple(range(num_classes))
    if not all(0 <= label < num_classes for label in chosen):
        raise ValueError(f"labels must be in [0, {num_classes - 1}], got {chosen}.")
    return np.resize(np.array(chosen, np.int32), config.n)


def _draw(samples, labels, path: Path) -> None:
    from kgan.callbacks.drawing import grid, save_image, scatter

    if samples.ndim == 2:
        save_image(scatter(samples, samples), path)
        return
    columns = None
    if labels is not None and len(set(labels.tolist())) > 1:
        # The classes come in turn: a column for each.
        columns = min(len(set(labels.tolist())), len(samples))
    save_image(grid(samples, columns), path)


def _write_folder(samples, labels, folder: Path) -> None:
    from PIL import Image

    from kgan.callbacks.drawing import to_uint8

    if folder.exists():
        raise FileExistsError(f"{folder} exists; choose another --out or remove it.")
    with atomic_path(folder) as temporary:
        for index, image in enumerate(to_uint8(samples)):
            place = temporary if labels is None else temporary / str(labels[index])
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
                place / f"{index:05d}.png"
            )
