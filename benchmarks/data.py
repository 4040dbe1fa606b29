"""Large sets of image files: decoding, starts, memory, and how long a step waits for its batch.

    python benchmarks/data.py make DIR --counts 1000 10000 100000   # JPEGs of 256 pixels
    python benchmarks/data.py make DIR --counts 600 --side 1024    # those of photographs
    python benchmarks/data.py decode DIR/10000
    python benchmarks/data.py starts DIR/1000 DIR/10000 DIR/100000
    python benchmarks/data.py waits DIR/10000 --sizes 64 128

`decode`: images a second to 128 pixels, antialiased: kgan's preparation with one process and with
as many as cores, processes that decode and do nothing else (what the cores can do),
`keras.utils.image_dataset_from_directory`, and a `torch.utils.data.DataLoader` with as many workers
(where torch is installed); medians of alternating rounds.
`starts`: a `kgan train` of tiny networks on 256 pixels, each in a process of its own: seconds from
the start of the command to the end of the first step, at the first and at the second start, and the
most memory of the process; beside it the same for the two others, without a model.
`waits`: the share of the time of training steps (the default DCGAN, batches of 64) that is spent
waiting for the next batch, at the second start.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE, BATCH = 128, 64
CORES = len(os.sched_getaffinity(0))
# From the start of this process: what importing takes is part of a start.
BEGUN = time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - int(
    Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]
) / os.sysconf("SC_CLK_TCK"))  # fmt: skip


def make(folder: Path, counts: list[int], pictures: int, side: int) -> None:
    """Folders of square JPEG files, so many pictures of CIFAR-10 again and again."""
    import kgan.data

    data = kgan.data.load("cifar10", "train").take(np.arange(pictures))
    contents = []
    for image in data.samples:
        buffer = io.BytesIO()
        Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC).save(
            buffer, "JPEG", quality=85
        )
        contents.append(buffer.getvalue())
    for count in counts:
        for number in range(count):
            label = data.labels[number % pictures]
            path = folder / str(count) / f"class {label}" / f"{number:06d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            # What stands behind the end of a JPEG file makes it another file, and is not decoded.
            path.write_bytes(contents[number % pictures] + b"%08d" % number)


# Decoding


@contextlib.contextmanager
def empty_cache() -> Iterator[Path]:
    before = os.environ.get("KGAN_CACHE")
    with tempfile.TemporaryDirectory(dir=before) as folder:
        os.environ["KGAN_CACHE"] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop("KGAN_CACHE")
            if before is not None:
                os.environ["KGAN_CACHE"] = before


def decode_with_kgan(folder: Path, processes: int) -> None:
    import joblib

    import kgan.data

    count, joblib.cpu_count = joblib.cpu_count, lambda: processes
    with empty_cache(), contextlib.redirect_stderr(io.StringIO()):
        kgan.data.load(str(folder), image_size=SIZE)
    joblib.cpu_count = count


def keras_set(folder: Path, size: int, batch: int = BATCH, **options: Any) -> Any:
    import keras

    with contextlib.redirect_stdout(io.StringIO()):
        return keras.utils.image_dataset_from_directory(
            folder, image_size=(size, size), batch_size=batch, seed=0, **options
        )


def decode_with_keras(folder: Path) -> None:
    for _ in keras_set(folder, SIZE, shuffle=False, interpolation="bicubic"):
        pass


class TorchSet:
    """What users write: a file, opened, resized, as an array."""

    def __init__(self, folder: Path, size: int):
        self.files = sorted(folder.rglob("*.jpg"))
        self.size = size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> np.ndarray:
        with Image.open(self.files[row]) as image:
            done = image.convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC)
        return np.asarray(done)


def torch_loader(folder: Path, size: int, batch: int = BATCH, *, shuffle: bool) -> Any:
    import torch.utils.data

    return torch.utils.data.DataLoader(
        TorchSet(folder, size),
        batch_size=batch,
        shuffle=shuffle,
        num_workers=CORES,
        drop_last=shuffle,
        multiprocessing_context="spawn" if "tensorflow" in sys.modules else None,
    )


def decode_with_torch(folder: Path) -> None:
    for _ in torch_loader(folder, SIZE, shuffle=False):
        pass


def has_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


def decode_alone(folder: Path, processes: int) -> None:
    """So many processes that decode, each its share, and do nothing else: what the cores can do."""
    from kgan.decoding.reading import Reading
    from kgan.decoding.rows import read_images

    files = [str(path) for path in sorted(folder.rglob("*.jpg"))]
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            own = files[number::processes]
            for start in range(0, len(own), BATCH):
                read_images(own[start : start + BATCH], Reading(image_size=SIZE))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def decode(folder: Path, rounds: int) -> dict[str, Any]:
    count = sum(1 for _ in folder.rglob("*.jpg"))
    ways: dict[str, Callable[[], None]] = {
        "decoding alone, 1 process": lambda: decode_alone(folder, 1),
        f"decoding alone, {CORES} processes": lambda: decode_alone(folder, CORES),
        "kgan, 1 process": lambda: decode_with_kgan(folder, 1),
        f"kgan, {CORES} processes": lambda: decode_with_kgan(folder, CORES),
        "keras": lambda: decode_with_keras(folder),
    }
    if has_torch():
        ways[f"torch, {CORES} workers"] = lambda: decode_with_torch(folder)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            rates[name].append(count / (time.perf_counter() - start))
    found: dict[str, Any] = {name: statistics.median(each) for name, each in rates.items()}
    for name in ("kgan", "decoding alone"):
        one, all_ = rates[f"{name}, 1 process"], rates[f"{name}, {CORES} processes"]
        gains = [both / single / CORES for both, single in zip(all_, one, strict=True)]
        found[f"{name}: share of linear"] = statistics.median(gains)
    return {"images": count, **found}


# Starts


def most_memory() -> float:
    """Most memory of this process so far, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def start_kgan(folder: Path, batch: int, steps: int) -> None:
    """A training of tiny networks; prints when its first step was done, and its memory."""
    import keras

    import kgan.cli
    import kgan.runs.training as training

    done: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            done.append(time.time() - BEGUN)

    fit = training.fit

    def clocked(model, recipe, data, steps, callbacks):
        return fit(model, recipe, data, steps, [Clock(), *callbacks])

    training.fit = clocked
    with tempfile.TemporaryDirectory() as runs, contextlib.redirect_stdout(io.StringIO()):
        code = kgan.cli.main(
            [
                *("train", "--data", str(folder), "--image-size", "256", "--networks", "dcgan"),
                *("--generator-width", "2", "--discriminator-width", "2", "--latent-dim", "4"),
                *("--batch-size", str(batch), "--epochs", "1", "--steps-per-epoch", str(steps)),
                *("--no-export", "--runs-dir", runs),
            ]
        )
    assert code == 0
    print(json.dumps({"first step": done[0], "memory": most_memory()}))


