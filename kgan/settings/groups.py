"""Groups of fields that several commands share, each stated once; no TensorFlow.

A settings class is a frozen dataclass made of some of these and of fields of its own. Its fields
are the flags of a command, their docstrings are its help, and it is written beside every result.
"""

import contextlib
import contextvars
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro


def check_seed(seed: int) -> None:
    """Raises `ValueError` for a seed that a request cannot have."""
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must be in [0, {2**31 - 1}], got {seed}.")


def check_at_least(settings: object, least: float, *names: str) -> None:
    """Raises `ValueError` unless the named fields are finite and at least `least`, or `None`."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value >= least:
            raise ValueError(f"{name} must be at least {least}, got {value}.")
        if value == math.inf:
            raise ValueError(f"{name} must be finite, got {value}.")


def check_decay(settings: object, *names: str) -> None:
    """Raises `ValueError` unless the named fields, decays of averages, are in [0, 1)."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be in [0, 1), got {value}.")


def check_name(name: str | None, folder: str) -> None:
    """Raises `ValueError` unless it names a file in that folder, or is `None`.

    Args:
        name: What the user chose.
        folder: The flag that says where it goes.
    """
    if name is not None and not is_name(name):
        raise ValueError(
            "name must be a plain file name without a path, of at most 200 bytes, "
            f"got {name!r}. Choose the folder with {folder}."
        )


def _radius(text: str) -> float:
    try:
        return float(Fraction(text))
    except ZeroDivisionError as error:
        raise ValueError(f"a radius such as 8/255, got {text}.") from error


# A radius on the command line: a number, or a fraction such as 8/255.
Radius = Annotated[
    float,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="NUMBER",
        instance_from_str=lambda words: _radius(words[0]),
        is_instance=lambda value: isinstance(value, float | int),
        str_from_instance=lambda value: [f"{value:g}"],
    ),
]


_checked = contextvars.ContextVar("checked", default=True)


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Within this context settings are not checked when made; the caller checks them later.

    Otherwise the command line's parser would report an invalid value in a box of several lines.
    """
    token = _checked.set(False)
    try:
        yield
    finally:
        _checked.reset(token)


class Settings:
    """Base of all settings: the group whose `check` ends the chain of `super().check()` calls.

    Attributes:
        family: Name of the family, as in a run's `config.json`.
        changeable: Names of this group's fields that may change when a run is resumed, because no
            finished step depends on them.
        places: Names of this group's fields that say where data are, which may change when a run
            is resumed as long as the data are the same.
        settled: Names of this group's fields that may be left to the data, and so are never `None`
            in the record of a run.
        chosen_by_data: Whether all that the user did not choose is left to the data.
    """

    family: ClassVar[str] = ""
    changeable: ClassVar[tuple[str, ...]] = ()
    places: ClassVar[tuple[str, ...]] = ()
    settled: ClassVar[tuple[str, ...]] = ()
    chosen_by_data: ClassVar[bool] = False

    @property
    def needs_tensorflow(self) -> bool:
        """Whether the command's own process computes something."""
        return True

    @classmethod
    def may_change(cls) -> frozenset[str]:
        """Names of the changeable fields of all groups."""
        return cls._of_all_groups("changeable")

    @classmethod
    def may_move(cls) -> frozenset[str]:
        """Names of the fields of all groups that say where data are."""
        return cls._of_all_groups("places")

    @classmethod
    def _of_all_groups(cls, attribute: str) -> frozenset[str]:
        return frozenset(name for group in cls.__mro__ for name in vars(group).get(attribute, ()))

    @property
    def shaped_by(self) -> frozenset[str]:
        """Names of changeable fields on which a model of these settings depends all the same."""
        return frozenset()

    def __post_init__(self) -> None:
        if _checked.get():
            self.check()

    def check(self) -> None:
        """Raises `ValueError` for invalid values; each group checks its own fields."""


@dataclass(frozen=True, kw_only=True)
class Messages(Settings):
    """What a command says."""

    changeable: ClassVar[tuple[str, ...]] = ("verbose", "debug")

    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True, kw_only=True)
