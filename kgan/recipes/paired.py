"""The family that learns from pairs: translation between known pairs, and restoration."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

import kgan.callbacks
import kgan.data
import kgan.evaluation
import kgan.models
import kgan.names
import kgan.networks
import kgan.pictures
import kgan.precision
from kgan.data import Dataset, Domains, Pairs, Reading, cropped_kind, middle
from kgan.kinds import Images
from kgan.metrics.extractor import extractor
from kgan.recipes.recipe import Recipe, Watched, about, jit_compile, mirroring
from kgan.recipes.translation_networks import built, falling_adam
from kgan.settings.paired import PairedSettings

_COLUMNS = 10
_WATCHED = 256


class PairedRecipe(Recipe[PairedSettings]):
    """A PairedGAN, from its settings."""

    family = "paired"
    shown = ("d_loss", "g_loss", "reconstruction", "error", "psnr")
    curves: ClassVar[Mapping[str, Sequence[str]]] = {
        "losses": ("d_loss", "g_loss"),
        "differences": ("reconstruction", "error"),
        "decibels": ("psnr",),
    }

    def data(self) -> Pairs | Dataset:
        """Pairs; of a task the images that are damaged while it trains."""
        return self.splits[0]

    @functools.cached_property
    def task(self) -> kgan.data.Restoration | None:
        """What is restored; `None` where the data are pairs."""
        settings = self.settings
        options = {name: getattr(settings, name) for name in ("mask", "strength", "quality")}
        if settings.task is None:
            for name, value in options.items():
                if value is not None:
                    raise ValueError(f"{name} must be left out without a task, got {value}.")
            return None
        return kgan.data.task(settings.task, factor=settings.factor, **options)

    @functools.cached_property
    def splits(self) -> tuple[Pairs | Dataset, Pairs]:
        """What to train on, and the pairs that are held out, as they are tested."""
        settings = self.settings
        if self.task is not None:
            train, test = kgan.data.train_and_test(
                settings.data or "digits",
                labelled=False,
                seed=settings.seed,
                data_dir=settings.data_dir,
                download=settings.download,
                **settings.reading,
            )
            held_out = middle(test, settings.crop_shape)
            return train, kgan.data.damaged(held_out, self.task, seed=settings.seed)
        train_pairs, test_pairs = map(self._turned, self._pairs())
        crop = settings.crop_shape
        factor = train_pairs.factor
        larger = None if crop is None else (factor * crop[0], factor * crop[1])
        return train_pairs, Pairs(middle(test_pairs.a, crop), middle(test_pairs.b, larger))

    def _pairs(self) -> tuple[Pairs, Pairs]:
        settings = self.settings
        if settings.data is not None:
            return kgan.data.load_pairs(
                settings.data,
                settings.b,
                factor=settings.factor or 1,
                seed=settings.seed,
                **settings.reading,
            )
        why = "which have one form: it is for --data PAIRS"
        Reading(**settings.reading).refuse("the slanted digits", why)
        if settings.flip or settings.factor not in (None, 1):
            name = "flip" if settings.flip else "factor"
            raise ValueError(f"{name} must be left out for the slanted digits, {why}.")
        return kgan.data.load_slanted_training_pairs(), kgan.data.load_slanted_pairs()

    def _turned(self, pairs: Pairs) -> Pairs:
        return pairs if self.settings.direction == "a-to-b" else Pairs(pairs.b, pairs.a)

    def feed(self, data: Pairs | Dataset, *, start: int = 0) -> tf.data.Dataset:
        settings = self.settings
        options: dict[str, Any] = {
            "seed": settings.seed,
            "start": start,
            "flip": settings.flip,
            "crop": settings.crop_shape,
        }
        if isinstance(data, Pairs):
            return kgan.data.feed_pairs(data, self.batch_size, **options)
        assert self.task is not None
        return kgan.data.feed_damaged(data, self.task, self.batch_size, **options)

    def describe(self, data: Pairs | Dataset, model: kgan.models.PairedGAN) -> Sequence[str]:
        settings = self.settings
        if isinstance(data, Pairs):
            sides = ((f"A: {data.a.name}", data.a), (f"B: {data.b.name}", data.b))
            lines = [line for side in sides for line in about(*side)]
            lines += [f"  {note}" for note in mirroring(settings.flip, "pair")]
        else:
            lines = about(f"{settings.task}: {data.name}", data, flip=settings.flip)
        networks = [
            one for one in (model.generator, model.encoder, model.discriminator) if one is not None
        ]
        count = sum(network.count_params() for network in networks)
        adversary = settings.loss if model.discriminator is not None else "no adversary"
        return [
            *lines,
            f"held out: {len(self.splits[1]):,} pairs",
            f"{self._networks(model.kinds)}, {settings.distance} and {adversary}: {count:,} "
            "weights",
        ]

    def _kinds(self, data: Pairs | Dataset) -> tuple[Images, Images]:
        """What an image of A is while it trains, and one of B."""
        crop = self.settings.crop_shape
        if isinstance(data, Pairs):
            larger = None if crop is None else (data.factor * crop[0], data.factor * crop[1])
            kinds = cropped_kind(data.a.kind, crop), cropped_kind(data.b.kind, larger)
        else:
            assert self.task is not None
            target = cropped_kind(data.kind, crop)
            assert isinstance(target, Images)
            kinds = self.task.input_kind(target), target
        for kind in kinds:
            if not isinstance(kind, Images):
                raise ValueError(f"pairs must be images, got {kind.plural} in {data.name}.")
        return kinds  # type: ignore[return-value]

    def _networks(self, kinds: Sequence[Any]) -> str:
        larger = kinds[1].height > kinds[0].height
        return self.settings.networks or ("super-resolution" if larger else "unet")

    def model(self, data: Pairs | Dataset) -> kgan.models.PairedGAN:
        settings = self.settings
        kinds = self._kinds(data)
        name = self._networks(kinds)
        pair = kgan.names.look_up("networks", name, kgan.networks.TRANSLATION_NETWORKS)
        judge = kgan.names.look_up(
            "discriminator", settings.discriminator, kgan.networks.PATCH_DISCRIMINATORS
        )
        factor = kinds[1].height // kinds[0].height
        conditional = settings.conditional
        if conditional is None:
            conditional = factor == 1
        channels = [kind.channels for kind in kinds]
        keeps = "nothing" if self.task is None else self.task.keeps
        if settings.latent_dim and keeps in ("known", "residual"):
            raise ValueError(
                f"latent_dim must be 0 for the task {settings.task}, whose output keeps what is "
                f"known, got {settings.latent_dim}."
            )
        keras.utils.set_random_seed(settings.seed)
        with kgan.precision.under(settings.precision):
            generator = built(
                name,
                pair.generator,
                (*kinds[0].shape[:2], channels[0] + settings.latent_dim),
                channels=channels[1],
                width=settings.generator_width,
                halvings=settings.halvings,
                blocks=settings.blocks,
                bottleneck=settings.bottleneck,
                upsampling=settings.upsampling,
                factor=factor if factor > 1 or name == "super-resolution" else None,
            )
            generator = kgan.networks.KEEPING[keeps](generator)
            encoder = None
            if settings.latent_dim:
                height, width = kinds[1].shape[:2]
                encoder = kgan.networks.dcgan_encoder(
                    (height, width, channels[1]),
                    settings.latent_dim,
                    width=settings.discriminator_width,
                )
            discriminator = None
            if settings.adversarial_weight:
                shown = channels[1] + (channels[0] if conditional else 0)
                discriminator = judge(
                    (*kinds[1].shape[:2], shown),
                    width=settings.discriminator_width,
                    stages=settings.stages,
                )
        model = kgan.models.PairedGAN(
            generator,
            discriminator,
            loss=settings.loss,
            distance=settings.distance,
            reconstruction_weight=settings.reconstruction_weight,
            adversarial_weight=settings.adversarial_weight,
            conditional=conditional,
            features=self._features(),
            feature_weight=settings.feature_weight,
            encoder=encoder,
            code_weight=settings.code_weight,
            seed=settings.seed,
            kind_a=kinds[0],
            kind_b=kinds[1],
        )
        steps = settings.epochs * self.steps_per_epoch(data)
        adversary = falling_adam(settings, settings.d_learning_rate, steps)
        model.compile(
            g_optimizer=falling_adam(settings, settings.g_learning_rate, steps),
            d_optimizer=None if discriminator is None else adversary,
            jit_compile=jit_compile(settings.jit_compile),
            steps_per_execution=settings.steps_per_execution,
        )
        return model

    def _features(self) -> keras.Model | None:
        path = self.settings.features
        return None if path is None else extractor(path).model

    def watch(self, data: Pairs | Dataset, steps: int, *, table: Path) -> Watched:
        # Held-out pairs are watched, and choose no state: the last one is kept.
        return Watched([kgan.callbacks.PairedError(*self._some(_WATCHED))])

    def pictures(self, data: Pairs | Dataset, folder: Path) -> Sequence[keras.callbacks.Callback]:
        return [kgan.callbacks.PairedGrid(folder, *self._some(_COLUMNS))]

    def _some(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """A few held-out images, and their targets."""
        held_out = self.splits[1]
        rows = np.random.default_rng(self.settings.seed).permutation(len(held_out))[:count]
        some = held_out.take(rows)
        return some.a.as_float(), some.b.as_float()

    def inputs(self, endpoint: str) -> Dataset:
        return self.splits[1].a

    def real_data(self, endpoint: str) -> kgan.evaluation.RealData:
        train, held_out = self.splits
        targets = train.b if isinstance(train, Domains) else train
        kind = held_out.b.kind
        assert isinstance(kind, Images)
        return kgan.evaluation.RealData(middle(targets, (kind.height, kind.width)), held_out.b)

    def own_scores(
        self, model: kgan.models.PairedGAN, folder: Path
    ) -> Sequence[kgan.evaluation.Score]:
        """How near held-out images come to their targets, and a picture of some."""
        held_out = self.splits[1]
        picture = kgan.callbacks.translated_pairs(model, *self._some(_COLUMNS))
        kgan.pictures.save_image(picture, folder / "translations.png")
        inputs = held_out.a.as_float()
        holes = None
        if self.task is not None and self.task.keeps == "known":
            holes = 1.0 - inputs[..., -1:]
        name = kgan.evaluation.default_extractor(held_out.b)
        scores = kgan.evaluation.paired_scores(
            model.translate(inputs),
            held_out,
            baselines=self._baselines(inputs),
            holes=holes,
            judge=None if name is None else extractor(name),
        )
        if model.encoder is not None:
            seeds = np.arange(len(inputs))
            one, other = (model.vary(inputs, first + seeds) for first in (0, len(inputs)))
            scores.append(kgan.evaluation.diversity_score(one, other, held_out))
        return scores

    def _baselines(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Answers that need no learning: the input, and the mean and median training image."""
        held_out, kind = self.splits[1], self.splits[1].b.kind
        assert isinstance(kind, Images)
        learnt = self.real_data("translate").train.as_float()
        shape = held_out.b.samples.shape
        found = {}
        if self.task is not None:
            found[self.task.trivial] = self.task.answer(inputs, kind.channels)
        elif held_out.a.kind == held_out.b.kind:
            found["inputs"] = inputs
        constants = {
            "mean image": learnt.mean(axis=0),
            "mean colour": learnt.mean(axis=(0, 1, 2)),
        }
        for name, constant in constants.items():
            answer = np.broadcast_to(constant.astype(np.float32), shape)
            if self.task is not None and self.task.keeps == "known":
                images, known = inputs[..., :-1], inputs[..., -1:]
                answer = images * known + (1 - known) * answer
            found[name] = answer
        return found

    def next_steps(self, folder: Path, version: Path | None) -> Sequence[str]:
        return [
            f"kgan translate {quote(str(version or folder))} photos/ --out translated/",
            f"kgan evaluate {quote(str(folder))}",
        ]
