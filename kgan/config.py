"""Dataclasses for the command line: each default is stated once, here; `PRESETS` are data."""

import dataclasses
import difflib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

_Config = TypeVar("_Config")
_OPTIONAL_COUNTS = (
    "steps_per_epoch",
    "penalty_half_life",
    "learning_rate_half_life",
    "evaluate_every",
    "patience",
)


@dataclass(frozen=True)
class TrainConfig:
    """Train a GAN and export its generator."""

    # Data
    data: str = "digits"
    """digits, ring, grid, stacked-mnist, a tensorflow-datasets name (mnist), an image folder, or
    .npz/.npy."""
    data_dir: Path | None = None
    """Folder of prepared tensorflow-datasets; default TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    download: bool = False
    """Let tensorflow-datasets download a set that is not prepared."""
    split: str = "train"
    """Which split to train on."""
    image_size: tuple[int, ...] | None = None
    """Resize images to this side, or height and width, with antialiasing (folders: 64)."""
    flip: bool = False
    """Mirror half of the images left to right."""
    conditional: bool = True
    """Condition on the class where the data has labels."""

    # Networks
    networks: str = "dcgan"
    """A key of kgan.networks.NETWORKS (dcgan, resnet, mlp)."""
    latent_dim: int = 64
    """Length of a latent vector."""
    generator_width: int = 64
    """Width of the generator's layers."""
    discriminator_width: int = 64
    """Width of the discriminator's layers."""
    spectral: bool = False
    """Spectral normalisation in the discriminator."""
    minibatch_stddev: bool = False
    """Show the discriminator the standard deviation across neighbouring samples."""

    # Objective
    loss: str = "non_saturating"
    """A key of kgan.losses.LOSSES (non_saturating, hinge, wasserstein, relativistic, ...)."""
    label_smoothing: float = 0.0
    """How far the real label is moved from 1."""
    penalty: tuple[str, ...] = ("r1",)
    """Keys of kgan.penalties.PENALTIES (r1, r2, gradient_penalty, dragan)."""
    penalty_weight: float = 1.0
    """Weight of each penalty as published, for images in [-1, 1]."""
    penalty_half_life: int | None = None
    """Halve the penalties' weight every so many generator updates."""
    penalty_interval: int = 1
    """Apply the penalty at every so many steps, that many times as strong."""
    packing: int = 1
    """Samples that the discriminator judges at once (PacGAN); unconditional only."""

    # Training
    n_critic: int = 1
    """Discriminator updates for each generator update."""
    batch_size: int = 64
    """Real samples in a discriminator update, over all replicas."""
    epochs: int = 20
    """Number of epochs."""
    steps_per_epoch: int | None = None
    """Generator updates in an epoch; default one pass over the data."""
    g_learning_rate: float = 2e-4
    """The generator's learning rate."""
    d_learning_rate: float = 2e-4
    """The discriminator's learning rate."""
    learning_rate_half_life: int | None = None
    """Halve both learning rates every so many generator updates."""
    beta_1: float = 0.5
    """Adam's decay of the mean, for both."""
    beta_2: float = 0.999
    """Adam's decay of the square, for both."""
    ema_decay: float = 0.999
    """Decay of the generator's moving average."""
    seed: int = 0
    """Of everything random."""

    # Watching over it
    doctor: bool = True
    """Name mode collapse and other problems while training, and what to try."""
    roll_back: bool = False
    """Where the samples collapse or diverge, go back to the best average and stop."""

    # Machine
    precision: str = "float32"
    """float32, bfloat16, float16 (on GPUs), or auto: bfloat16 where the hardware has it."""
    jit_compile: Literal["auto", "on", "off"] = "auto"
    """Compile the step with XLA; auto does so on a single GPU (it is slower on a CPU)."""
    steps_per_execution: int = 1
    """Steps in one call into TensorFlow."""
    strategy: str = "none"
    """none, mirrored (all devices of this machine), multi-worker (all workers of TF_CONFIG or of
    Slurm), or auto (multi-worker where TF_CONFIG is set, mirrored for several GPUs)."""

    # Scores while training
    evaluate_every: int | None = None
    """Score the generator at the end of the epoch in which so many more steps were done, and keep
    the best checkpoint by that score."""
    evaluate_samples: int = 5000
    """Generated samples in such a score; at most as many as there are real ones."""
    extractor: str | None = None
    """What such a score measures features with: lenet-mnist, lenet-digits, inception or a .keras
    file; default by the data."""
    patience: int | None = None
    """Stop after so many scores in a row without a better one."""

    # Output
    name: str | None = None
    """Name of the run and of the exported model; default the preset's."""
    runs_dir: Path = Path("runs")
    """Where run folders go."""
    export_dir: Path = Path("saved_models")
    """Where exported models go."""
    export: bool = True
    """Export the generator when training ends."""
    tensorboard: bool = False
    """Also write TensorBoard logs (extra: tensorboard)."""
    resume: bool = False
    """Continue the latest run of this name, as if it had never stopped."""
    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self):
        for name in ("epochs", "batch_size", "latent_dim", "n_critic", "packing"):
            _check(name, getattr(self, name), at_least=1)
        for name in ("generator_width", "discriminator_width", "penalty_interval"):
            _check(name, getattr(self, name), at_least=1)
        # Nearest neighbours need some.
        _check("evaluate_samples", self.evaluate_samples, at_least=10)
        for name in _OPTIONAL_COUNTS:
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), at_least=1)
        if self.patience is not None and self.evaluate_every is None:
            raise ValueError("patience counts scores: set evaluate_every too.")
        for name in ("g_learning_rate", "d_learning_rate", "penalty_weight"):
            _check(name, getattr(self, name), at_least=0)
        steps = self.steps_per_epoch
        if steps is not None and steps % self.steps_per_execution:
            raise ValueError(
                f"steps_per_execution must divide steps_per_epoch ({steps}), "
                f"got {self.steps_per_execution}."
            )


