"""A Gaussian copula as a model of a table: it samples, saves, exports and serves as others do."""

import dataclasses
from typing import Any, ClassVar

import keras
import tensorflow as tf

from kgan.endpoints import Endpoints
from kgan.models.table_model import TableModel
from kgan.privacy import Guarantee


@keras.saving.register_keras_serializable(package="kgan")
class TableCopula(TableModel):
    """A table's columns, each as it is distributed, joined by the correlations of a Gaussian.

    It is fitted before it is made, and `fit` changes nothing: a baseline with the ways of a model.

    Args:
        copula: From `kgan.networks.GaussianCopula.fitted` or `private`.
        encoder: From `kgan.networks.TableEncoder.fitted`, of the same table; where the copula is
            private, from `kgan.networks.encoder_of_counts`.
        promise: What is promised to each record of the data, where both are private.
    """

    optimizers: ClassVar = {}
    logs: tuple[str, ...] = ("columns",)

    def __init__(
        self,
        copula: keras.layers.Layer,
        encoder: keras.layers.Layer,
        *,
        promise: Guarantee | None = None,
        **options,
    ):
        for name in ("calibrates", "draws"):
            options.pop(name, None)
        super().__init__(**options)
        self.copula, self.promise = copula, promise
        self._start_table(encoder, len(encoder.table.learnt), calibrates=False)
        self.latent_dim = self.noise_dim
        self._start()

    def train_step(self, data) -> dict[str, tf.Tensor]:
        self._log(columns=float(self.noise_dim))
        return self._end_step()

    @property
    def at_once(self) -> tuple[str, ...]:
        return () if self.copula.target is None else (self.copula.target,)

    def _samples(self, latents, labels, *, coded: bool = False) -> dict[str, tf.Tensor]:
        keys = self.encoder.keys_of(latents) if self.encoder.has_ids else None
        told = []
        if labels is not None and self.at_once:
            # Of a class that is asked for, its own copula makes the row.
            place = [one.name for one in self._columns].index(self.copula.target)
            told = [tf.cast(labels, tf.int32)[:, place]]
        return self.encoder.spelled(self.copula.columns_of(latents, keys, *told))

    def endpoints(self) -> Endpoints:
        """What it can be asked: rows, of which each column is an output of its own."""
        found = self._table_endpoints((self.copula,))
        if self.promise is None:
            return found
        details = {**found.details, "privacy": dataclasses.asdict(self.promise)}
        return dataclasses.replace(found, details=details)

    def get_config(self) -> dict[str, Any]:
        promise = None if self.promise is None else dataclasses.asdict(self.promise)
        copula = keras.saving.serialize_keras_object(self.copula)
        return {**super().get_config(), "copula": copula, "promise": promise}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None):
        copula = keras.saving.deserialize_keras_object(config["copula"])
        promise = config.get("promise")
        if promise is not None:
            promise = Guarantee(**{**promise, "released": tuple(promise["released"])})
        return super().from_config({**config, "copula": copula, "promise": promise}, custom_objects)
