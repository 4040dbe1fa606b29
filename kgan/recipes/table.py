"""The family of table GANs: rows of a table, by mode-specific normalisation and conditions."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.callbacks
import kgan.data
import kgan.models
import kgan.names
import kgan.penalties
import kgan.precision
import kgan.privacy
from kgan.data import Dataset
from kgan.evaluation import RealData, SampleSet
from kgan.kinds import Table
from kgan.metrics.table_utility import check_target
from kgan.models.table_model import TableModel
from kgan.networks import (
    TABLE_NETWORKS,
    ClassCopula,
    GaussianCopula,
    TableEncoder,
    encoder_of_counts,
    private_counts,
    private_counts_by_class,
    private_encoder,
    table_classifier,
    table_decoder,
    table_posterior,
    whole_of,
)
from kgan.networks.row_layout import Layout
from kgan.recipes import privacy
from kgan.recipes.recipe import Recipe, Watched
from kgan.rows import EncodedRows
from kgan.settings.table import TableSettings

# Real rows in a picture.
_SHOWN = 2000
# The published batch.
_BATCH = 500


class TableRecipe(Recipe[TableSettings]):
    """A table GAN, from its settings."""

    family = TableSettings.family
    shown = ("d_loss", "g_loss", "condition_loss", "target_loss", "loss", "kl", "quality")
    curves = {  # noqa: RUF012
        "losses": (
            *("d_loss", "g_loss", "condition_loss", "penalty", "loss", "kl"),
            *("classifier_loss", "target_loss"),
        ),
        "quality": ("quality", "column_shapes", "pair_trends"),
    }

    def __init__(self, settings: TableSettings):
        super().__init__(settings)
        self._fitted: tuple[str, TableEncoder, EncodedRows] | None = None

    @property
    def private(self) -> bool:
        """Whether the training is differentially private."""
        return self.settings.epsilon is not None

    def samples_per_step(self) -> int:
        return self.batch_size * self.settings.n_critic

    def data(self) -> Dataset:
        data = self._load("train")
        if self.settings.target is not None:
            check_target(_table(data), self.settings.target)
        return data

    def settle(self, data: Dataset, *, replicas: int = 1) -> Sequence[str]:
        said = self._settle_batch(data, replicas)
        return [*said, *self._settle_privacy(data)] if self.private else said

    def _settle_batch(self, data: Dataset, replicas: int) -> list[str]:
        if self.settings.batch_size is not None:
            return []
        unit = self.settings.packing * replicas
        fits = max(min(_BATCH, len(data) // 10) // unit, 1) * unit
        self.settings = dataclasses.replace(self.settings, batch_size=fits)
        if fits == _BATCH:
            return []
        return [f"batches of {fits}, as there are {len(data):,} rows"]

    def _settle_privacy(self, data: Dataset) -> list[str]:
        """Finds the noise where it is not given, and says what is promised."""
        # The correlations of a copula are told once, of all records.
        whole = self.settings.chosen_model == "copula"
        noise, promised = privacy.settled(
            self.settings,
            sampling_rate=1.0 if whole else self.batch_size / len(data),
            epochs=self.epochs,
            steps_per_epoch=self.steps_per_epoch(data),
            released=(self.counts_noise,),
            keyed=not whole,
        )
        self.settings = dataclasses.replace(self.settings, noise=noise)
        return [*promised, "no score by real rows, as it is not covered"]

    @property
    def counts_noise(self) -> float:
        """Noise over sensitivity of the counts of columns, of a private training."""
        settings = self.settings
        assert settings.epsilon is not None
        alone = settings.epsilon * settings.counts_share
        # By the faster accountant, as the other one counts it anyway.
        return kgan.privacy.noise_for(
            alone, sampling_rate=1.0, steps=1, delta=settings.delta, method="rdp"
        )

    def encoder(self, data: Dataset) -> tuple[TableEncoder, EncodedRows]:
        """The encoder that is fitted to the data, and the data encoded; made once."""
        key = data.fingerprint()["sha256"]
        if self._fitted is None or self._fitted[0] != key:
            encoder = TableEncoder.fitted(_table(data), data.samples, seed=self.settings.seed)
            rows = encoder.encoded_rows(data.samples, seed=self.settings.seed)
            self._fitted = key, encoder, rows
        return self._fitted[1:]

    def _load(self, split: str) -> Dataset:
        settings = self.settings
        if settings.data in kgan.data.DATASETS:
            if self.private:
                raise ValueError(
                    f"data must be a file with epsilon, got {settings.data}: what its columns may "
                    "hold is told by its records."
                )
            return kgan.data.load(settings.data, split)
        return kgan.data.load_table(
            settings.data,
            split,
            **settings.table_reading,
            in_full=self.private,
        )

    def feed(
        self, data: Dataset, *, start: int = 0, canaries: kgan.data.Canaries | None = None
    ) -> tf.data.Dataset:
        if self.private and self.settings.chosen_model == "copula":
            # Which learns nothing from it.
            return kgan.data.feed_rows(data, self.batch_size, start=start, by_category=False)
        if self.private:
            model = self._private_model
            return kgan.data.private_rows(
                data,
                self.batch_size,
                # Where a run is resumed, both were restored with the model's weights.
                encoded=model.encoder.encoded_rows(data.samples, seed=self.settings.seed),
                key=model.key,
                draws=self.settings.n_critic,
                start=start,
                canaries=canaries,
                seed=self.settings.seed,
            )
        encoded = self.encoder(data)[1]
        return kgan.data.feed_rows(
            data,
            self.batch_size,
            seed=self.settings.seed,
            start=start,
            encoded=encoded,
            by_category=self.settings.chosen_model == "gan",
            parts=self._conditioned(data),
        )

    def _conditioned(self, data: Dataset) -> list[tuple[int, int]] | None:
        """The codes of encoded rows that conditions tell, where these are not only categories."""
        if self.settings.conditions == "categories":
            return None
        told = self.encoder(data)[0].layout.told(self.settings.conditions)
        return list(zip(told.parts, told.counts, strict=True))

    def describe(self, data: Dataset, model: keras.Model) -> Sequence[str]:
        columns = _table(data).columns
        declared = self._declared()
        width = max(len(column.name) for column in columns)
        networks = [getattr(model, one) for name in model.playing for one in model.optimizers[name]]
        size = sum(network.count_params() for network in networks)
        return [
            *(
                f"  {one.name:<{width}}  {one.type:<8}  {_cut(one.describe())}"
                f"{'  (declared)' * (one.name in declared)}"
                for one in columns
            ),
            *(f"  {note}" for note in data.notes),
            f"{self.settings.data}: {len(data):,} rows of {len(columns)} columns, "
            f"{model.layout.size} values when encoded; {size:,} weights",
        ]

    @property
    def epochs(self) -> int:
        # A copula is whole when it is made.
        return 1 if self.settings.chosen_model == "copula" else super().epochs

    def steps_per_epoch(self, data: Dataset) -> int:
        return 1 if self.settings.chosen_model == "copula" else super().steps_per_epoch(data)

    def model(self, data: Dataset) -> TableModel:
        makers = {"gan": self._gan, "tvae": self._vae, "copula": self._copula}
        return makers[self.settings.chosen_model](data)

    def _copula(self, data: Dataset) -> TableModel:
        if self.private:
            model = self._private_copula(data)
        else:
            settings, table = self.settings, _table(data)
            copula: GaussianCopula | ClassCopula
            if target := self._class_column(table):
                copula = ClassCopula.fitted(table, target, data.samples, seed=settings.seed)
            else:
                copula = GaussianCopula.fitted(table, data.samples, seed=settings.seed)
            model = kgan.models.TableCopula(copula, self.encoder(data)[0])
        model.compile()
        return model

    def _private_copula(self, data: Dataset) -> kgan.models.TableCopula:
        settings, table = self.settings, _table(data)
        noise = settings.noise or 0.0
        copula: GaussianCopula | ClassCopula
        if target := self._class_column(table):
            known = private_counts_by_class(table, data.samples, target, noise=self.counts_noise)
            copula = ClassCopula.private(table, target, known, noise=noise)
            counted = whole_of(known, target)
        else:
            counted = private_counts(table, data.samples, noise=self.counts_noise)
            copula = GaussianCopula.private(table, counted, noise=noise)
        promise = privacy.promise_of(
            settings, noise=noise, sampling_rate=1.0, steps=1, released=(self.counts_noise,)
        )
        return kgan.models.TableCopula(copula, encoder_of_counts(table, counted), promise=promise)

    def _class_column(self, table: Table) -> str | None:
        """The target, where each of its categories gets a copula of its own."""
        target = self.settings.target
        return target if target is not None and ClassCopula.suits(table, target) else None

    def _vae(self, data: Dataset) -> TableModel:
        settings, encoder = self.settings, self.encoder(data)[0]
        size, width = encoder.layout.size, settings.decoder_width
        keras.utils.set_random_seed(settings.seed)
        with kgan.precision.under(settings.precision):
            posterior = table_posterior(size, settings.latent_dim, width=width)
            decoder = table_decoder(
                settings.latent_dim, size, numbers=len(encoder.layout.places), width=width
            )
        model = kgan.models.TableVAE(
            posterior, decoder, encoder, ema_decay=settings.ema_decay, seed=settings.seed
        )
        adam = keras.optimizers.Adam(settings.learning_rate, weight_decay=settings.weight_decay)
        model.compile(
            optimizer=kgan.precision.scaled(adam, settings.precision),
            jit_compile=settings.jit_compile == "on",
            steps_per_execution=settings.steps_per_execution,
        )
        return model

    def _gan(self, data: Dataset) -> TableModel:
        settings = self.settings
        pair = kgan.names.look_up("networks", settings.networks, TABLE_NETWORKS)
        if self.private:
            # Its noise is the operating system's: the encoder of a resumed run is restored.
            encoder = private_encoder(_table(data), data.samples, noise=self.counts_noise)
        else:
            encoder = self.encoder(data)[0]
        layout, told = encoder.layout, encoder.layout.told(settings.conditions)
        keras.utils.set_random_seed(settings.seed)
        with kgan.precision.under(settings.precision):
            generator = pair.generator(
                settings.latent_dim + told.size,
                layout.size,
                width=settings.generator_width,
            )
            discriminator = pair.discriminator(
                settings.packing * (layout.size + told.size),
                width=settings.discriminator_width,
                dropout=settings.discriminator_dropout,
            )
            classifier = self._classifier(layout) if settings.target_loss else None
        options: dict[str, Any] = {
            "temperature": settings.temperature,
            "ema_decay": settings.ema_decay,
            "packing": settings.packing,
            "conditions": settings.conditions,
            "seed": settings.seed,
        }
        model: kgan.models.TableGAN
        if self.private:
            self._private_model = kgan.models.PrivateTableGAN(
                generator,
                discriminator,
                encoder,
                records=len(data),
                batch_size=self.batch_size,
                noise=settings.noise or 0.0,
                clip_norm=settings.clip_norm,
                delta=settings.delta,
                n_critic=settings.n_critic,
                released=(self.counts_noise,),
                loss=settings.loss or "non_saturating",
                **options,
            )
            model = self._private_model
        else:
            weight = 10.0 if settings.penalty_weight is None else settings.penalty_weight
            penalty = kgan.penalties.GradientPenalty(weight, input_width=data.kind.published_width)
            model = kgan.models.TableGAN(
                generator,
                discriminator,
                encoder,
                loss=settings.loss or "wasserstein",
                penalties=[penalty],
                several=0.5 if settings.several is None else settings.several,
                classifier=classifier,
                target=settings.target if settings.target_loss else None,
                target_loss=settings.target_loss,
                **options,
            )
        model.compile(
            g_optimizer=self._adam(settings.g_learning_rate),
            d_optimizer=self._adam(settings.d_learning_rate),
            c_optimizer=self._adam(settings.d_learning_rate) if classifier else None,
            jit_compile=settings.jit_compile == "on",
            steps_per_execution=settings.steps_per_execution,
        )
        return model

    def _classifier(self, layout: Layout) -> keras.Model:
        """The classifier of the target that the generator learns by."""
        assert self.settings.target is not None
        start, stop = kgan.names.look_up("target", self.settings.target, layout.conditions)
        return table_classifier(layout.size - (stop - start), stop - start)

    def watch(self, data: Dataset, steps: int, *, table: Path) -> Watched:
        settings = self.settings
        if self.private:
            # No checkpoint is chosen by records.
            calibration = kgan.callbacks.Calibration(None, every=1, steps_per_epoch=steps)
            return Watched([calibration])
        real = SampleSet(data.samples, kind=data.kind, data=data.name)
        # Once at least, in a short training at its end.
        every = min(settings.evaluate_every or 1, steps * self.epochs)
        calibration = kgan.callbacks.Calibration(
            self.encoder(data)[1], every=every, steps_per_epoch=steps
        )
        quality = kgan.callbacks.MetricMonitor(
            real.random(settings.evaluate_samples),
            metrics=("table_quality",),
            every=every,
            steps_per_epoch=steps,
            patience=settings.patience,
            table=table,
            seed=settings.seed,
        )
        return Watched([calibration, quality], quality.monitor, quality.lower_is_better)

    def pictures(self, data: Dataset, folder: Path) -> Sequence[keras.callbacks.Callback]:
        if self.private:
            return [kgan.callbacks.SampleGrid(folder, seed=self.settings.seed)]
        rows = np.random.default_rng(self.settings.seed).permutation(len(data))[:_SHOWN]
        real = data.samples[np.sort(rows)]
        return [kgan.callbacks.SampleGrid(folder, real=real, seed=self.settings.seed)]

    def real_data(self, endpoint: str) -> RealData:
        return RealData(self._load("train"), self._load("test"))

    def next_steps(self, folder: Path, version: Path | None) -> Sequence[str]:
        if self.private:
            # What was promised is spent, so there is no training on.
            audit = [f"kgan audit {quote(str(folder))}"]
            return [
                f"kgan sample {quote(str(version or folder))} --n 1000 --out rows.csv",
                *(audit if self.settings.chosen_model == "gan" else []),
            ]
        whole = self.settings.chosen_model == "copula"
        return [
            f"kgan sample {quote(str(version or folder))} --n 1000 --out rows.csv",
            f"kgan evaluate {quote(str(folder))}",
            *([] if whole else super().next_steps(folder, version)[1:]),
        ]

    def _declared(self) -> set[str]:
        """Names of the columns of which the user said what they hold."""
        settings = self.settings
        return {
            *settings.declared_columns,
            *settings.categorical,
            *settings.integer,
            *settings.number,
        }

    def _adam(self, learning_rate: float) -> keras.optimizers.Optimizer:
        settings = self.settings
        adam = keras.optimizers.Adam(
            learning_rate,
            beta_1=settings.beta_1,
            beta_2=settings.beta_2,
            weight_decay=settings.weight_decay,
        )
        return kgan.precision.scaled(adam, settings.precision)


def _table(data: Dataset) -> Table:
    assert isinstance(data.kind, Table)
    return data.kind


def _cut(text: str, longest: int = 70) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