def _check(name: str, value: float, *, at_least: float) -> None:
    if not value >= at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}.")


_DIGITS = TrainConfig(epochs=15, steps_per_epoch=100)
# Pairs with R1 and R2, after Huang et al. 2024 (arXiv:2501.05441), with a penalty that is weak and
# lazy.
_MNIST = TrainConfig(
    data="mnist",
    generator_width=48,
    discriminator_width=48,
    loss="relativistic",
    penalty=("r1", "r2"),
    penalty_weight=0.01,
    penalty_interval=4,
    epochs=9,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
    learning_rate_half_life=2500,
    beta_1=0.0,
    beta_2=0.99,
)
_RING = TrainConfig(
    data="ring",
    conditional=False,
    networks="mlp",
    latent_dim=2,
    loss="relativistic",
    penalty=("r1", "r2"),
    penalty_half_life=800,
    batch_size=1024,
    epochs=6,
    steps_per_epoch=500,
    steps_per_execution=10,
    g_learning_rate=4e-3,
    d_learning_rate=4e-3,
    learning_rate_half_life=2000,
    beta_2=0.9,
)

PRESETS: dict[str, TrainConfig] = {
    "digits": _DIGITS,
    "mnist": _MNIST,
    "fashion-mnist": dataclasses.replace(_MNIST, data="fashion_mnist"),
    "cifar10": TrainConfig(
        data="cifar10",
        flip=True,
        networks="resnet",
        latent_dim=128,
        generator_width=256,
        discriminator_width=128,
        spectral=True,
        loss="hinge",
        penalty=(),
        n_critic=5,
        beta_1=0.0,
        beta_2=0.9,
        epochs=100,
        steps_per_epoch=1000,
        ema_decay=0.9999,
    ),
    "wgan-gp": dataclasses.replace(
        _DIGITS,
        loss="wasserstein",
        penalty=("gradient_penalty",),
        penalty_weight=10.0,
        n_critic=5,
        g_learning_rate=1e-4,
        d_learning_rate=1e-4,
        beta_1=0.0,
        beta_2=0.9,
    ),
    "ring": _RING,
    # Four times the width, so the penalty of a squared gradient weighs 16 times as much.
    "grid": dataclasses.replace(
        _RING,
        data="grid",
        penalty_weight=16.0,
        penalty_half_life=1200,
        learning_rate_half_life=3000,
        epochs=20,
    ),
    # Early on a step of 16 images teaches nearly as much as one of 64. Rates that fall sooner
    # stall it.
    "stacked-mnist": dataclasses.replace(
        _MNIST,
        data="stacked-mnist",
        conditional=False,
        latent_dim=128,
        generator_width=64,
        discriminator_width=32,
        batch_size=16,
        epochs=40,
        steps_per_epoch=1000,
        g_learning_rate=5e-4,
        d_learning_rate=5e-4,
        learning_rate_half_life=20_000,
    ),
}


def _named(presets: dict[str, _Config], name: str, remedy: str) -> _Config:
    if name not in presets:
        near = difflib.get_close_matches(name, presets, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"preset must be one of {', '.join(presets)}, got {name!r}.{hint} {remedy}"
        )
    return presets[name]


