"""Settings of `kgan latents`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from kgan.settings.groups import Messages, check_at_least, check_seed

# Which of the pictures take a setting.
_TAKERS = {
    "steps": ("interpolate", "directions", "project", "classes"),
    "images": ("project", "classes"),
    "encoder": ("project",),
    "encoder_steps": ("project",),
    "restarts": ("project", "classes"),
    "features": ("project", "classes"),
    "feature_weight": ("project", "classes"),
    "to": ("interpolate", "classes"),
    "layer": ("mix",),
    "cutoff": ("truncate",),
    "find": ("directions",),
}


@dataclass(frozen=True, kw_only=True)
class LatentsSettings(Messages):
    """Look into a GAN's latents: truncate, interpolate, mix, change class, project and more."""

    source: tyro.conf.Positional[Path]
    """A run folder or a .keras file."""
    show: Literal["truncate", "interpolate", "mix", "classes", "directions", "project"] = (
        "interpolate"
    )
    """truncate: rows of samples, ever nearer to the typical one; interpolate: from one sample to
    another; mix: each row's shape with each column's style; classes: each row's style in every
    class, that of a sample or of one of --images; directions: steps along what varies most;
    project: images, the run's held-out ones and its own samples, and what is nearest to each."""
    n: int = 8
    """How many samples, ways, rows or images."""
    steps: int = 8
    """Columns of a way or direction (interpolate, directions); hundreds of steps of the search for
    images (project, classes)."""
    labels: tuple[str, ...] = ()
    """Classes to show, in turn, by their names or numbers; default all of them, with --images those
    that their folders name. With directions the class of its one sample; default the first."""
    to: tuple[str, ...] = ()
    """With interpolate: classes to end in, in turn, by a straight line between styles, or between
    the embeddings of classes; default those that the ways start from. With classes: the columns;
    default all of them."""
    layer: int = 4
    """With mix: how many of the first styles the row decides."""
    cutoff: int | None = None
    """With truncate, of a generator with styles: how many of the first styles are pulled to the
    mean; default all."""
    find: Literal["principal", "closed-form"] = "principal"
    """With directions: those in which samples vary most, or those that the weights amplify most."""
    images: Path | None = None
    """With project or classes: a picture, a folder or file of some, or the name of a data set;
    default of project those that the run was trained on."""
    restarts: int = 4
    """With project, or classes of --images: how many starts the best is taken of."""
    features: str | None = None
    """With project, or classes of --images: what tells features that are to be alike too:
    lenet-mnist, lenet-digits or a classifier's .keras file."""
    feature_weight: float = 0.1
    """Weight of the distance of the features, beside the squared error of pixels; 0 only tells
    it."""
    encoder: Path | None = None
    """With project: a .keras file with an encoder whose guess is the one start, so that --steps 1
    suffice; it is trained and written where it is not there, and taken as it is where it was
    trained for the same generator."""
    encoder_steps: int = 3000
    """Steps of its training, where there is none yet."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that was exported."""
    seed: int = 0
    """Seed of all that is drawn."""
    out: Path = Path("latents.png")
    """The picture to write."""

    def check(self) -> None:
        super().check()
        check_seed(self.seed)
        check_at_least(self, 1, "n", "restarts", "encoder_steps")
        check_at_least(self, 0, "layer", "cutoff")
        for name, takers in _TAKERS.items():
            if self.show not in takers and self._is_given(name):
                told = f"{takers[0]} takes it"
                if len(takers) > 1:
                    told = f"{', '.join(takers[:-1])} and {takers[-1]} take it"
                raise ValueError(f"{name} must be left out with --show {self.show}: {told}.")
        check_at_least(self, 1 if self.show == "project" or self.images else 2, "steps")
        if self.show == "classes" and self.images is None:
            for name in ("labels", "steps", "restarts", "features", "feature_weight"):
                if self._is_given(name):
                    raise ValueError(
                        f"{name} must go with --images with --show classes, whose rows are else "
                        "samples, in the classes that --to chooses."
                    )
        if self.show == "directions" and len(self.labels) > 1:
            raise ValueError(
                "labels must be one with --show directions, whose rows all start from the same "
                f"sample, got {' '.join(self.labels)}."
            )
        check_at_least(self, 0, "feature_weight")
        if self.features is None and self._is_given("feature_weight"):
            raise ValueError(
                f"feature_weight must go with features, got {self.feature_weight:g} alone."
            )
        if self.encoder is None and self._is_given("encoder_steps"):
            raise ValueError(f"encoder_steps must go with encoder, got {self.encoder_steps} alone.")
        if self.encoder is not None and self._is_given("restarts"):
            raise ValueError(
                "restarts must be left out with encoder, whose guess is the one start, "
                f"got {self.restarts}."
            )
        if self.encoder is not None and self.encoder.suffix != ".keras":
            raise ValueError(f"encoder must end in .keras, got {self.encoder}.")
        if self.out.suffix.lower() != ".png":
            raise ValueError(f"out must end in .png, got {self.out}.")

    def _is_given(self, name: str) -> bool:
        return getattr(self, name) != type(self).__dataclass_fields__[name].default