class PreparedData(Settings):
    """Where tensorflow-datasets' sets come from."""

    changeable: ClassVar[tuple[str, ...]] = ("data_dir", "download")

    data_dir: Path | None = None
    """Folder of prepared tensorflow-datasets; default TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    download: bool = False
    """Let tensorflow-datasets download a set that is not prepared."""


@dataclass(frozen=True, kw_only=True)
class ImageReading(Settings):
    """How images are read: what is declared where files do not say it."""

    image_size: tuple[int, ...] | None = None
    """Resize images to this side, or height and width, with antialiasing (folders: 64)."""
    resize: Literal["crop", "pad", "stretch"] = "crop"
    """crop cuts what is too long, pad keeps all and adds background, stretch changes
    proportions."""
    channels: Literal["grey", "rgb", "rgba"] | None = None
    """Channels of images; default what the data have, with transparency laid on the background
    (rgba keeps it)."""
    background: str = "white"
    """Colour behind transparency and at padded edges: a name or #rrggbb."""
    value_range: tuple[float, float] | Literal["auto"] | None = None
    """Values that are black and white where the data do not say it, such as 0 4095 or -1000 1000;
    auto: the smallest and the largest of the whole set."""
    shown_channels: tuple[int, ...] = ()
    """Of images of many channels, the one or three that pictures show, from 0; default the first
    three."""

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """(height, width), or `None` if the images keep their size."""
        size = self.image_size
        return None if size is None else (size[0], size[-1])

    @property
    def reading(self) -> dict[str, Any]:
        """These fields as the functions of `kgan.data` take them."""
        return {
            "image_size": self.image_shape,
            "resize": self.resize,
            "channels": self.channels,
            "background": self.background,
            "value_range": self.value_range,
            "shown_channels": self.shown_channels,
        }

    def check(self) -> None:
        super().check()
        if self.image_size is not None and len(self.image_size) not in (1, 2):
            raise ValueError(
                f"image_size must be a side or a height and a width, got {self.image_size}."
            )
        if isinstance(self.value_range, tuple) and not _is_span(self.value_range):
            raise ValueError(
                "value_range must be two finite values, the lower one first, or auto, "
                f"got {self.value_range}."
            )