def preset(name: str) -> TrainConfig:
    """The preset of that name.

    Raises:
        ValueError: For an unknown name; names the nearest one.
    """
    return _named(PRESETS, name, "For data of your own: --data FOLDER.")


def _radius(text: str) -> float:
    try:
        return float(Fraction(text))
    except ZeroDivisionError as error:
        raise ValueError(f"a radius such as 8/255, got {text}.") from error


# A radius on the command line: a number, or a fraction such as 8/255.
_Radius = Annotated[
    float,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="NUMBER",
        instance_from_str=lambda words: _radius(words[0]),
        is_instance=lambda value: isinstance(value, float | int),
        str_from_instance=lambda value: [f"{value:g}"],
    ),
]


@dataclass(frozen=True)
class ClassifierConfig:
    """Train a classifier to attack or to harden."""

    # Data
    data: str = "digits"
    """digits, a tensorflow-datasets name (mnist), an image folder, or .npz with labels."""
    data_dir: Path | None = None
    """Folder of prepared tensorflow-datasets; default TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    download: bool = False
    """Let tensorflow-datasets download a set that is not prepared."""
    image_size: tuple[int, ...] | None = None
    """Resize images to this side, or height and width, with antialiasing."""
    flip: bool = False
    """Mirror half of the images left to right."""
    shift: int = 0
    """Shift images by up to so many pixels along each axis."""
    rotate: float = 0.0
    """Rotate images by up to so many degrees."""
    fakes: Path | None = None
    """Add generated images: a run, a .keras file, an exported model, or .npz with labels."""
    fakes_per_class: int | None = None
    """Add them until each class has so many images; default as many as the largest class has."""

    # Network
    network: str = "small_cnn"
    """A key of kgan.networks.classifiers.CLASSIFIERS (small_cnn, strided_cnn, lenet, resnet)."""
    width: int = 32
    """Channels of the first layer."""

    # Training
    epochs: int = 30
    """Number of epochs."""
    batch_size: int = 64
    """Images in a step."""
    learning_rate: float = 3e-3
    """The highest one: it rises at first, then falls to zero as a cosine."""
    weight_decay: float = 0.0
    """AdamW's decay of the weights."""
    seed: int = 0
    """Of everything random."""

    # Output
    name: str | None = None
    """Name of the saved classifier; default the preset's."""
    classifiers_dir: Path = Path("saved_models/classifiers")
    """Where NAME.keras goes."""
    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self):
        for name in ("epochs", "batch_size", "width"):
            _check(name, getattr(self, name), at_least=1)
        for name in ("shift", "rotate", "learning_rate", "weight_decay"):
            _check(name, getattr(self, name), at_least=0)


CLASSIFIER_PRESETS: dict[str, ClassifierConfig] = {
    "digits": ClassifierConfig(),
    "mnist": ClassifierConfig(data="mnist", epochs=5, batch_size=128, learning_rate=2e-3),
    "cifar10": ClassifierConfig(
        data="cifar10",
        flip=True,
        shift=4,
        network="resnet",
        width=16,
        epochs=15,
        batch_size=128,
        weight_decay=5e-3,
    ),
}


def classifier_preset(name: str) -> ClassifierConfig:
    """The classifier preset of that name.

    Raises:
        ValueError: For an unknown name; names the nearest one.
    """
    return _named(CLASSIFIER_PRESETS, name, "For data of your own: --data FILE.")


