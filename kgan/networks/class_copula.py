"""A Gaussian copula for each category of one column."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

import kgan.random
from kgan.kinds import Table
from kgan.networks.column_tensors import values_of
from kgan.networks.private_counts import ByClass, Counted, without
from kgan.networks.table_copula import GaussianCopula
from kgan.networks.table_encoder import TableEncoder
from kgan.rows import Category, Id, Rows

# Of a class, for a copula of its own.
_LEAST_ROWS = 50
# That a column may have, for each to get a copula.
_MOST_CLASSES = 20


@keras.saving.register_keras_serializable(package="kgan")
class ClassCopula(keras.layers.Layer):
    """Rows of a class that is drawn by its share, each class by a Gaussian copula of its own.

    So all columns may depend on the class in any way, and on each other as a Gaussian allows. Made
    by `fitted`, or by `private` with differential privacy.

    Args:
        table: The kind of the rows.
        target: The column whose categories are the classes.
    """

    def __init__(self, table: Table | Mapping, target: str, **options):
        super().__init__(**{**options, "trainable": False})
        self.table = table if isinstance(table, Table) else TableEncoder.table_of(table)
        self.target: str = target
        column = self.table.column(target)
        assert isinstance(column, Category)
        self.parts = [GaussianCopula(without(self.table, target)) for _ in column.values]
        self.shares = self.add_weight(
            name="shares", shape=(len(self.parts),), dtype="float64", initializer="zeros",
            trainable=False, autocast=False,
        )  # fmt: skip
        self.built = True

    @staticmethod
    def suits(table: Table, target: str) -> bool:
        """Whether the categories of a column can be the classes: 2 to 20, and columns to join."""
        column = table.column(target)
        if not isinstance(column, Category) or len(table.learnt) < 3:
            return False
        return 1 < len(column.values) <= _MOST_CLASSES

    @classmethod
    def fitted(cls, table: Table, target: str, rows: Rows, *, seed: int = 0) -> "ClassCopula":
        """Copulas of the rows of each class; `seed` is that of the draws within ties.

        A class of fewer than 50 rows gets the copula of all rows: its own would be little but
        copies of them.
        """
        found = cls(table, target)
        column = table.column(target)
        assert isinstance(column, Category)
        codes = column.codes(rows[target])
        counts = np.bincount(codes, minlength=len(column.values))
        found.shares.assign(counts / len(codes))
        others = without(table, target)
        whole = None
        for code, part in enumerate(found.parts):
            if counts[code] >= _LEAST_ROWS:
                own = GaussianCopula.fitted(others, rows[np.flatnonzero(codes == code)], seed=seed)
            else:
                whole = own = whole or GaussianCopula.fitted(others, rows, seed=seed)
            part.set_weights(own.get_weights())
        return found

    @classmethod
    def private(
        cls,
        table: Table,
        target: str,
        known: ByClass,
        *,
        noise: float,
        random: np.random.Generator | None = None,
    ) -> "ClassCopula":
        """A copula of each class; a record is in one of them alone.

        Args:
            table: The kind of the rows.
            target: The column whose categories are the classes.
            known: From `kgan.networks.private_counts_by_class`.
            noise: As for `GaussianCopula.private`.
            random: Where the noise comes from; by default the operating system.
        """
        found = cls(table, target)
        found.shares.assign(known.classes.shares)
        others = without(table, target)
        for part, counted, total in zip(found.parts, known.counted, known.totals, strict=True):
            own = GaussianCopula.private(
                others, counted, noise=noise, total=float(total), random=random
            )
            part.set_weights(own.get_weights())
        return found

    def columns_of(
        self,
        noise: tf.Tensor,
        keys: tf.Tensor | None = None,
        classes: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """As `GaussianCopula.columns_of`; the noise of the target draws the class.

        Args:
            noise: As there.
            keys: As there.
            classes: Numbers of the classes that rows shall have, int32 (n,); -1 for any.
        """
        names = [one.name for one in self.table.learnt]
        place = names.index(self.target)
        uniform = kgan.random.uniform_of(tf.cast(noise[:, place], tf.float64))
        shares = tf.convert_to_tensor(self.shares)
        number = tf.searchsorted(tf.cumsum(shares)[:-1], uniform, side="right")
        if classes is not None:
            number = tf.where(classes >= 0, classes, number)
        rest = tf.concat([noise[:, :place], noise[:, place + 1 :]], axis=1)
        made = [part.columns_of(rest) for part in self.parts]
        columns = {}
        for column in self.table.columns:
            if isinstance(column, Id):
                columns[column.name] = TableEncoder.made_ids(column, tf.shape(noise)[0], keys)
            elif isinstance(column, Category) and column.name == self.target:
                columns[column.name] = tf.gather(values_of(column), number)
            else:
                every = tf.stack([one[column.name] for one in made], axis=1)
                columns[column.name] = tf.gather(every, number, axis=1, batch_dims=1)
        return columns

    def rows_of(self, noise: np.ndarray) -> Rows:
        """Rows of noise; see `columns_of`."""
        columns = TableEncoder.spelled_of(self.table, self.columns_of(tf.constant(noise)))
        return self.table.of_answer({name: values.numpy() for name, values in columns.items()})

    def get_config(self) -> dict:
        return {**super().get_config(), "table": self.table.get_config(), "target": self.target}


def whole_of(known: ByClass, target: str) -> dict[str, Counted]:
    """What counts by class say of all rows together: `private_counts`, without codes."""
    found = {target: known.classes}
    for name in known.counted[0]:
        parts = [one[name] for one in known.counted]
        shares = np.average([one.shares for one in parts], axis=0, weights=known.totals)
        found[name] = parts[0]._replace(shares=shares)
    return found
