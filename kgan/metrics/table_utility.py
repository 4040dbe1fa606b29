"""What rows of a table are worth to who trains a classifier on them."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from kgan.kinds import Table
from kgan.rows import Category, Rows

# More categories than a tree's histogram has bins are taken as numbers.
_MOST_BINS = 255


class TableUtility(NamedTuple):
    """Accuracies on real rows, in [0, 1].

    Attributes:
        utility: Of gradient-boosted trees.
        utility_logistic: Of logistic regression.
    """

    utility: float
    utility_logistic: float


def table_utility(real: Rows, fake: Rows, *, table: Table, target: str) -> TableUtility:
    """The accuracy on real rows of classifiers that learnt on generated ones.

    With training rows in place of generated ones it is the ceiling.

    Args:
        real: Held-out real rows, on which classifiers are tested.
        fake: Generated rows, from which they learn.
        table: The kind of both.
        target: The category that is told from all other columns.

    Returns:
        `TableUtility`: the accuracies of gradient boosting and of logistic regression, in [0, 1].

    Reference: Esteban et al. 2017, section 4.1 (arXiv:1706.02633).
    """
    column = table.column(target)
    if not isinstance(column, Category):
        raise ValueError(f"target must be a category, got {target!r}, a {column.type}.")
    labels, truth = (column.codes(rows[target]) for rows in (fake, real))
    if len(np.unique(labels)) < 2:
        # Nothing to learn: one answer for all.
        share = float((truth == labels[0]).mean())
        return TableUtility(share, share)
    few = [
        isinstance(one, Category) and len(one.values) <= _MOST_BINS
        for one in table.columns
        if one.name != target
    ]
    trees = HistGradientBoostingClassifier(categorical_features=few, random_state=0)
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    found = []
    # Many threads for so little work wait for each other.
    with threadpool_limits(1):
        for classifier, one_hot in ((trees, False), (line, True)):
            ours, theirs = (_features(one, table, target, one_hot=one_hot) for one in (fake, real))
            found.append(float(classifier.fit(ours, labels).score(theirs, truth)))
    return TableUtility(*found)


def _features(rows: Rows, table: Table, target: str, *, one_hot: bool) -> np.ndarray:
    """All columns but the target as numbers, float64 (n, features)."""
    parts: list[Any] = []
    for column in table.columns:
        if column.name == target:
            continue
        values = rows[column.name]
        if not isinstance(column, Category):
            parts.append(values[:, None].astype(np.float64))
        elif one_hot:
            parts.append(np.eye(len(column.values))[column.codes(values)])
        else:
            parts.append(column.codes(values)[:, None].astype(np.float64))
    return np.concatenate(parts, axis=1)