@dataclass(frozen=True)
class HardenConfig(ClassifierConfig):
    """Train a classifier against attacks, and compare it with what it was."""

    # What
    model: Path | None = None
    """A .keras file to harden; default a new network, trained without attacks for comparison."""
    fresh: bool = False
    """With a model: start from new weights, not from its own."""

    # How
    method: str = "fast"
    """A key of kgan.defenses.METHODS (fgsm, fast, free, pgd, trades, mart); or gat, against a
    generator that learns to attack in the same steps."""
    epsilon: _Radius = 0.3
    """Radius of the ball for images in [0, 1], such as 0.1 or 8/255."""
    norm: Literal["linf", "l2", "l1"] = "linf"
    """The norm that epsilon is measured in."""
    steps: int | None = None
    """Steps of the attack of pgd, trades and mart; default 10."""
    beta: float | None = None
    """Weight of the divergence of trades (default 6) and mart (default 5)."""
    awp: float | None = None
    """Move the weights by this share of their length to where the loss is worst, such as 0.005."""
    warmup: int | None = None
    """Epochs in which the attack grows to its full length; default none."""
    replays: int | None = None
    """Updates on each batch of free; default 8. The epochs are divided by it."""
    guard: bool = True
    """Stop when robustness is being unlearnt, with the best weights."""

    # Evaluation
    n: int = 1000
    """Images of the test split to attack."""
    autoattack_n: int = 200
    """How many of them AutoAttack gets; 0 for none."""

    # Output
    runs_dir: Path = Path("runs")
    """Where the run folder goes, with robustness.json and the curves: RUNS_DIR/harden-NAME."""

    def __post_init__(self):
        super().__post_init__()
        _check("n", self.n, at_least=2)
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be above 0, got {self.epsilon:g}.")
        if self.autoattack_n != 0:
            _check("autoattack_n", self.autoattack_n, at_least=2)
        if self.warmup is not None:
            _check("warmup", self.warmup, at_least=0)
        if self.fresh and self.model is None:
            raise ValueError("fresh must be off without --model: a new network is fresh.")


_HARDEN_MNIST = HardenConfig(
    data="mnist",
    network="strided_cnn",
    width=32,
    epochs=10,
    batch_size=100,
    learning_rate=5e-3,
)

HARDEN_PRESETS: dict[str, HardenConfig] = {
    "digits": HardenConfig(epsilon=0.15, epochs=40, autoattack_n=100),
    "mnist": _HARDEN_MNIST,
    # As long in all, and with any seed: one-step training depends on it.
    "mnist-trades": dataclasses.replace(
        _HARDEN_MNIST, method="trades", steps=5, beta=1.0, width=16, epochs=8
    ),
}


def harden_preset(name: str) -> HardenConfig:
    """The hardening preset of that name.

    Raises:
        ValueError: For an unknown name; names the nearest one.
    """
    return _named(HARDEN_PRESETS, name, "For data of your own: --data FILE.")


@dataclass(frozen=True)
class AttackConfig:
    """Attack a classifier and report how robust it is."""

    # What
    model: str = "digits"
    """A .keras file; or digits, mnist, cifar10: a small classifier, trained once and kept."""
    data: str | None = None
    """digits, a tensorflow-datasets name, .npz with labels, or a folder; default the model's."""
    split: str | None = None
    """Which split; default test (an image folder: train)."""
    data_dir: Path | None = None
    """Folder of prepared tensorflow-datasets; default TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    download: bool = False
    """Let tensorflow-datasets download a set that is not prepared."""
    image_size: tuple[int, ...] | None = None
    """Resize images to this side, or height and width, with antialiasing."""
    n: int | None = None
    """Attack so many images, drawn by the seed; default all."""

    # How
    attack: tuple[str, ...] = ("noise", "fgsm", "pgd", "square:steps=1000")
    """Any of noise, fgsm, pgd, mifgsm, deepfool, cw, ead, apgd, fab, square, autoattack, spatial,
    guided (or at), advgan; with settings if you like: pgd:steps=100,restarts=5."""
    epsilons: Annotated[tuple[_Radius, ...], tyro.conf.arg(aliases=["--epsilon"])] = ()
    """Radii for images in [0, 1], such as 0.1 or 8/255; default depends on norm and channels."""
    norm: Literal["linf", "l2", "l1"] = "linf"
    """The norm that epsilon is measured in."""
    surrogate: tuple[Path, ...] = ()
    """For guided: .keras files whose gradients it follows; default a distilled substitute."""
    batch_size: int = 256
    """Images attacked at a time."""
    seed: int = 0
    """Of everything random."""
    min_robust: float | None = None
    """Exit with code 1 where any robust accuracy is below this share."""

    # Output
    name: str | None = None
    """Name of the run; default the model's. The folder is RUNS_DIR/attack-NAME."""
    runs_dir: Path = Path("runs")
    """Where run folders go."""
    classifiers_dir: Path = Path("saved_models/classifiers")
    """Where digits, mnist and cifar10 are kept."""
    resume: bool = False
    """Continue the latest run of this name; what it has done is not done again."""
    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class EvaluateConfig:
    """Score a generator against real data."""

    # What
    source: tyro.conf.Positional[Path | None] = None
    """A run folder, a .keras file, an exported model, or a folder or .npz of generated samples."""
    compare: tuple[Path, ...] = ()
    """Two run folders (or scores.json files) whose scores to compare instead."""
    data: str | None = None
    """The real data: digits, ring, mnist, a folder, a file, ...; default a run's own."""
    data_dir: Path | None = None
    """Folder of prepared tensorflow-datasets; default TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    download: bool = False
    """Let tensorflow-datasets, and --extractor inception, download what is not there."""
    image_size: tuple[int, ...] | None = None
    """Resize images to this side, or height and width, with antialiasing."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that was exported: best with --evaluate-every."""

    # How
    metrics: tuple[str, ...] = ()
    """Keys of kgan.metrics.METRICS (fid, kid, prdc, cas, modes, ...); default by the data."""
    extractor: str | None = None
    """What features are measured with: lenet-mnist, lenet-digits, inception, discriminator (the
    run's own) or a classifier's .keras file; default by the data."""
    layer: str | None = None
    """Layer of that .keras file; default what goes into its last layer with weights."""
    n: int | None = None
    """Generated samples; default as many as there are held-out real ones, at most 10,000."""
    n_real: int | None = None
    """Real samples of the training split; default all, at most 10,000."""
    seeds: int = 5
    """How often samples are drawn anew; the interval is over these."""

    # Output
    out: Path | None = None
    """Folder for scores.json and pictures; default the run's, else RUNS_DIR/evaluate-NAME."""
    runs_dir: Path = Path("runs")
    """Where run folders go."""
    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self):
        _check("seeds", self.seeds, at_least=1)
        for name in ("n", "n_real"):
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), at_least=2)
        if (self.source is None) == (not self.compare):
            raise ValueError("give one source to evaluate, or two with --compare.")
        if self.compare and len(self.compare) != 2:
            raise ValueError(f"compare takes two runs, got {len(self.compare)}.")


