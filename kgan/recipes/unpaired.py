"""Base of the families that translate between two domains of images without pairs."""

import functools
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, TypeVar

import keras
import numpy as np
import tensorflow as tf

import kgan.callbacks
import kgan.data
import kgan.evaluation
import kgan.pictures
from kgan.data import Domains, Pairs, Reading, middle
from kgan.data.slanted import SLOPE
from kgan.recipes.recipe import Recipe, Watched, mirroring
from kgan.settings.unpaired import UnpairedSettings

_COLUMNS = 10


Chosen = TypeVar("Chosen", bound=UnpairedSettings)


class UnpairedRecipe(Recipe[Chosen]):
    """A translation that learns without pairs, from its settings; a subclass makes the model.

    Attributes:
        directions: What its models translate: "a_to_b", and "b_to_a" where they do.
    """

    directions: ClassVar[tuple[str, ...]] = ("a_to_b",)

    def data(self) -> Domains:
        return self.splits[0]

    @functools.cached_property
    def splits(self) -> tuple[Domains, Domains]:
        """What to train on, and what is held out: pairs where the truth is known."""
        settings = self.settings
        if settings.a is None or settings.b is None:
            Reading(**settings.reading).refuse(
                "the slanted digits", "which have one form: it is for --a and --b"
            )
            if settings.flip:
                raise ValueError(
                    "flip must be off for the slanted digits, which then slant both ways: it is "
                    "for --a FOLDER and --b FOLDER."
                )
            if settings.crop is not None:
                raise ValueError(
                    "crop must be left out for the slanted digits: it is for --a and --b."
                )
            return kgan.data.load_slanted_digits(), kgan.data.load_slanted_pairs()
        (train_a, test_a), (train_b, test_b) = (
            kgan.data.train_and_test(
                name,
                labelled=False,
                seed=settings.seed,
                data_dir=settings.data_dir,
                download=settings.download,
                **settings.reading,
            )
            for name in (settings.a, settings.b)
        )
        crop = settings.crop_shape
        return Domains(train_a, train_b), Domains(middle(test_a, crop), middle(test_b, crop))

    def feed(self, data: Domains, *, start: int = 0) -> tf.data.Dataset:
        settings = self.settings
        return kgan.data.feed_apart(
            data,
            self.batch_size,
            seed=settings.seed,
            start=start,
            flip=settings.flip,
            crop=settings.crop_shape,
        )

    def describe(self, data: Domains, model: keras.Model) -> Sequence[str]:
        sizes = []
        for letter, one in (("A", data.a), ("B", data.b)):
            sizes.append(f"{letter}: {one.name}, {one.summary()}")
            sizes += [f"  {note}" for note in (*one.notes, *mirroring(self.settings.flip))]
        weights = sum(
            network.count_params()
            for names in model.optimizers.values()
            for network in (getattr(model, name) for name in names)
        )
        return [*sizes, f"{self.settings.networks}, {self.settings.loss}: {weights:,} weights"]

    def watch(self, data: Domains, steps: int, *, table: Path) -> Watched:
        pairs = self._known_pairs(data)
        if pairs is None:
            return Watched()
        error = kgan.callbacks.TranslationError(pairs.a.as_float(), pairs.b.as_float())
        return Watched([error], "error")

    def pictures(self, data: Domains, folder: Path) -> Sequence[keras.callbacks.Callback]:
        return [
            kgan.callbacks.TranslationGrid(folder, *self._shown(), paired=self.splits[1].paired)
        ]

    def _shown(self) -> tuple[np.ndarray, np.ndarray]:
        """A few held-out images of each domain; of pairs the same ones."""
        held_out = self.splits[1]
        columns = min(_COLUMNS, len(held_out.a), len(held_out.b))
        rows_a, rows_b = (
            np.random.default_rng(self.settings.seed).permutation(len(one))[:columns]
            for one in (held_out.a, held_out.b)
        )
        return held_out.a.take(rows_a).as_float(), held_out.b.take(rows_b).as_float()

    def inputs(self, endpoint: str) -> kgan.data.Dataset:
        held_out = self.splits[1]
        return held_out.b if endpoint == "b_to_a" else held_out.a

    def real_data(self, endpoint: str) -> kgan.evaluation.RealData:
        crop = self.settings.crop_shape
        train, held_out = ((one.a if endpoint == "b_to_a" else one.b) for one in self.splits)
        return kgan.evaluation.RealData(middle(train, crop), held_out)

    def own_scores(self, model: Any, folder: Path) -> Sequence[kgan.evaluation.Score]:
        """How far translations are from the truth, where it is known; and a picture of some."""
        train, held_out = self.splits
        picture = kgan.callbacks.translations(model, *self._shown(), paired=held_out.paired)
        kgan.pictures.save_image(picture, folder / "translations.png")
        if not isinstance(held_out, Pairs):
            return ()
        scores = []
        for direction, slope, (source, target), learnt in (
            ("a_to_b", SLOPE, (held_out.a, held_out.b), train.b),
            ("b_to_a", -SLOPE, (held_out.b, held_out.a), train.a),
        ):
            if direction not in self.directions:
                continue
            images = source.as_float()
            # Of all images without regard to the input, the nearest one.
            constant = np.median(learnt.as_float(), axis=0)
            scores += kgan.evaluation.translation_scores(
                model.translate(images, direction),
                held_out,
                baselines={
                    "inputs": images,
                    "one image": np.broadcast_to(constant, target.samples.shape),
                },
                ideal=kgan.data.slant(images, slope),
                direction=direction,
            )
        return scores

    def next_steps(self, folder: Path, version: Path | None) -> Sequence[str]:
        return [
            f"kgan sample {quote(str(folder))} --out translated.png",
            f"kgan translate {quote(str(version or folder))} photos/ --out translated/",
            f"kgan evaluate {quote(str(folder))}",
        ]

    def _known_pairs(self, data: Domains) -> Pairs | None:
        """Training images of A with their truth, which is not in B; nothing for a user's own."""
        if self.settings.a is not None:
            return None
        return Pairs(data.a, kgan.data.slanted(data.a))
