"""How well a classifier tells generated rows of a table from real ones."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from kgan.kinds import Table
from kgan.metrics.table_features import categorical_of, features_of
from kgan.rows import Rows

_FOLDS = 3
_MOST_ROWS = 5_000


class TableDetection(NamedTuple):
    """Scores in [0, 1]: 1 where rows cannot be told apart, 0 where all are.

    Attributes:
        undetected: By gradient-boosted trees.
        undetected_logistic: By logistic regression, which sees single columns alone.
    """

    undetected: float
    undetected_logistic: float


def table_detection(real: Rows, fake: Rows, *, table: Table, seed: int = 0) -> TableDetection:
    """1 minus the mean over three folds of 2 max(AUC, 1/2) - 1.

    Args:
        real: Real rows.
        fake: Generated rows; equally many of both are used, at most 5,000.
        table: The kind of both.
        seed: Seed of the draw of rows and of the folds.

    Returns:
        `TableDetection`: by gradient boosting and by logistic regression; 1 is the best.

    Reference: Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests"; the formula is that
        of SDMetrics' detection metrics, with standardised columns in place of robust ones.
    """
    n = min(len(real), len(fake), _MOST_ROWS)
    if n < 2 * _FOLDS:
        raise ValueError(f"detection needs {2 * _FOLDS} rows of each, got {n}.")
    random = np.random.default_rng(seed)
    both = [one[random.choice(len(one), n, replace=False)] for one in (real, fake)]
    labels = np.repeat([1, 0], n)
    trees: Any = HistGradientBoostingClassifier(
        categorical_features=categorical_of(table), random_state=0
    )
    line: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    found = []
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    with threadpool_limits(1), warnings.catch_warnings():
        # Where rows are told apart without fail, the weights grow without end.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for classifier, one_hot in ((trees, False), (line, True)):
            features = np.concatenate([features_of(one, table, one_hot=one_hot) for one in both])
            areas = []
            for ours, theirs in folds.split(features, labels):
                classifier.fit(features[ours], labels[ours])
                told = classifier.predict_proba(features[theirs])[:, 1]
                areas.append(roc_auc_score(labels[theirs], told))
            found.append(1.0 - float(np.mean([2 * max(area, 0.5) - 1 for area in areas])))
    return TableDetection(*found)