def start_other(folder: Path, batch: int, steps: int, way: str) -> None:
    """Batches alone; prints when the first was there, and the memory."""
    if way == "keras":
        batches = iter(keras_set(folder, 256, batch).repeat())
    else:
        batches = iter(torch_loader(folder, 256, batch, shuffle=True))
    next(batches)
    first = time.time() - BEGUN
    for _ in range(steps):
        next(batches)
    print(json.dumps({"first step": first, "memory": most_memory()}))


def starts(folders: list[Path], batch: int, steps: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder in folders:
        rows: dict[str, Any] = {}
        with empty_cache():
            for when in ("first", "second", "third"):
                rows[f"kgan, {when} start"] = child("kgan", folder, batch, steps)
        for way in ("keras", *(["torch"] if has_torch() else [])):
            rows[f"{way}, batches alone"] = child(way, folder, batch, steps)
        found[folder.name] = rows
        print(json.dumps({folder.name: rows}, indent=1), flush=True)
    return found


def child(way: str, folder: Path, batch: int, steps: int) -> dict[str, float]:
    command = [sys.executable, __file__, "start", way, str(folder), str(batch), str(steps)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    said = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if said.returncode:
        raise RuntimeError(said.stderr[-2000:])
    return json.loads(said.stdout.splitlines()[-1])


# Waiting


def waits(folder: Path, sizes: list[int], steps: int) -> dict[str, Any]:
    import tensorflow as tf

    import kgan.data
    from kgan.recipes import RECIPES
    from kgan.settings import PRESETS

    found: dict[str, Any] = {}
    for size in sizes:
        import dataclasses

        settings = dataclasses.replace(
            PRESETS["digits"],
            data=str(folder),
            image_size=(size,),
            networks="dcgan",
            batch_size=BATCH,
            conditional=False,
        )
        recipe = RECIPES[settings.family](settings)
        data = recipe.data()
        recipe.settle(data, replicas=1)
        model = recipe.model(data)
        feeds = {
            "kgan": lambda data=data: iter(kgan.data.feed(data, BATCH, labels=False)),
            "keras": lambda size=size: iter(
                keras_set(folder, size, labels=None).repeat().map(lambda x: x / 255.0).prefetch(2)
            ),
        }
        if has_torch():
            feeds["torch"] = lambda size=size: iter(torch_loader(folder, size, shuffle=True))
        step = tf.function(model.train_step)
        rows = {}
        for name, begin in feeds.items():
            batches = begin()
            waited, whole = [], []
            for number in range(steps + 2):
                start = time.perf_counter()
                batch = next(batches)
                batch = batch if tf.is_tensor(batch) else tf.constant(np.asarray(batch)) / 255
                there = time.perf_counter()
                float(step(tf.cast(batch, tf.float32))["d_loss"])
                # The first is traced, and the second has what was fetched meanwhile.
                if number > 1:
                    waited.append(there - start)
                    whole.append(time.perf_counter() - start)
            rows[name] = {
                "share": sum(waited) / sum(whole),
                "step": statistics.median(whole),
                "wait": statistics.median(waited),
            }
        found[str(size)] = rows
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["make", "decode", "starts", "waits", "start"])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--counts", nargs="+", type=int, default=[1000])
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--side", type=int, default=256, help="of the files that are made")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 128])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    if options.what == "start":
        way, folder, batch, steps = options.paths
        if way == "kgan":
            start_kgan(Path(folder), int(batch), int(steps))
        else:
            start_other(Path(folder), int(batch), int(steps), way)
        return
    folders = [Path(path) for path in options.paths]
    if options.what == "make":
        make(folders[0], options.counts, options.pictures, options.side)
        return
    result = {
        "decode": lambda: decode(folders[0], options.rounds),
        "starts": lambda: starts(folders, options.batch_size, options.steps),
        "waits": lambda: waits(folders[0], options.sizes, options.steps),
    }[options.what]()
    free = shutil.disk_usage(folders[0]).free
    print(json.dumps({"cores": CORES, "free GB": free / 1e9, options.what: result}, indent=1))


if __name__ == "__main__":
    main()
