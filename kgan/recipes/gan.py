"""The GAN family: the settings choose loss, penalty, networks, packing and conditioning."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

import kgan.augmentation
import kgan.callbacks
import kgan.data
import kgan.evaluation
import kgan.generator_penalties
import kgan.metrics.extractor
import kgan.models
import kgan.names
import kgan.networks
import kgan.penalties
import kgan.precision
import kgan.privacy
import kgan.restarting_adam
import kgan.settings.auto
from kgan.data import Dataset
from kgan.decoding.reading import channels_of
from kgan.models.growing import full_at, growing, size_at
from kgan.models.styles import Styles
from kgan.models.transfer import freeze_first
from kgan.recipes import privacy
from kgan.recipes.latent import LatentModelRecipe
from kgan.recipes.recipe import Watched, cosine, halving, jit_compile
from kgan.settings.gan import PRESETS, GANSettings

# As for `kgan.settings.auto.FEW`.
_MANY_PASSES = 100
# A rate halved so often moves nothing that scores could tell (Fashion-MNIST, from FID .25 on).
_HALVINGS = 6
# Samples of a class whose codes say how its latents are distributed.
_MOST_CODES = 1000


class GANRecipe(LatentModelRecipe[GANSettings]):
    """Makes and trains a GAN from its settings.

    With the settings of the preset `auto`, `settle` chooses by the images what `choose` was not
    told to keep: by default what is as the preset has it, also where the user set that very value.
    For points and private trainings it chooses nothing, and says so.
    """

    family = "gan"
    shown = ("d_loss", "g_loss", "d_real", "d_fake", "distance")
    curves: ClassVar[Mapping[str, Sequence[str]]] = {
        "losses": ("d_loss", "g_loss", "penalty"),
        "probabilities": ("d_real", "d_fake"),
    }

    _followed: str | None = None

    def __init__(self, settings: GANSettings):
        super().__init__(settings)
        if settings.chosen_by_data:
            preset = _values(PRESETS["auto"])
            self.choose(name for name, one in _values(settings).items() if one != preset[name])

    def follow(self, source: GANSettings, shape: tuple[int, ...], *, name: str) -> None:
        """Lets `settle` choose nothing that a trained model has, whose weights it starts from.

        Args:
            source: The settings that it was trained with.
            shape: (height, width, channels) of its images; the data are read in it.
            name: What it is called.
        """
        kept = self._kept or frozenset()
        taken = kgan.settings.auto.OF_SOURCE - kept - self._left_alone(kept)
        changes = {one: getattr(source, one) for one in taken}
        reading = {"image_size": shape[:2], "channels": channels_of(shape[2])}
        changes |= {one: value for one, value in reading.items() if one not in kept}
        self.settings = dataclasses.replace(self.settings, **changes)
        self._kept = kept | set(changes)
        self._followed = name

    @property
    def private(self) -> bool:
        """Whether the training is differentially private."""
        return self.settings.epsilon is not None

    def samples_per_step(self) -> int:
        return self.batch_size * self.settings.n_critic

    def settle(self, data: Dataset, *, replicas: int = 1) -> Sequence[str]:
        said = self._chosen(data)
        if self.settings.chosen_by_data:
            # Chosen once and for all.
            self.settings = GANSettings(**_values(self.settings))
        said = [*said, *super().settle(data, replicas=replicas)]
        if not self.private:
            return said
        noise, promised = privacy.settled(
            self.settings,
            sampling_rate=self.batch_size / len(data),
            epochs=self.epochs,
            steps_per_epoch=self.steps_per_epoch(data),
        )
        self.settings = dataclasses.replace(self.settings, noise=noise)
        unseen = "no doctor and no score by real images, as they are not covered"
        return [*said, *promised, unseen]

    def _chosen(self, data: Dataset) -> Sequence[str]:
        """Takes the settings that suit such data, where it is left to choose them."""
        if not self.settings.chosen_by_data or self._kept is None:
            return []
        if self.private:
            own = "the preset mnist-private has settings for private ones: kgan train mnist-private"
            return [f"auto chooses for trainings without epsilon alone; {own}"]
        if not data.is_images:
            own = "the presets ring and grid have settings for points"
            return [f"auto chooses for images alone; {own}"]
        if "networks" in self._kept and self._followed is None:
            # All others hang on them.
            own = self.settings.networks
            said = f"auto leaves all as for the digits but its length and your networks {own}"
            if own in PRESETS:
                said = f"{said}; the preset {own} has settings for them: kgan train {own}"
            return [said]
        shape, packing = data.sample_shape, self.settings.packing
        found = kgan.settings.auto.choice(len(data), shape, augments=packing == 1)
        left = self._left_alone(self._kept)
        stay = left | self._kept
        changes = {name: value for name, value in found.changes.items() if name not in stay}
        self.settings = dataclasses.replace(self.settings, **changes)
        if self._followed is not None:
            rest = ", ".join(f"{name} {value}" for name, value in sorted(changes.items()))
            took = "its networks, its objective and the size of its images"
            return [f"auto goes on from {self._followed}: {took}" + (f"; {rest}" if rest else "")]
        said = f"auto chooses {found.name}: {found.why}"
        for words, names in (("as you say", self._kept), ("left alone for that", left)):
            if told := sorted(set(found.changes) & names):
                said = f"{said}; {words}: {', '.join(told)}"
        return [said]

    def _check_settled(self) -> None:
        if self.settings.chosen_by_data:
            raise ValueError(
                "the settings of the preset auto are chosen by the images: call "
                "recipe.settle(data) before recipe.feed(data) and recipe.model(data)."
            )

    def _left_alone(self, kept: frozenset[str]) -> set[str]:
        """The settings that cannot be chosen for what the user chose."""
        left = set()
        if "cosine_steps" in kept and self.settings.cosine_steps is not None:
            left |= {"learning_rate_half_life", "penalty_half_life"}
        if "penalty" in kept:
            # Their weights and intervals were found for others.
            left |= {"penalty_weight", "penalty_interval", "penalty_half_life"}
        return left - kept

    @property
    def feeds_parts(self) -> bool:  # type: ignore[override]
        return not self.private

    def feed(
        self,
        data: Dataset,
        *,
        start: int = 0,
        part: kgan.data.Part | None = None,
        canaries: kgan.data.Canaries | None = None,
    ) -> tf.data.Dataset:
        self._check_settled()
        if not self.private:
            return super().feed(data, start=start, part=part)
        settings = self.settings
        return kgan.data.private_feed(
            data,
            self.batch_size,
            # Restored with the model's weights where a run is resumed.
            key=self._private_model.key,
            draws=settings.n_critic,
            start=start,
            canaries=canaries,
            labels=settings.conditional,
            flip=settings.flip,
            seed=settings.seed,
        )

    def watch(self, data: Dataset, steps: int, *, table: Path) -> Watched:
        return Watched() if self.private else super().watch(data, steps, table=table)

    def pictures(self, data: Dataset, folder: Path) -> Sequence[keras.callbacks.Callback]:
        if not self.private:
            return super().pictures(data, folder)
        return [kgan.callbacks.SampleGrid(folder, seed=self.settings.seed)]

    def describe(self, data: Dataset, model: keras.Model) -> Sequence[str]:
        size = sum(network.count_params() for network in (model.generator, model.discriminator))
        return [
            *super().describe(data, model),
            f"{self.settings.networks}, {self.settings.loss}: {size:,} weights",
            *self._repeats(data),
            *self._rates(data),
            *self._growth(data, model),
        ]

    def _repeats(self, data: Dataset) -> Sequence[str]:
        """How often images are shown, where an augmentation would help and was not declined."""
        settings, steps = self.settings, self.epochs * self.steps_per_epoch(data)
        passes = steps * self.samples_per_step() // len(data)
        # A run that is resumed keeps its own.
        chosen = settings.augment != "none" or self._kept is None or "augment" in self._kept
        able = data.is_images and settings.packing == 1 and not self.private
        if chosen or not able or passes < _MANY_PASSES:
            return []
        return [
            f"  each image is shown {passes:,} times and may be known by heart by then; "
            "--augment ada-upright helps (or ada, where images may be mirrored and turned)"
        ]

    def _rates(self, data: Dataset) -> Sequence[str]:
        """From when on a training that is longer than its rates' schedule learns no more."""
        settings, steps = self.settings, self.epochs * self.steps_per_epoch(data)
        half_life = settings.learning_rate_half_life
        if half_life is None or settings.cosine_steps is not None:
            return []
        idle = steps - _HALVINGS * half_life
        if idle <= 0:
            return []
        # A run that is resumed keeps its own.
        new = "" if self._kept is not None else "in a new run "
        return [
            f"  the learning rates halve every {half_life:,} steps, so the last {idle:,} of "
            f"{steps:,} steps change next to nothing; {new}--learning-rate-half-life "
            f"{max(1, steps // 4)} goes with so long a training"
        ]

    def _growth(self, data: Dataset, model: kgan.models.GAN) -> Sequence[str]:
        """By when networks that grow have their full size."""
        if model.phase_steps is None:
            return []
        whole = full_at(model.discriminator, model.phase_steps)
        steps = self.epochs * self.steps_per_epoch(data)
        height, width, _ = data.sample_shape
        line = f"  the networks grow to {height}x{width} by step {whole:,}"
        if steps > whole:
            return [line if self.private else f"{line}; {self._waiting(data)} from then on"]
        best = "" if self.private else ", and none of its states is chosen as the best"
        size = size_at(model.discriminator, model.phase_steps, steps)
        return [
            f"{line}, and the training of {steps:,} steps ends at {size}: its images stay "
            f"coarser{best}. Train longer (--epochs), or grow faster (--phase-steps)."
        ]

    def _waiting(self, data: Dataset) -> str:
        """What compares samples with the data, and so waits for networks that grow."""
        counts = "the best state is chosen"
        if self.settings.patience is not None:
            counts += " and patience counts"
        return f"the doctor looks and {counts}" if self._looks_for_copies(data) else counts

    def model(self, data: Dataset) -> kgan.models.GAN:
        self._check_settled()
        settings = self.settings
        pair = kgan.names.look_up("networks", settings.networks, kgan.networks.NETWORKS)
        num_classes = data.num_classes if settings.conditional else None
        *space, channels = data.sample_shape
        keras.utils.set_random_seed(settings.seed)
        with kgan.precision.under(settings.precision):
            generator = pair.generator(
                data.sample_shape,
                settings.latent_dim,
                num_classes=num_classes,
                width=settings.generator_width,
            )
            discriminator = pair.discriminator(
                (*space, channels * settings.packing),
                num_classes=num_classes,
                width=settings.discriminator_width,
                spectral=settings.spectral,
                minibatch_stddev=settings.minibatch_stddev,
            )
            decoder = self._decoder(pair, data, discriminator)
            if settings.autoencoder_steps:
                generator = self._with_class_latents(generator, num_classes)
        freeze_first("discriminator", discriminator, settings.freeze_discriminator)
        penalties = [
            kgan.penalties.get(
                name,
                self._falling(
                    settings.penalty_weight, settings.penalty_half_life, settings.penalty_end
                ),
                interval=settings.penalty_interval,
                input_width=data.kind.published_width,
            )
            for name in settings.penalty
        ]
        options: dict[str, Any] = {
            "num_classes": num_classes,
            "loss": settings.loss,
            "label_smoothing": settings.label_smoothing,
            "penalties": penalties,
            "generator_penalties": self._generator_penalties(generator),
            "augmentation": self._augmentation(),
            "decoder": decoder,
            "decoding_weight": settings.decoding,
            "phase_steps": settings.phase_steps,
            "n_critic": settings.n_critic,
            "packing": settings.packing,
            "ema_decay": settings.ema_decay,
            "seed": settings.seed,
            "kind": data.kind,
        }
        model: kgan.models.GAN
        if self.private:
            self._private_model = kgan.models.PrivateGAN(
                generator,
                discriminator,
                records=len(data),
                batch_size=self.batch_size,
                noise=settings.noise or 0.0,
                clip_norm=settings.clip_norm,
                delta=settings.delta,
                **options,
            )
            model = self._private_model
        else:
            model = kgan.models.GAN(generator, discriminator, **options)
        grown = settings.phase_steps and full_at(discriminator, settings.phase_steps)
        model.compile(
            g_optimizer=self._adam(settings.g_learning_rate, updates=1, grown=grown),
            d_optimizer=self._adam(
                settings.d_learning_rate, updates=settings.n_critic, grown=grown
            ),
            jit_compile=jit_compile(settings.jit_compile),
            steps_per_execution=settings.steps_per_execution,
        )
        return model

    def begin(self, model: kgan.models.GAN, data: Dataset) -> Sequence[str]:
        settings = self.settings
        if not settings.autoencoder_steps:
            return ()
        # Outside of any strategy: each worker does the same.
        plain, labels = self.model(data), data.labels
        assert labels is not None
        order = kgan.data.order.balanced(labels, self.batch_size, seed=settings.seed)
        batches = kgan.data.feed(
            data, self.batch_size, seed=settings.seed, flip=settings.flip, order=order
        )
        rows = np.random.default_rng(settings.seed).permutation(len(data))
        some = np.concatenate(
            [rows[labels[rows] == label][:_MOST_CODES] for label in np.unique(labels)]
        )
        error = kgan.models.learn_to_reconstruct(
            plain,
            batches,
            data.take(some).as_float(),
            labels[some],
            steps=settings.autoencoder_steps,
        )
        for name in ("generator", "ema_generator", "discriminator"):
            getattr(model, name).set_weights(getattr(plain, name).get_weights())
        return [
            f"starting as an autoencoder of {settings.autoencoder_steps:,} steps: mean squared "
            f"error {error:.4f}"
        ]

    def _with_class_latents(self, generator: keras.Model, num_classes: int | None) -> keras.Model:
        """The generator for a start as an autoencoder; raises where latents are no codes."""
        if num_classes is None:
            why = "there are no classes"
        elif Styles.of(generator) is not None:
            why = f"latents of {self.settings.networks} are mapped to styles"
        elif growing(generator):
            why = f"{self.settings.networks} begins with small images"
        else:
            return kgan.networks.with_class_latents(generator, num_classes)
        raise ValueError(
            f"autoencoder_steps must be 0, got {self.settings.autoencoder_steps}: {why}."
        )

    def next_steps(self, folder: Path, version: Path | None) -> Sequence[str]:
        found = super().next_steps(folder, version)
        # What was promised is spent.
        return found[:1] if self.private else found

    def _falling(self, value: float, half_life: int | None, end: float, *, updates: int = 1) -> Any:
        """The value, or its schedule, for a step that makes `updates` updates."""
        steps = self.settings.cosine_steps
        if steps is not None:
            return cosine(value, steps * updates, end)
        return halving(value, half_life and half_life * updates)

    def _generator_penalties(
        self, generator: keras.Model
    ) -> list[kgan.generator_penalties.GeneratorPenalty]:
        settings, get = self.settings, kgan.generator_penalties.get
        found = []
        if settings.path_length:
            every = settings.path_length_interval
            found.append(get("path_length", settings.path_length, interval=every))
        if settings.orthogonal:
            kgan.generator_penalties.check_kernels(generator)
            found.append(get("orthogonal", settings.orthogonal))
        return found

    def _decoder(
        self, pair: kgan.networks.NetworkPair, data: Dataset, discriminator: keras.Model
    ) -> keras.Model | None:
        settings = self.settings
        if not settings.decoding:
            return None
        if pair.decoder is None:
            able = [name for name, one in kgan.networks.NETWORKS.items() if one.decoder]
            raise ValueError(
                f"decoding must be 0 for networks {settings.networks}, got {settings.decoding:g}: "
                f"only {', '.join(able)} have a map to decode."
            )
        return pair.decoder(data.sample_shape, discriminator, width=settings.discriminator_width)

    def _augmentation(self) -> kgan.augmentation.Augmentation | None:
        settings = self.settings
        if settings.augment == "none":
            return None
        if settings.augment == "diffaugment":
            return kgan.augmentation.DiffAugment()
        return kgan.augmentation.ADA(
            "upright" if settings.augment == "ada-upright" else "color-geometry",
            target=settings.augment_target,
            images=settings.augment_images,
        )

    def _looks_for_copies(self, data: Dataset) -> bool:
        # With fewer samples the doctor cannot tell a problem from chance.
        enough = len(data) >= kgan.callbacks.FEWEST_SAMPLES
        return self.settings.doctor and enough and not self.private

    def doctor(self, data: Dataset, folder: Path) -> Sequence[keras.callbacks.Callback]:
        if not self._looks_for_copies(data):
            return []
        size = min(len(data), kgan.callbacks.reference_size(data.sample_shape))
        some = data.take(np.random.default_rng(self.settings.seed).permutation(len(data))[:size])
        return [
            kgan.callbacks.CollapseDoctor(
                some.as_float(),
                some.labels,
                training=data.samples,
                label=_labelling(some),
                folder=folder,
                roll_back=self.settings.roll_back,
                seed=self.settings.seed,
            )
        ]

    def _adam(
        self, learning_rate: float, *, updates: int, grown: int | None
    ) -> keras.optimizers.Optimizer:
        """Adam whose rate falls as the settings ask; it makes `updates` updates in each step.

        Where networks grow they do until step `grown`, and it begins anew at each phase.
        """
        settings = self.settings
        half_life = settings.learning_rate_half_life
        rate = self._falling(learning_rate, half_life, settings.learning_rate_end, updates=updates)
        betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
        if settings.phase_steps is None or grown is None:
            adam = keras.optimizers.Adam(rate, **betas)
        else:
            adam = kgan.restarting_adam.RestartingAdam(
                rate, every=settings.phase_steps * updates, until=grown * updates, **betas
            )
        return kgan.precision.scaled(adam, settings.precision)


def _values(settings: GANSettings) -> dict[str, Any]:
    return {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}


def _labelling(data: Dataset) -> Callable[[np.ndarray], np.ndarray] | None:
    """The shipped classifier for such images; `None` if the data have other classes."""
    name = kgan.evaluation.default_extractor(data)
    if name is None:
        return None
    classifier = kgan.metrics.extractor.extractor(name)

    def label(images: np.ndarray) -> np.ndarray:
        return classifier.probabilities(images).argmax(axis=1)

    if data.labels is not None and (label(data.samples) == data.labels).mean() < 0.5:
        return None
    return label
