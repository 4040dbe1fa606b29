"""A Gaussian copula of a table: the baseline that every learnt model must beat."""

from collections.abc import Mapping

import keras
import numpy as np
import scipy.stats
import tensorflow as tf

import kgan.random
from kgan.kinds import Table
from kgan.networks.column_tensors import decoded_number, values_of
from kgan.networks.table_encoder import TableEncoder
from kgan.rows import Category, Date, Id, Rows

# Quantiles of a column of numbers that are kept.
_GRID = 1001
_RIDGE = 1e-6


@keras.saving.register_keras_serializable(package="kgan")
class GaussianCopula(keras.layers.Layer):
    """Columns as they are distributed each, joined by the correlations of a Gaussian.

    Each column becomes a normal variable by its ranks; categories are put in the order of their
    frequency, and lie at random within their share. What is missing is one more value, above all
    others. Made by `fitted`.

    Args:
        table: The kind of the rows.

    Reference: Patki et al. 2016, "The synthetic data vault", section 3.
    """

    def __init__(self, table: Table | Mapping, **options):
        super().__init__(**{**options, "trainable": False})
        self.table = table if isinstance(table, Table) else TableEncoder.table_of(table)
        count = len(self.table.learnt)
        self.factor = self._state("factor", (count, count))
        self.steps, self.orders, self.grids, self.present = {}, {}, {}, {}
        for number, column in enumerate(self.table.learnt):
            name = f"column_{number}"
            if isinstance(column, Category):
                size = (len(column.values),)
                self.steps[column.name] = self._state(f"{name}_steps", size)
                self.orders[column.name] = self._state(f"{name}_order", size)
            else:
                self.grids[column.name] = self._state(f"{name}_grid", (_GRID,))
                self.present[column.name] = self._state(f"{name}_present", ())
        self.built = True

    def _state(self, name: str, shape: tuple[int, ...]) -> keras.Variable:
        return self.add_weight(
            name=name, shape=shape, dtype="float64", initializer="zeros", trainable=False,
            autocast=False,
        )  # fmt: skip

    @classmethod
    def fitted(cls, table: Table, rows: Rows, *, seed: int = 0) -> "GaussianCopula":
        """A copula of these rows; `seed` is that of the draws within ties."""
        copula, random, normal = cls(table), np.random.default_rng(seed), []
        for column in table.learnt:
            values = rows[column.name]
            if isinstance(column, Category):
                codes = column.codes(values)
                counts = np.bincount(codes, minlength=len(column.values))
                order = np.argsort(-counts, kind="stable")
                copula.orders[column.name].assign(order.astype(np.float64))
                copula.steps[column.name].assign(np.cumsum(counts[order]) / len(codes))
                ranked = np.argsort(order)[codes].astype(np.float64)
            else:
                gone = column.gone(values)
                counts = (
                    values.astype(np.int64) // column.step if isinstance(column, Date) else values
                )
                there = counts[~gone].astype(np.float64)
                copula.present[column.name].assign(1.0 - gone.mean())
                copula.grids[column.name].assign(np.quantile(there, np.linspace(0, 1, _GRID)))
                ranked = np.where(gone, np.inf, counts.astype(np.float64))
            # Ties in an order of chance.
            place = np.argsort(np.lexsort((random.random(len(ranked)), ranked)))
            normal.append(scipy.stats.norm.ppf((place + 0.5) / len(ranked)))
        joint = np.corrcoef(np.array(normal)).reshape(len(normal), len(normal))
        joint = (joint + _RIDGE * np.eye(len(normal))) / (1.0 + _RIDGE)
        copula.factor.assign(np.linalg.cholesky(joint))
        return copula

    def columns_of(self, noise: tf.Tensor, keys: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Columns of the table's own types of noise from N(0, 1), (n, columns).

        Args:
            noise: Floats (n, columns); those of ids are left out.
            keys: As for `TableEncoder.decode`.
        """
        joint = tf.linalg.matmul(
            tf.cast(noise, tf.float64), tf.convert_to_tensor(self.factor), transpose_b=True
        )
        uniform = dict(
            zip(
                [one.name for one in self.table.learnt],
                tf.unstack(kgan.random.uniform_of(joint), axis=1),
                strict=True,
            )
        )
        columns = {}
        for column in self.table.columns:
            name = column.name
            if isinstance(column, Id):
                columns[name] = TableEncoder.made_ids(column, tf.shape(noise)[0], keys)
            elif isinstance(column, Category):
                steps = tf.convert_to_tensor(self.steps[name])
                rank = tf.searchsorted(steps[:-1], uniform[name], side="right")
                order = tf.cast(tf.convert_to_tensor(self.orders[name]), tf.int32)
                columns[name] = tf.gather(values_of(column), tf.gather(order, rank))
            else:
                present = tf.convert_to_tensor(self.present[name])
                gone = uniform[name] >= present
                place = tf.clip_by_value(uniform[name] / tf.maximum(present, 1e-12), 0.0, 1.0)
                place *= _GRID - 1
                low = tf.minimum(tf.cast(place, tf.int32), _GRID - 2)
                grid = tf.convert_to_tensor(self.grids[name])
                first, last = tf.gather(grid, low), tf.gather(grid, low + 1)
                value = first + (place - tf.cast(low, tf.float64)) * (last - first)
                columns[name] = decoded_number(column, value, gone)
        return columns

    def rows_of(self, noise: np.ndarray) -> Rows:
        """Rows of noise; see `columns_of`."""
        columns = TableEncoder.spelled_of(self.table, self.columns_of(tf.constant(noise)))
        return self.table.of_answer({name: values.numpy() for name, values in columns.items()})

    def get_config(self) -> dict:
        return {**super().get_config(), "table": self.table.get_config()}
