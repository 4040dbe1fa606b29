"""What a training step costs as images, batches, networks and replicas grow.

    python benchmarks/scaling.py --out scaling.json

kgan's DCGAN with Adam, without penalty or classes, on noise of the images' shape; one step updates
the discriminator and the generator. The multiplications and additions of the compiled step are
counted by TensorFlow's own table of operations (convolutions, matrix products and their gradients
are nearly all of it), and set against a float32 matrix product of 4096 x 4096 timed in the same
rounds. Replicas are logical CPUs of this machine, in a process of their own: they share its cores,
so what they show is the cost of being several, not a gain.

Medians of alternating rounds.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # As the commands do.

BASE = {"size": 28, "batch": 64, "width": 64, "precision": "float32", "replicas": 1}
SWEEPS: dict[str, tuple] = {
    "size": (28, 32, 64, 128, 256),
    "batch": (16, 32, 64, 128, 256),
    "width": (32, 64, 128),
    "precision": ("float32", "bfloat16"),
    "replicas": (1, 2),
}
# Larger images in batches of 16: the memory and the patience of two cores.
SMALL_BATCH = 16


def settings(sweeps: list[str]) -> list[dict[str, Any]]:
    """Each sweep's settings; sizes are compared with each other at one batch."""
    found = [BASE]
    for name in sweeps:
        for value in SWEEPS[name]:
            one = {**BASE, name: value}
            if name == "size":
                one["batch"] = SMALL_BATCH
            if one not in found:
                found.append(one)
    return found


def build(setting: dict[str, Any]):
    """(the compiled step of one batch, its operations)."""
    import numpy as np
    import tensorflow as tf

    import kgan.distribution
    from kgan.data import Dataset
    from kgan.recipes import GANRecipe
    from kgan.settings import GANSettings

    size, batch = setting["size"], setting["batch"]
    channels = 1 if size == 28 else 3
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2 * batch, size, size, channels), dtype=np.uint8)
    settings = GANSettings(
        conditional=False,
        penalty=(),
        batch_size=batch,
        latent_dim=128,
        generator_width=setting["width"],
        discriminator_width=setting["width"],
        precision=setting["precision"],
    )
    strategy = kgan.distribution.get("mirrored" if setting["replicas"] > 1 else "none")
    with strategy.scope():
        gan = GANRecipe(settings).model(Dataset("noise", images))
    values = tf.constant(images[:batch] / np.float32(255.0))
    if setting["replicas"] == 1:
        step = tf.function(gan.train_step).get_concrete_function(values)
        return lambda: step(values), operations(step.graph)
    dataset = tf.data.Dataset.from_tensors(values).unbatch().batch(batch).repeat()
    batches = iter(strategy.experimental_distribute_dataset(dataset))
    step = tf.function(lambda data: strategy.run(gan.train_step, (data,)))
    return lambda: step(next(batches)), None


def operations(graph) -> int:
    """Multiplications and additions of a graph whose shapes are all known."""
    import tensorflow as tf

    v1 = tf.compat.v1
    options = v1.profiler.ProfileOptionBuilder(v1.profiler.ProfileOptionBuilder.float_operation())
    options = options.with_empty_output().build()
    return v1.profiler.profile(graph, options=options).total_float_ops


def seconds(call, least: float) -> float:
    """Seconds of one call, over as many as last at least so long."""
    import tensorflow as tf

    begin, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - begin < least:
        tf.nest.map_structure(wait, call())
        count += 1
    return (time.perf_counter() - begin) / count


def wait(value) -> None:
    """Until the value is there; of a distributed value, that of each replica."""
    for part in getattr(value, "values", (value,)):
        part.numpy()


def measure(every: list[dict[str, Any]], rounds: int, least: float) -> dict[str, Any]:
    import tensorflow as tf

    steps = [build(setting) for setting in every]
    square = tf.random.uniform([4096, 4096])
    product = tf.function(lambda: tf.reduce_sum(square @ square))
    for call in (product, *(step for step, _ in steps)):
        seconds(call, 0.0)
    times: list[list[float]] = [[] for _ in steps]
    products = []
    for _ in range(rounds):
        products.append(seconds(product, least))
        for mine, (step, _) in zip(times, steps, strict=True):
            mine.append(seconds(step, least))
    return {
        "matrix product, GFLOP/s": 2 * 4096**3 / statistics.median(products) / 1e9,
        "rows": [
            {**setting, "seconds": statistics.median(mine), "operations": count}
            for setting, mine, (_, count) in zip(every, times, steps, strict=True)
        ],
    }


def in_process(replicas: int, options: argparse.Namespace) -> dict[str, Any]:
    arguments = ["--replicas", replicas, "--rounds", options.rounds, "--least", options.least]
    arguments += ["--sweeps", *options.sweeps]
    answer = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, check=True
    )
    return json.loads(answer.stdout.splitlines()[-1])


def child(options: argparse.Namespace) -> None:
    """Measures what has so many replicas, and prints it as JSON."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(options.replicas)]
    )
    every = settings(options.sweeps)
    mine = [setting for setting in every if setting["replicas"] == options.replicas]
    print(json.dumps(measure(mine, options.rounds, options.least)))


def table(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| image | batch | width | precision | replicas | images/s | GFLOP | GFLOP/s | share |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    counts: dict[tuple, int] = {}
    for result in results:
        for row in result["rows"]:
            key = (row["size"], row["batch"], row["width"])
            if row["operations"]:
                counts[key] = row["operations"]
            work = counts[key] / 1e9
            rate = work / row["seconds"]
            share = rate / result["matrix product, GFLOP/s"]
            lines.append(
                f"| {row['size']} | {row['batch']} | {row['width']} | {row['precision']} "
                f"| {row['replicas']} | {row['batch'] / row['seconds']:,.0f} | {work:.1f} "
                f"| {rate:.0f} | {100 * share:.0f}% |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=1.0, help="seconds of each timing")
    parser.add_argument("--sweeps", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    parser.add_argument("--replicas", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.replicas:
        child(options)
        return
    counts = SWEEPS["replicas"] if "replicas" in options.sweeps else (1,)
    results = [in_process(replicas, options) for replicas in counts]
    for result in results:
        print(f"float32 matrix product: {result['matrix product, GFLOP/s']:.0f} GFLOP/s")
    print("\n".join(table(results)))
    if options.out:
        from kgan.files import atomic_path

        content = {
            "date": datetime.date.today().isoformat(),
            "processors": os.cpu_count(),
            "versions": {
                name: importlib.metadata.version(name) for name in ("tensorflow", "keras")
            },
            "results": results,
        }
        with atomic_path(options.out) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
