"""Writes what kgan leaves behind, small, into the folder of its version, for test_compat.py.

    python tests/compat/make.py

0.1.0/ was written by kgan 0.1.0 (commit 527d2fd) and is never written again: later versions read
it. A version that writes files of another form gets a folder of its own. The folder holds

- runs/ and saved_models/, by the commands below, without pictures;
- layers.keras, with the layers that no run has;
- expected.npz: samples, outputs, adversarial images, and each run's weights after an epoch more;
- expected.json: the hash of all that such an epoch changes, optimizers included, with what computed
  it; what FGSM does to the hardened classifier; the names that files know classes by.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

# Before Keras, which it sets up.
import kgan  # isort: skip

import keras
import numpy as np
import tensorflow as tf

import kgan.attacks
import kgan.cli
import kgan.data
import kgan.defenses
import kgan.models
import kgan.networks
import kgan.penalties

VERSION = "0.1.0"
FILES = Path(__file__).with_name(VERSION)

EPOCHS = 2
_TINY = ["--generator-width", "2", "--discriminator-width", "2", "--latent-dim", "4"]
_TINY += ["--batch-size", "16", "--steps-per-epoch", "3"]
# Steps so large that samples differ after a few of them.
_TINY += ["--g-learning-rate", "0.01", "--d-learning-rate", "0.01"]
_PLAIN = [*_TINY, "--no-conditional", "--no-doctor"]
_SCORED = ["--evaluate-every", "3", "--evaluate-samples", "50"]
_SCORED += ["--g-learning-rate", "0.05", "--d-learning-rate", "0.05"]
_CRITIC = ["--n-critic", "2", "--spectral", "--minibatch-stddev", "--no-doctor"]
# Small steps: this network is deep, and with larger ones rounding errors soon become errors.
_POINTS = ["--generator-width", "4", "--discriminator-width", "4", "--steps-per-execution", "3"]
_POINTS += ["--g-learning-rate", "1e-4", "--d-learning-rate", "1e-4"]
RUNS = {
    "digits": ["digits", *_TINY],
    # Seed and rates by which the best checkpoint, which is the exported one, is not the last one.
    "best": ["digits", *_PLAIN, *_SCORED, "--seed", "5"],
    "wgan-gp": ["wgan-gp", *_TINY, *_CRITIC],
    "ring": ["ring", *_PLAIN, *_POINTS],
    # Both optimizers scale their losses.
    "half": ["digits", *_PLAIN, "--precision", "float16"],
}
SAMPLES = ["--n", "4", "--seed", "7"]
SCORED = ("digits", "best")
SCORES = ["--n", "40", "--n-real", "60", "--seeds", "3", "--metrics", "fid", "kid"]
CLASSIFIERS = Path("saved_models") / "classifiers"
HARDEN = ["harden", "digits", "--model", f"{CLASSIFIERS}/small.keras", "--name", "small-fast"]
HARDEN += ["--epsilon", "0.1", "--epochs", "2", "--n", "20", "--autoattack-n", "0"]
ATTACKED = ["--data", "digits", "--n", "20", "--epsilon", "0.1"]

_KEPT = ("config.json", "metrics.csv", "scores.json", "report.json", "robustness.json")


def command(*arguments) -> None:
    """Runs `kgan ARGUMENTS`, which must succeed."""
    code = kgan.cli.main([*map(str, arguments)])
    assert code == 0, f"{arguments} ended with {code}"


def train(name: str, *more) -> None:
    """Trains the run, or with --resume trains it on, in the present folder."""
    command("train", *RUNS[name], "--name", name, *more)


def samples(source: str | Path) -> np.ndarray:
    """Four samples of a run, a file or an exported model."""
    command("sample", source, *SAMPLES, "--out", "samples.npz")
    with np.load("samples.npz") as content:
        return next(content[name] for name in ("images", "points") if name in content)


def states(path: Path) -> dict[str, np.ndarray]:
    """Every number in a GAN's file, and both networks' weights as one vector: "weights"."""
    gan = kgan.models.load(path)
    owners = (gan.generator, gan.discriminator, gan.ema_generator, gan.g_optimizer, gan.d_optimizer)
    arrays = [[np.asarray(variable) for variable in owner.variables] for owner in owners]
    found = {"weights": np.concatenate([array.ravel() for array in arrays[0] + arrays[1]])}
    for owner in arrays[2:]:
        for array in owner:
            found[f"state {len(found)}"] = array
    return found | {"step": np.asarray(gan.step)}


def digest(arrays: dict[str, np.ndarray]) -> str:
    """A hash of all bits."""
    found = hashlib.sha256()
    for array in arrays.values():
        found.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def platform() -> dict:
    """What the bits of a training depend on besides kgan."""
    processor = {}
    if os.path.exists("/proc/cpuinfo"):
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
        processor = dict(re.findall(r"^(.*?)\s*: (.*)$", first, re.M))
    told = ("vendor_id", "cpu family", "model", "model name", "cache size", "flags")
    known = json.dumps([processor.get(name) for name in told])
    # As many threads does TensorFlow start, and share its sums among.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "packages": {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")},
        "oneDNN": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
        "devices": [device.name for device in tf.config.list_physical_devices()],
        "processors": usable,
        "processor": processor.get("model name"),
        "processor's flags and caches": hashlib.sha256(known.encode()).hexdigest(),
    }


def four() -> tuple[np.ndarray, np.ndarray]:
    """Four test images and their labels."""
    data = kgan.data.load("digits", "test").take(np.arange(4))
    return data.as_float(), data.labels


def logits(name: str) -> np.ndarray:
    """What a kept classifier says of the four images."""
    model = keras.models.load_model(CLASSIFIERS / f"{name}.keras")
    return np.asarray(model(four()[0], training=False))


def perturbed() -> np.ndarray:
    """The four images as the AdvGAN of the attack's run changes them."""
    model = keras.models.load_model(CLASSIFIERS / "small.keras")
    (path,) = Path("runs/attack-small").glob("advgan-*.keras")
    return np.asarray(kgan.attacks.AdvGAN.load(path)(model, *four()))


