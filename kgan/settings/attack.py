"""Settings of `kgan attack`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from kgan.settings.groups import (
    DeclaredVictim,
    ImageReading,
    Messages,
    PreparedData,
    Radius,
    RunFolder,
    check_at_least,
    check_seed,
)


@dataclass(frozen=True, kw_only=True)
class AttackSettings(Messages, RunFolder, DeclaredVictim, ImageReading, PreparedData):
    """Attack a classifier and report how robust it is."""

    family: ClassVar[str] = "attack"

    # What
    model: str = "digits"
    """A .keras file; digits, mnist, cifar10: a small classifier, trained once and kept; or what
    only answers: a SavedModel's folder, an .onnx file, http://HOST:PORT/v1/models/NAME."""
    data: str | None = None
    """digits, a tensorflow-datasets name, .npz with labels, or a folder; default the model's."""
    split: str | None = None
    """Which split; default test (an image folder without splits: train)."""
    n: int | None = None
    """Attack so many images, drawn by the seed; default all."""

    signature: str | None = None
    """For a SavedModel or a server with several signatures: which is asked."""
    token_file: Path | None = None
    """For a server that asks for a token: a file with it."""
    input: str | None = None
    """For a model with several inputs: which takes the images."""
    held: tuple[str, ...] = ()
    """The other inputs, whose rows are arrays of the .npz: NAME, or NAME=KEY of another array."""

    # How
    criterion: str = "misclassification"
    """What counts as fooled: misclassification, top-k:k=5, confidence:least=0.9; or, with rows of
    0 and 1 as labels of an .npz, multi-label:count=1."""
    attack: tuple[str, ...] = ()
    """Any of noise, fgsm, pgd, mifgsm, deepfool, cw, ead, apgd, fab, square, autoattack, spatial,
    guided (or at), advgan, universal, patch, fmn, ddn, hopskipjump, boundary, jsma, sigma-zero,
    one-pixel, sparse-rs; with settings if you like: pgd:steps=100,restarts=5. Default noise, fgsm,
    apgd:steps=40, square:steps=1000; of a model that only answers those that only ask."""
    epsilons: Annotated[tuple[Radius, ...], tyro.conf.arg(aliases=["--epsilon"])] = ()
    """Radii for images in [0, 1], such as 0.1 or 8/255; default depends on norm and channels."""
    norm: Literal["linf", "l2", "l1", "l0"] = "linf"
    """The norm that epsilon is measured in; in l0 it is how many values may change."""
    eight_bit: bool = False
    """Adversarial images of 8 bits a value, as PNGs hold them, judged as such."""
    surrogate: tuple[Path, ...] = ()
    """For guided: .keras files whose gradients it follows; default a distilled substitute."""
    batch_size: int = 256
    """Images attacked at a time."""
    seed: int = 0
    """Seed of everything random."""
    certify: bool = False
    """Also bound robustness from below, by interval bounds (linf; small networks)."""
    corruptions: bool = False
    """Also measure the accuracy under the 15 common corruptions at five severities."""
    baseline: Path | None = None
    """For corruptions: a .keras file whose errors are 100% (mCE)."""
    min_robust: float | None = None
    """Exit with code 1 where any robust accuracy is below this share."""

    # Output
    junit: Path | None = None
    """Also write the result as JUnit XML, for a CI server."""
    sarif: Path | None = None
    """Also write the result as SARIF 2.1.0, for code scanning."""
    classifiers_dir: Path = Path("saved_models/classifiers")
    """Where digits, mnist and cifar10 are kept."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 2, "n")
        check_seed(self.seed)
        if self.min_robust is not None and not 0 <= self.min_robust <= 1:
            raise ValueError(f"min_robust must be a share in [0, 1], got {self.min_robust:g}.")
        if self.held and self.input is None:
            raise ValueError("held needs --input, the name of the input that takes the images.")
        if self.corruptions and (self.held or self.criterion.startswith("multi-label")):
            raise ValueError("corruptions are for classifiers of images alone, one class an image.")
        if self.baseline is not None and not self.corruptions:
            raise ValueError("baseline must be left out without --corruptions.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        parts = self.model.rstrip("/").split("/")
        # An address may end in a version's number.
        end = -3 if parts[-2:-1] == ["versions"] and len(parts) > 2 else -1
        return Path(parts[end]).stem

    @classmethod
    def may_change(cls) -> frozenset[str]:
        # Every field may change: results are stored under the settings that they depend on.
        return frozenset(field.name for field in dataclasses.fields(cls))
