"""A Gaussian copula of a table: the baseline that every learnt model must beat."""

from collections.abc import Mapping

import keras
import numpy as np
import scipy.stats
import tensorflow as tf

import kgan.random
from kgan.kinds import Table
from kgan.networks.column_tensors import decoded_number, values_of
from kgan.networks.private_counts import Counted
from kgan.networks.table_encoder import TableEncoder
from kgan.rows import Category, Date, Id, Rows

# Quantiles of a column of numbers that are kept.
_GRID = 1001
# Keeps the correlations away from where they have no root.
_RIDGE = 1e-6
_ONE = 1.0 + _RIDGE
# No normal variable of a row is beyond that quantile.
_LEAST = 1e-5


@keras.saving.register_keras_serializable(package="kgan")
class GaussianCopula(keras.layers.Layer):
    """Columns as they are distributed each, joined by the correlations of a Gaussian.

    Each column becomes a normal variable by its ranks; categories are put in the order of their
    frequency, and lie at random within their share. What is missing is one more value, above all
    others. Made by `fitted`, or by `private` with differential privacy.

    Args:
        table: The kind of the rows.

    Reference: Patki et al. 2016, "The synthetic data vault", section 3.
    """

    target: str | None = None
    """The column whose categories have a copula each; `None` where one is of all rows."""

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
                order = copula._know_category(column.name, counts / len(codes))
                ranked = np.argsort(order)[codes].astype(np.float64)
            else:
                gone = column.gone(values)
                counts = (
                    values.astype(np.int64) // column.step if isinstance(column, Date) else values
                )
                there = counts[~gone].astype(np.float64)
                # Where none is present, none is ever drawn.
                grid = np.quantile(there if len(there) else [0.0], np.linspace(0, 1, _GRID))
                copula._know_number(column.name, 1.0 - gone.mean(), grid)
                ranked = np.where(gone, np.inf, counts.astype(np.float64))
            # Ties in an order of chance.
            place = np.argsort(np.lexsort((random.random(len(ranked)), ranked)))
            normal.append(scipy.stats.norm.ppf((place + 0.5) / len(ranked)))
        joint = np.corrcoef(np.array(normal)).reshape(len(normal), len(normal))
        copula.factor.assign(np.linalg.cholesky((joint + _RIDGE * np.eye(len(joint))) / _ONE))
        return copula

    @classmethod
    def private(
        cls,
        table: Table,
        counted: Mapping[str, Counted],
        *,
        noise: float,
        total: float | None = None,
        random: np.random.Generator | None = None,
    ) -> "GaussianCopula":
        """A copula that knows noisy counts of the columns, and noisy correlations.

        A row is a vector of normal variables, each by the noisy shares of its column, and is
        shortened where it is longer than most such vectors. The sum over rows of the products of
        each two of them gets normal noise, by how far one row can move all products together; the
        correlations are near to it, the smaller the more of it is noise.

        Args:
            table: The kind of the rows, declared without looking at them.
            counted: From `kgan.networks.private_counts`, which are private by themselves.
            noise: Standard deviation of the noise over the sensitivity, above 0: the second
                release, beside the counts.
            total: About how many rows there are, where that is private too.
            random: Where the noise comes from; by default the operating system.

        Reference: Dwork et al. 2014, "Analyze Gauss", algorithm 1; Li, Xiong & Jiang 2014,
        "Differentially private synthesization of multi-dimensional data using copula functions".
        """
        if not noise > 0:
            raise ValueError(f"noise must be above 0, got {noise}.")
        random = random or np.random.default_rng()
        copula, normal = cls(table), []
        for column in table.learnt:
            shares, low, high, codes = counted[column.name]
            if isinstance(column, Category):
                order = copula._know_category(column.name, shares)
                rank = np.argsort(order)
                shares, codes = shares[order], rank[codes]
            else:
                present = float(shares[: len(low)].sum())
                reached = np.cumsum(shares[: len(low)]) / max(present, 1e-12)
                # What lies within a cell is spread evenly.
                ends = np.stack([low, high], axis=1).ravel()
                known = np.stack([np.append(0.0, reached[:-1]), reached], axis=1).ravel()
                grid = np.interp(np.linspace(0, 1, _GRID), known, ends)
                copula._know_number(column.name, present, grid)
            starts = np.append(0.0, np.cumsum(shares)[:-1])
            uniform = starts[codes] + shares[codes] * random.random(len(codes))
            normal.append(scipy.stats.norm.ppf(np.clip(uniform, _LEAST, 1 - _LEAST)))
        joint = _private_correlations(np.array(normal), noise, random, total)
        copula.factor.assign(np.linalg.cholesky((joint + _RIDGE * np.eye(len(joint))) / _ONE))
        return copula

    def _know_category(self, name: str, shares: np.ndarray) -> np.ndarray:
        """Takes the shares of categories; returns their order, the most frequent first."""
        order = np.argsort(-shares, kind="stable")
        self.orders[name].assign(order.astype(np.float64))
        self.steps[name].assign(np.cumsum(shares[order]))
        return order

    def _know_number(self, name: str, present: float, grid: np.ndarray) -> None:
        """Takes the share that is not missing, and quantiles of it."""
        self.present[name].assign(present)
        self.grids[name].assign(grid)

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


def _private_correlations(
    normal: np.ndarray, noise: float, random: np.random.Generator, total: float | None = None
) -> np.ndarray:
    """Noisy correlations (columns, columns) of normal variables (columns, n).

    The products z_i z_j, i < j, of a row of length at most r are a vector whose square is
    (r^4 - sum of z_i^4) / 2, at most r^4 (1 - 1/columns) / 2.
    """
    columns, n = normal.shape
    n = n if total is None else total
    # Two deviations above the mean of the square of such a length.
    most = columns + 2.0 * np.sqrt(2.0 * columns)
    squares = (normal**2).sum(axis=0)
    kept = normal * np.sqrt(np.minimum(1.0, most / np.maximum(squares, 1e-12)))
    deviation = noise * most * np.sqrt((1.0 - 1.0 / columns) / 2.0)
    noisy = kept @ kept.T + random.normal(0.0, deviation, (columns, columns))
    pairs = np.triu_indices(columns, 1)
    found = noisy[pairs] / n
    # What their squares have beyond the noise's is theirs (James & Stein).
    if len(found):
        found = found * max(0.0, 1.0 - (deviation / n) ** 2 / max(np.mean(found**2), 1e-300))
    joint = np.eye(columns)
    joint[pairs] = np.clip(found, -1.0, 1.0)
    return _nearest(np.triu(joint, 1) + joint.T)


def _nearest(joint: np.ndarray) -> np.ndarray:
    """A matrix of correlations near to a symmetric one with ones on its diagonal."""
    values, vectors = np.linalg.eigh(joint)
    found = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    scale = np.sqrt(np.diag(found))
    return found / scale / scale[:, None]