@dataclass(frozen=True, kw_only=True)
class TableReading(Settings):
    """How the rows of a table are read from a file."""

    columns: tuple[str, ...] = ()
    """What columns hold, as NAME=KIND: number, integer, category, boolean, date, id or drop, and
    date:%d/%m/%Y; default what DATA.columns.json beside the data says, or their values."""
    most_categories: int = 250
    """Categories that a column may have; the rare ones of a column with more are joined."""
    constraints: tuple[str, ...] = ()
    """What holds between columns, in every row: start<=end, age>=18, or city&country for the
    combinations that the data have."""
    encoding: str = "utf-8"
    """Encoding of the texts of a .csv file, such as cp1252."""
    separator: str = ","
    """What separates the values of a .csv file: one character, or tab."""
    decimal: Literal[".", ","] = "."
    """What stands before the decimals of a .csv file's numbers."""
    held_out: float = 0.2
    """Share of a file's rows that training does not see, for kgan evaluate; in [0, 1)."""
    categorical: tuple[str, ...] = ()
    """Columns that are categories; default told by their values."""
    integer: tuple[str, ...] = ()
    """Columns of whole numbers; default told by their values."""
    number: tuple[str, ...] = ()
    """Columns of numbers; default told by their values."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 2, "most_categories")
        if len(self.declared_columns) < len(self.columns):
            raise ValueError(f"columns must be declared once each, got {' '.join(self.columns)}.")

    @property
    def declared_columns(self) -> dict[str, str]:
        """Kinds by column, as the flag `columns` declares them."""
        found = {}
        for one in self.columns:
            name, equals, kind = one.rpartition("=")
            if not equals or not name:
                raise ValueError(f"columns must be declared as NAME=KIND, got {one!r}.")
            found[name] = kind
        return found

    @property
    def table_reading(self) -> dict[str, Any]:
        """The arguments of `kgan.data.load_table` that say the same."""
        found = {field.name: getattr(self, field.name) for field in fields(TableReading)}
        return {**found, "columns": self.declared_columns}


@dataclass(frozen=True, kw_only=True)
class DeclaredVictim(Settings):
    """What a classifier of the user's own takes and gives, where its file does not show it."""

    head: Literal["logits", "softmax", "sigmoid"] | None = None
    """What the model gives; default what its graph shows."""
    input_range: tuple[float, float] | None = None
    """What black and white are for the model: 0 255, or -1 1; default 0 1."""
    mean: tuple[float, ...] = ()
    """Subtracted from images in that range: one number, or one for each channel."""
    std: tuple[float, ...] = ()
    """Divided by after that, likewise."""
    output: str | None = None
    """Which of several outputs the class scores are, by name; default the only one."""
    data_format: Literal["channels_last", "channels_first"] | None = None
    """channels_first for a model of (channels, height, width); default channels_last."""

    def check(self) -> None:
        super().check()
        if self.input_range is not None and not _is_span(self.input_range):
            raise ValueError(
                f"input_range must be two finite numbers, the lower first, got {self.input_range}."
            )
        if self.std and min(self.std) <= 0:
            raise ValueError(f"std must be above 0, got {self.std}.")

    @property
    def declared(self) -> dict[str, Any]:
        """What is declared, as arguments of `kgan.attacks.Victim`; empty for nothing."""
        given = {
            "head": self.head,
            "bounds": self.input_range,
            "mean": self.mean or None,
            "std": self.std or None,
            "output": self.output,
            "data_format": self.data_format,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class SampleData(Settings):
    """The data set that a model learns to make samples of."""

    places: ClassVar[tuple[str, ...]] = ("data",)

    data: str = "digits"
    """digits, ring, grid, stacked-mnist, a tensorflow-datasets name (mnist), an image folder, or
    .npz/.npy."""
    split: str = "train"
    """Which split to train on."""
    flip: bool = False
    """Mirror half of the images left to right."""
    conditional: bool = True
    """Condition on the class where the data has labels."""
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    """Which samples a step has: shuffled passes, or every class equally often."""


USUAL_BATCH = 64
"""Samples in an update where the user chooses no number."""


@dataclass(frozen=True, kw_only=True)
class Start(Settings):
    """What a training starts from."""

    init_from: Path | None = None
    """Start from the weights of a run, a .keras file or an exported model, on these or other data
    and classes; what has another shape starts anew, and so do the optimizers."""


@dataclass(frozen=True, kw_only=True)
class TranslationTraining(Settings):
    """What of the images is trained on, and the optimizers, of models that translate images."""

    crop: tuple[int, ...] | None = None
    """Train on a random part of this side, or height and width, of each image, the same of both of
    a pair; test on the middle."""
    g_learning_rate: float = 2e-4
    """The generators' learning rate."""
    d_learning_rate: float = 2e-4
    """The discriminators' learning rate."""
    falling_share: float = 0.5
    """Share of the training in which the learning rates fall to zero along a line; before, they
    stay."""
    beta_1: float = 0.5
    """Adam's decay of the mean."""
    beta_2: float = 0.999
    """Adam's decay of the square."""

    @property
    def crop_shape(self) -> tuple[int, int] | None:
        """(height, width) of the part to train on, or `None`."""
        return None if self.crop is None else (self.crop[0], self.crop[-1])

    def check(self) -> None:
        super().check()
        check_at_least(self, 0, "g_learning_rate", "d_learning_rate")
        check_decay(self, "beta_1", "beta_2")
        check_crop(self.crop)
        if not 0.0 <= self.falling_share <= 1.0:
            raise ValueError(f"falling_share must be in [0, 1], got {self.falling_share}.")


@dataclass(frozen=True, kw_only=True)
class Fit(Settings):
    """How long to train, from which seed, and what to record."""

    changeable: ClassVar[tuple[str, ...]] = ("tensorboard",)
    settled: ClassVar[tuple[str, ...]] = ("batch_size",)

    batch_size: int | None = None
    """Samples in an update, over all replicas; default 64, or fewer of a smaller set."""
    epochs: int = 20
    """Number of epochs."""
    steps_per_epoch: int | None = None
    """Steps in an epoch; default one pass over the data."""
    seed: int = 0
    """Seed of everything random."""
    tensorboard: bool = False
    """Also write TensorBoard logs (extra: tensorboard)."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "epochs", "batch_size", "steps_per_epoch")
        check_seed(self.seed)


@dataclass(frozen=True, kw_only=True)
class Machine(Fit):
    """What computes, and how."""

    changeable: ClassVar[tuple[str, ...]] = ("jit_compile",)

    precision: str = "float32"
    """float32, bfloat16, float16 (on GPUs), or auto: bfloat16 where the hardware has it."""
    jit_compile: Literal["auto", "on", "off"] = "auto"
    """Compile the step with XLA; auto does so on a single GPU (it is slower on a CPU)."""
    steps_per_execution: int = 1
    """Steps in one call into TensorFlow."""
    strategy: str = "none"
    """none, mirrored (all devices of this machine), multi-worker (all workers of TF_CONFIG or of
    Slurm), or auto (multi-worker where TF_CONFIG is set, mirrored for several GPUs)."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "steps_per_execution")
        steps = self.steps_per_epoch
        if steps is not None and steps % self.steps_per_execution:
            raise ValueError(
                f"steps_per_execution must divide steps_per_epoch ({steps}), "
                f"got {self.steps_per_execution}."
            )


@dataclass(frozen=True, kw_only=True)
class Privacy(Settings):
    """Differential privacy: what a training may tell of any single record."""

    epsilon: float | None = None
    """Train with differential privacy, and spend at most this on the whole training (extra:
    privacy)."""
    delta: float = 1e-5
    """Probability that the promise fails; below one over the number of records."""
    clip_norm: float = 1.0
    """The longest that the gradient of a record may be."""
    noise: float | None = None
    """Standard deviation of the noise over clip_norm; default the least that epsilon allows."""

    def check(self) -> None:
        super().check()
        if self.epsilon is None:
            for name in ("noise", "delta", "clip_norm"):
                if getattr(self, name) != Privacy.__dataclass_fields__[name].default:
                    raise ValueError(f"{name} belongs to a private training: set epsilon too.")
            return
        if not 0 < self.epsilon < math.inf:
            raise ValueError(f"epsilon must be above 0 and finite, got {self.epsilon}.")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must be in (0, 1), got {self.delta}.")
        if not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be above 0, got {self.clip_norm}.")
        if self.noise is not None and not self.noise > 0:
            raise ValueError(f"noise must be above 0, got {self.noise}.")


@dataclass(frozen=True, kw_only=True)
class Doctor(Settings):
    """Watching over a training."""

    doctor: bool = True
    """Name mode collapse and other problems while training, and what to try."""
    roll_back: bool = False
    """Where the samples collapse or diverge, go back to the best average and stop."""


@dataclass(frozen=True, kw_only=True)
class Scores(Settings):
    """Scores of the generated samples while the model trains, without features."""

    changeable: ClassVar[tuple[str, ...]] = ("evaluate_every", "patience")

    evaluate_every: int | None = None
    """Score the generator at the end of the epoch in which so many more steps were done, and keep
    the best checkpoint by that score."""
    evaluate_samples: int = 5000
    """Generated samples in such a score; at most as many as there are real ones."""
    patience: int | None = None
    """Stop after so many scores in a row without a better one; of networks that grow those at their
    full size count."""

    def check(self) -> None:
        super().check()
        # Metrics of nearest neighbours need several samples.
        check_at_least(self, 10, "evaluate_samples")
        check_at_least(self, 1, "evaluate_every", "patience")
        if self.patience is not None and self.evaluate_every is None:
            raise ValueError("patience counts scores: set evaluate_every too.")


@dataclass(frozen=True, kw_only=True)
class ScoresWhileTraining(Scores):
    """Scores of the generated samples while the model trains."""

    extractor: str | None = None
    """What such a score measures features with: lenet-mnist, lenet-digits, inception or a .keras
    file; default by the data."""


@dataclass(frozen=True, kw_only=True)
class RunFolder(Settings):
    """Where a run's folder goes."""

    changeable: ClassVar[tuple[str, ...]] = ("name", "runs_dir", "resume")

    name: str | None = None
    """Name of the run and of what it exports; default the preset's, or that of the data."""
    runs_dir: Path = Path("runs")
    """Where run folders go."""
    resume: bool = False
    """Continue the latest run of this name, as if it had never stopped."""

    def check(self) -> None:
        super().check()
        check_name(self.name, "--runs-dir")

    def default_name(self, preset: str | None, defaults: "RunFolder") -> str:
        """Name of the run if the user gives none.

        Args:
            preset: Name of the preset that the settings started from, or `None`.
            defaults: The settings of that preset.
        """
        raise NotImplementedError


def check_crop(crop: tuple[int, ...] | None) -> None:
    """Raises `ValueError` unless it is a side, or a height and a width, of at least 1."""
    if crop is not None and (len(crop) not in (1, 2) or min(crop) < 1):
        raise ValueError(f"crop must be a side or a height and a width of at least 1, got {crop}.")


def _is_span(values: tuple[float, float]) -> bool:
    return -math.inf < values[0] < values[1] < math.inf


def name_of_data(text: str) -> str:
    """Name for a run on these data: the stem of a file or folder, or the name of the data set."""
    path = Path(text).expanduser()
    return path.resolve().stem if path.exists() else path.stem


def is_name(text: str) -> bool:
    """Whether a text is a valid folder name: no path, no flag, not hidden, empty or too long.

    Control characters would reach terminals with every message that names the folder.
    """
    if not text.strip() or text.startswith((".", "-")) or set(text) & set("/\\"):
        return False
    if any(unicodedata.category(character) == "Cc" for character in text):
        return False
    # File systems take 255 bytes, some of which a number or a temporary file needs.
    return len(text.encode(errors="surrogateescape")) <= 200


@dataclass(frozen=True, kw_only=True)
class Output(RunFolder):
    """What a training leaves behind."""

    changeable: ClassVar[tuple[str, ...]] = ("export", "export_dir")

    export_dir: Path = Path("saved_models")
    """Where exported models go."""
    export: bool = True
    """Export the model when training ends."""
