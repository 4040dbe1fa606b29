"""What the image benchmarks share: their data, a clock of processor time, and the scores."""

import argparse
import datetime
import importlib.metadata
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import kgan.data
import kgan.evaluation
import kgan.metrics.extractor
import kgan.pictures
from kgan.data import Dataset
from kgan.files import atomic_path
from kgan.metrics import METRICS
from kgan.metrics.measure import measure
from kgan.metrics.sample_set import SampleSet
from kgan.pixels import visible


def add_options(parser: argparse.ArgumentParser) -> None:
    """What every contestant is asked: data, judge, time, seeds."""
    parser.add_argument("--data", default="mnist", help="As `kgan train --data` takes it.")
    parser.add_argument("--image-size", type=int, help="Side of image files.")
    parser.add_argument("--limit", type=int, help="So many of the images, drawn.")
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="Score against the images that --limit leaves out: what is known by heart gains not.",
    )
    parser.add_argument("--unconditional", action="store_true")
    parser.add_argument("--extractor", help="A .keras file; default the shipped one for the data.")
    parser.add_argument("--minutes", type=float, default=12.0, help="Of processor time, a seed.")
    parser.add_argument("--scores", type=int, default=4, help="At equal shares of the time.")
    parser.add_argument("--n", type=int, default=10_000, help="Samples, and real images at most.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--name")
    parser.add_argument("--out", type=Path, default=Path("runs/presets"))


def asked_data(options: argparse.Namespace, *, unseen: bool = False) -> Dataset:
    """The images to train on, or those that the limit leaves out."""
    size = options.image_size and (options.image_size, options.image_size)
    data = kgan.data.load(options.data, image_size=size)
    if options.unseen and not (options.limit and options.limit < len(data)):
        raise SystemExit(f"--unseen needs a --limit below the {len(data)} images.")
    if options.limit is not None:
        drawn = np.random.default_rng(0).permutation(len(data))
        data = data.take(drawn[options.limit :] if unseen else drawn[: options.limit])
    if options.unconditional:
        data = Dataset(data.name, data.samples, kind=data.kind)
    return data


class Clock:
    """Calls for scores at equal shares of the processor time of the steps.

    The first step, in which graphs are made, and the scores are not counted.

    Args:
        minutes: Of processor time.
        count: How many scores.
        score: Function of (steps, minutes, logs).
        spent: Minutes that a training which goes on took before.
    """

    def __init__(
        self,
        minutes: float,
        count: int,
        score: Callable[[int, float, Any], None],
        *,
        spent: float = 0.0,
    ):
        self.minutes, self.count, self.score, self.before = minutes, count, score, spent
        self.begun: float | None = None
        self.done = int(spent * count / minutes)

    def __call__(self, steps: int, logs: Mapping[str, Any] | None = None) -> bool:
        """Whether the time is up after so many steps."""
        now = time.process_time()
        if self.begun is None:
            self.begun = now
        spent = self.before + (now - self.begun) / 60
        if self.done < self.count and spent >= self.minutes * (self.done + 1) / self.count:
            self.done += 1
            self.score(steps, spent, logs)
            self.begun += time.process_time() - now
        return self.done >= self.count


class Scores:
    """Scores of samples against the images that a contestant learns from, or unseen ones.

    Authenticity is always of those that it learns from. Each call prints them and keeps them in
    OUT/NAME.json, with a picture of 100 samples (rows of a class each) beside it. A training that
    goes on from such a file adds to its scores.

    Args:
        data: The images.
        options: Of `add_options`.
        name: Of the files.
        generate: Function of (count, labels or `None`) that makes images in [0, 1].
        conditional: Whether it takes labels.
        about: More of the record.
    """

    def __init__(
        self,
        data: Dataset,
        options: argparse.Namespace,
        name: str,
        generate: Callable[[int, np.ndarray | None], np.ndarray],
        conditional: bool,
        about: Mapping[str, Any],
    ):
        self.data, self.name, self.out = data, name, options.out
        self.generate, self.conditional = generate, conditional
        self.judge = kgan.metrics.extractor.extractor(
            options.extractor or kgan.evaluation.default_extractor(data)
        )
        self.learnt = self._set(data.samples, data.labels).random(min(options.n, len(data)))
        self.real = self.learnt
        if options.unseen:
            others = asked_data(options, unseen=True)
            self.real = self._set(others.samples, others.labels).random(min(options.n, len(others)))
        # A set of a hundred images is compared with a thousand samples.
        self.count = min(options.n, max(len(self.real), 1000))
        self.record: dict[str, Any] = {
            **about,
            "data": data.name,
            "images": len(data),
            "shape": list(data.sample_shape),
            "extractor": self.judge.label,
            "n": self.count,
            "unseen": options.unseen,
            "versions": {one: importlib.metadata.version(one) for one in ("tensorflow", "keras")},
            "date": datetime.date.today().isoformat(),
            "scores": [],
        }
        self.out.mkdir(parents=True, exist_ok=True)

    def go_on(self, steps: int) -> float:
        """Takes over the scores in the file, up to so many steps; returns the minutes they took.

        Raises:
            ValueError: If the file is of another training, or scored otherwise.
        """
        path = self.out / f"{self.name}.json"
        kept = json.loads(path.read_text())
        for key in self.record.keys() - {"versions", "date", "scores"}:
            if kept.get(key) != self.record[key]:
                raise ValueError(
                    f"{path} is of another training: {key} is {kept.get(key)!r} there and "
                    f"{self.record[key]!r} here. Take another --name or --out."
                )
        self.record["scores"] = [one for one in kept["scores"] if one["steps"] <= steps]
        return self.record["scores"][-1]["minutes"]

    def _set(self, images: np.ndarray, labels: np.ndarray | None) -> SampleSet:
        return SampleSet(images, labels, kind=self.data.kind, extractor=self.judge)

    def __call__(self, steps: int, minutes: float, images: int, more: Mapping[str, Any]) -> None:
        """Scores, after so many steps and minutes, which saw so many real images."""
        labels = np.resize(self.real.labels, self.count) if self.conditional else None
        samples = self.generate(self.count, labels)
        fakes = self._set(samples, labels)
        found: dict[str, float] = {}
        for metric in ("fid", "kid", "prdc", "authenticity"):
            real = self.learnt if metric == "authenticity" else self.real
            values = measure(metric, real, fakes, None)
            found |= {one: float(values[one]) for one in METRICS[metric].lower_is_better}
        if labels is not None:
            told = self.judge.probabilities(samples).argmax(axis=1)
            found["told"] = float((told == labels).mean())
        found |= {
            "steps": steps,
            "minutes": minutes,
            "images_per_second": images / minutes / 60,
            **{key: float(value) for key, value in more.items()},
        }
        self.record["scores"].append(found)
        print(self.name, {key: round(value, 3) for key, value in found.items()}, flush=True)
        with atomic_path(self.out / f"{self.name}.json") as path:
            path.write_text(json.dumps(self.record, indent=1))
        shown = self.generate(100, np.repeat(np.arange(10), 10) if self.conditional else None)
        picture = kgan.pictures.grid(visible(shown, self.data.kind.shown), 10)
        kgan.pictures.save_image(picture, self.out / f"{self.name}.png")