def of_layers() -> np.ndarray:
    """What the network of the other layers makes of the four labels."""
    return np.asarray(kgan.models.load(Path("layers.keras"))(four()[1], training=False))


SEEDS, LABELS = [1, 2], [3, 5]


def served() -> np.ndarray:
    """What the exported model answers, without kgan."""
    generate = tf.saved_model.load("saved_models/digits/1").signatures["serving_default"]
    asked = {"seeds": tf.constant(SEEDS, tf.int64), "labels": tf.constant(LABELS, tf.int64)}
    return generate(**asked)["images"].numpy()


def rows(report: Path) -> list:
    """Attack, radius and robust accuracy of each row of an attack's report."""
    content = json.loads(report.read_text())
    names = ("attack", "epsilon", "robust_accuracy")
    return [[row[name] for name in names] for row in (content["clean"], *content["rows"])]


def registered() -> list[str]:
    """The names by which files know kgan's classes."""
    return sorted(name for name in keras.saving.get_custom_objects() if name.startswith("kgan>"))


def _write_layers() -> None:
    """A network of the layers that no run has."""
    keras.utils.set_random_seed(0)
    labels = keras.Input((), dtype="int32")
    features = kgan.networks.SpectralEmbedding(10, 3)(labels)
    features = kgan.networks.ConditionalBatchNormalization(10)([features, labels])
    features = kgan.networks.GaussianNoise(0.1)(kgan.networks.Dropout(0.5)(features))
    model = keras.Model(labels, kgan.networks.SpectralDense(2)(features))
    # What training would have left.
    random = np.random.default_rng(0)
    model.set_weights([random.random(weight.shape) for weight in model.get_weights()])
    model.save("layers.keras")


def _write_files() -> None:
    for name in RUNS:
        train(name, "--epochs", EPOCHS, "--export" if name == "digits" else "--no-export")
    for name in SCORED:
        command("evaluate", f"runs/{name}", *SCORES)
    command("train-classifier", "digits", "--name", "small", "--width", "4", "--epochs", "10")
    advgan = "advgan:width=4,blocks=1,steps=40,batch_size=16"
    attacked = ["--model", CLASSIFIERS / "small.keras", *ATTACKED]
    command("attack", *attacked, "--attack", "fgsm", "pgd:steps=3", advgan)
    command(*HARDEN)
    _write_layers()
    for path in sorted(Path("runs").rglob("*")):
        kept = path.suffix in (".keras", ".npz") or path.name in _KEPT
        spare = path.name == "best.keras" and path.parts[1] != "best"
        if path.is_file() and (spare or not kept):
            path.unlink()
    for path in sorted(Path("runs").rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def attack_hardened() -> list:
    """The rows of FGSM against the hardened classifier."""
    model = CLASSIFIERS / "small-fast.keras"
    command("attack", "--model", model, *ATTACKED, "--attack", "fgsm", "--name", "hardened")
    return rows(Path("runs/attack-hardened/report.json"))


def _expected() -> tuple[dict[str, np.ndarray], dict]:
    arrays = {f"samples of {name}": samples(f"runs/{name}") for name in RUNS}
    arrays |= {f"logits of {name}": logits(name) for name in ("small", "small-fast")}
    arrays |= {"perturbed": perturbed(), "of layers": of_layers(), "served": served()}
    content = {"platform": platform(), "hardened": attack_hardened(), "registered": registered()}
    content["resumed"] = {}
    for name in RUNS:
        train(name, "--epochs", EPOCHS + 1, "--resume", "--no-export")
        found = states(Path(f"runs/{name}/checkpoints/last.keras"))
        arrays[f"weights of {name}"] = found["weights"]
        content["resumed"][name] = digest(found)
    return arrays, content


def main() -> None:
    if kgan.__version__ != VERSION or FILES.exists():
        sys.exit(f"kgan is {kgan.__version__}; {FILES} is written once, by {VERSION}.")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["KGAN_CACHE"] = str(Path("cache").absolute())
        _write_files()
        for name in ("runs", "saved_models"):
            shutil.copytree(name, FILES / name)
        shutil.copy("layers.keras", FILES)
        arrays, content = _expected()
    np.savez_compressed(FILES / "expected.npz", **arrays)
    (FILES / "expected.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
