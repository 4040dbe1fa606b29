"""Features to score samples by: those of any Keras model, of a pinned LeNet, or of Inception."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

import kgan.names
from kgan.hdf5 import check_readable
from kgan.metrics.feature_extractor import Extractor
from kgan.metrics.inception import Inception

SHIPPED = Path(__file__).parent / "extractors"

PINNED = {"lenet-mnist": "f8361574", "lenet-digits": "33be3120"}
"""Hashes of the shipped networks, which `benchmarks/train_extractors.py` trained."""


def discriminator_extractor(gan: Any) -> Extractor:
    """The features that a GAN's own discriminator judges by: no cost, and no other data.

    They change while it trains, so scores by them compare samples at one moment, not over time,
    and not between GANs.

    Args:
        gan: A `kgan.models.GAN` without packing.
    """
    if gan.packing > 1:
        raise ValueError(
            f"the discriminator cannot extract features of one sample: packing is {gan.packing}."
        )
    return Extractor(gan.discriminator, name="discriminator")


def shipped(name: str) -> Extractor:
    """A LeNet that comes with kgan: "lenet-mnist" (28x28 grey) or "lenet-digits" (8x8 grey).

    Raises:
        ValueError: Where its weights are not those that were pinned.
    """
    model = keras.models.load_model(SHIPPED / f"{name}.keras", compile=False)
    found = Extractor(model, name=name)
    if found.hash != PINNED[name]:
        raise ValueError(
            f"{name} of this installation is damaged: its weights have the hash {found.hash}, "
            f"not {PINNED[name]}. Install kgan again."
        )
    return found


EXTRACTORS: dict[str, Callable[..., Extractor]] = {
    "lenet-mnist": lambda: shipped("lenet-mnist"),
    "lenet-digits": lambda: shipped("lenet-digits"),
    "inception": Inception,
}


def extractor(
    name_or_path: str | Path,
    layer: str | None = None,
    *,
    download: bool = False,
    what: str = "extractor",
) -> Extractor:
    """An extractor by name, or of a classifier in a `.keras` file.

    Args:
        name_or_path: A key of `EXTRACTORS`; a `.keras` file; or Inception's `.pb` or `.tgz` file.
        layer: Layer of a `.keras` file's model; see `Extractor`.
        download: Whether Inception may be fetched where it is not there.
        what: The setting that names it; errors begin with it.

    Raises:
        FileNotFoundError: Where there is neither such a name nor such a file.
        ValueError: Where the file holds no usable model.
    """
    name = str(name_or_path)
    path = Path(name).expanduser()
    if name in EXTRACTORS:
        if layer is not None:
            raise ValueError(f"layer must be left out for {name}, got {layer!r}.")
        return Inception(download=download) if name == "inception" else EXTRACTORS[name]()
    if path.suffix in (".pb", ".tgz") and path.is_file():
        return Inception(path)
    if path.suffix not in (".keras", ".h5") or not path.is_file():
        hint = kgan.names.suggestion(name, EXTRACTORS)
        raise FileNotFoundError(
            f"{what} must be one of {', '.join(EXTRACTORS)} or a .keras file that exists (such "
            f"as kgan train-classifier makes), got {name!r}.{hint}"
        )
    check_readable(path)
    try:
        model = keras.models.load_model(path, compile=False)
    except (TypeError, ValueError, OSError) as error:
        said = (str(error).strip().splitlines() or ["no message"])[0]
        raise ValueError(f"{path} cannot be loaded as a Keras model: {said}") from error
    return Extractor(model, layer, name=path.stem, structure=True)