@dataclass(frozen=True)
class ExportConfig:
    """Export a generator or a classifier for a server or another runtime."""

    source: tyro.conf.Positional[Path]
    """A run folder, or the .keras file of a GAN, a classifier or an AdvGAN."""
    format: tuple[Literal["saved_model", "onnx", "litert"], ...] = ("saved_model",)
    """saved_model: the next version in OUT/NAME; onnx: OUT/NAME.onnx; litert: OUT/NAME.tflite."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that training exports."""
    name: str | None = None
    """Default the source's."""
    class_names: tuple[str, ...] = ()
    """What the classes are called."""
    out: Path = Path("saved_models")
    """Folder to write to."""
    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class ServeConfig:
    """Serve exported models with TensorFlow Serving's contract, and a page to play with."""

    # What
    models: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of exported models, such as saved_models/digits; each is served under its name."""
    classifier: Path | None = None
    """A classifier's .keras file that the page lets you fool."""
    class_names: tuple[str, ...] = ()
    """What its classes are called; default their numbers."""
    versions: tuple[int, ...] = ()
    """Serve exactly these versions; default the newest, also one that comes later."""
    labels: tuple[str, ...] = ()
    """Names for versions, such as stable=1 canary=2; those versions must be among --versions."""

    # Where
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""
    port: int = 8501
    """Of REST and the page; 0 for any that is free."""
    grpc_port: int | None = 8500
    """Of gRPC; 0 for any that is free, None for no gRPC."""

    # Batching
    max_batch: int = 64
    """Most samples in one call into TensorFlow; 1 for no batching."""
    batch_timeout_ms: float = 0.0
    """How long a request waits for others although a thread is free."""
    threads: int = 2
    """Calls into TensorFlow at a time."""

    # Limits
    queue_size: int = 256
    """Most requests that wait; further ones are answered with 429."""
    max_samples: int = 1024
    """Most samples in a request."""
    max_body_mb: float = 16.0
    """Most megabytes in a request's body."""
    max_connections: int = 1000
    """Most connections at a time; further ones are answered with 503."""
    timeout: float = 30.0
    """Seconds that a request may take."""
    poll: float = 2.0
    """Seconds between looks for new versions."""
    grace: float = 30.0
    """Seconds that requests in flight get when the server is stopped."""

    verbose: bool = False
    """Show TensorFlow's own messages."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self):
        for name in ("max_batch", "threads", "queue_size", "max_samples", "max_connections"):
            _check(name, getattr(self, name), at_least=1)
        for name in ("batch_timeout_ms", "grace"):
            _check(name, getattr(self, name), at_least=0)
        for name in ("timeout", "poll", "max_body_mb"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")
        for label in self.labels:
            name, _, version = label.partition("=")
            if not (name and version.isdecimal() and int(version) in self.versions):
                raise ValueError(
                    f"labels must be NAME=VERSION with a version among --versions, got {label!r}."
                )
