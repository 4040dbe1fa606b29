"""What rows of a table are worth to who trains a classifier on them."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from kgan.kinds import Table
from kgan.metrics.table_features import categorical_of, features_of
from kgan.rows import Category, Rows

# Rows that classifiers learn from: more change their scores little, and take long.
_MOST_ROWS = 10_000
_EPOCHS = 50


class TableUtility(NamedTuple):
    """Scores on real rows, in [0, 1].

    Attributes:
        utility: Accuracy of gradient-boosted trees.
        utility_logistic: Accuracy of logistic regression.
        utility_auc: Area under the ROC curve, the mean over five classifiers.
        utility_f1: F1 of the rarer of two classes, else the mean over classes; likewise.
        utility_auprc: Area under the curve of precision over recall; likewise.
    """

    utility: float
    utility_logistic: float
    utility_auc: float
    utility_f1: float
    utility_auprc: float


def check_target(table: Table, target: str) -> Category:
    """The column of that name, which must hold categories.

    Raises:
        ValueError: Where it does not, or is not there.
    """
    column = table.column(target)
    if not isinstance(column, Category):
        raise ValueError(
            f"target must be a category, got {target!r} of the type {column.type}: declare it one, "
            "or choose another."
        )
    return column


def table_utility(
    real: Rows, fake: Rows, *, table: Table, target: str, seed: int = 0
) -> TableUtility:
    """The scores on real rows of classifiers that learnt on generated ones.

    The five are AdaBoost of 50 stumps, a tree of depth 20, logistic regression, a perceptron with
    50 hidden units (those of the CTGAN paper) and gradient-boosted trees. With training rows in
    place of generated ones it is the ceiling.

    Args:
        real: Held-out real rows, on which classifiers are tested.
        fake: Generated rows, from which they learn; of more than 10,000 as many are drawn.
        table: The kind of both.
        target: The category that is told from all other columns.
        seed: Seed of that draw.

    Returns:
        `TableUtility`: accuracies of gradient boosting and of logistic regression, and AUC, F1 and
        AUPRC as means over the five; each in [0, 1].

    Reference: Esteban et al. 2017, section 4.1 (arXiv:1706.02633).
    """
    column = check_target(table, target)
    if len(fake) > _MOST_ROWS:
        chosen = np.random.default_rng(seed).choice(len(fake), _MOST_ROWS, replace=False)
        fake = fake[chosen]
    labels, truth = (column.codes(rows[target]) for rows in (fake, real))
    if len(np.unique(labels)) < 2:
        # Nothing to learn: one answer for all.
        share = float((truth == labels[0]).mean())
        certain = np.eye(len(column.values))[np.full(len(truth), labels[0])]
        return TableUtility(share, share, *_judged(truth, certain))
    hot = [features_of(one, table, without=target, one_hot=True) for one in (fake, real)]
    plain = [features_of(one, table, without=target, one_hot=False) for one in (fake, real)]
    classifiers = _classifiers(categorical_of(table, without=target))
    accuracy, found = {}, []
    # Many threads for so little work wait for each other.
    with threadpool_limits(1), warnings.catch_warnings():
        # The perceptron has its 50 epochs, and no more are wanted.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, classifier in classifiers.items():
            ours, theirs = plain if name == "boosting" else hot
            classifier.fit(ours, labels)
            probabilities = np.zeros((len(truth), len(column.values)))
            probabilities[:, classifier.classes_] = classifier.predict_proba(theirs)
            accuracy[name] = float((probabilities.argmax(axis=1) == truth).mean())
            found.append(_judged(truth, probabilities))
    means = np.mean(found, axis=0)
    return TableUtility(accuracy["boosting"], accuracy["logistic"], *map(float, means))


def _classifiers(categorical: list[bool]) -> dict[str, Any]:
    return {
        "ada boost": AdaBoostClassifier(n_estimators=50, random_state=0),
        "tree": DecisionTreeClassifier(max_depth=20, random_state=0),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "perceptron": make_pipeline(
            StandardScaler(),
            MLPClassifier(
                (50,), max_iter=_EPOCHS, early_stopping=True, n_iter_no_change=5, random_state=0
            ),
        ),
        "boosting": HistGradientBoostingClassifier(
            categorical_features=categorical, random_state=0
        ),
    }


def _rarer(truth: np.ndarray) -> int | None:
    """The rarer of two classes; `None` where there are more."""
    classes, counts = np.unique(truth, return_counts=True)
    return int(classes[counts.argmin()]) if len(classes) == 2 else None


def _judged(truth: np.ndarray, probabilities: np.ndarray) -> tuple[float, float, float]:
    """AUC, F1 and AUPRC: of the rarer of two classes, else means over those that there are."""
    answers, positive = probabilities.argmax(axis=1), _rarer(truth)
    classes = np.unique(truth)
    if len(classes) == 1:
        return 0.5, float((answers == classes[0]).mean()), 1.0
    chosen = classes if positive is None else [positive]
    pairs = [(truth == one, probabilities[:, one]) for one in chosen]
    f1 = [f1_score(truth == one, answers == one, zero_division=0.0) for one in chosen]
    return (
        float(np.mean([roc_auc_score(*pair) for pair in pairs])),
        float(np.mean(f1)),
        float(np.mean([average_precision_score(*pair) for pair in pairs])),
    )
