"""Do made rows of the rarer class help classifiers of a table?

    python benchmarks/minority_rows.py train.csv test.csv churn --keep 0.2 --seeds 0 1 2 --out FILE

Of the training file a fifth is kept to choose thresholds by, and `--keep` thins the rarer class of
the rest. Arms: plain; weights (of classes, balanced); copies (of rare rows, drawn); smote (SMOTENC
of imbalanced-learn, where that is installed); gan and copula (rows of kgan's models of the same
rows, asked for the class). Copies, smote, gan and copula fill the rarer class up to the other.
Scores of the rarer class on the test file, the mean of logistic regression, a forest and boosted
trees: AUPRC, F1 at one half, and F1 at the threshold that was best on the kept fifth. Prints a line
of JSON for each arm and seed. `benchmarks/tables_data.py` writes tables.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import kgan.data
from kgan.data import Dataset
from kgan.kinds import Table
from kgan.metrics.table_features import categorical_of, features_of
from kgan.metrics.table_utility import check_target
from kgan.recipes import TableRecipe
from kgan.rows import Category, Integer, Rows
from kgan.settings.table import PRESETS

ARMS = ("plain", "weights", "copies", "smote", "gan", "copula")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("target")
    parser.add_argument("--arms", nargs="*", default=ARMS, choices=ARMS)
    parser.add_argument("--keep", type=float, default=1.0, help="share of the rarer class")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    whole, kept = (kgan.data.load_table(given.train, split) for split in ("train", "test"))
    table = whole.kind
    assert isinstance(table, Table)
    test = kgan.data.load_rows(given.test, table).samples
    column = check_target(table, given.target)
    codes = column.codes(whole.samples[given.target])
    rare = int(np.bincount(codes, minlength=2).argmin())
    for seed in given.seeds:
        random = np.random.default_rng(seed)
        dropped = (codes == rare) & (random.random(len(codes)) >= given.keep)
        data = whole.take(np.flatnonzero(~dropped))
        for arm in given.arms:
            begin = time.process_time()
            rows = filled(arm, data, given, rare, seed)
            judge = Judge(table, given.target, rare, seed, balanced=arm == "weights")
            found = judge.scores(rows, kept.samples, test)
            line = json.dumps(
                {
                    "table": given.train.stem,
                    "keep": given.keep,
                    "rare": int((codes[~dropped] == rare).sum()),
                    "of": len(data),
                    "arm": arm,
                    "seed": seed,
                    **{name: round(value, 4) for name, value in found.items()},
                    "processor s": round(time.process_time() - begin, 1),
                }
            )
            print(line, flush=True)
            if given.out is not None:
                with given.out.open("a") as file:
                    file.write(line + "\n")


def filled(arm: str, data: Dataset, given: argparse.Namespace, rare: int, seed: int) -> Rows:
    """The rows, and in some arms more of the rarer class."""
    rows, table = data.samples, data.kind
    assert isinstance(table, Table)
    column = table.column(given.target)
    assert isinstance(column, Category)
    codes = column.codes(rows[given.target])
    lacking = len(codes) - 2 * int((codes == rare).sum())
    if arm in ("plain", "weights"):
        return rows
    if arm == "copies":
        chosen = np.random.default_rng(seed).choice(np.flatnonzero(codes == rare), lacking)
        return Rows.joined([rows, rows[chosen]])
    if arm == "smote":
        return Rows.joined([rows, _smote(data, codes, given.target, lacking, seed)])
    settings = dataclasses.replace(
        PRESETS["table"], data=str(given.train), model=arm, seed=seed, epochs=given.epochs
    )
    recipe = TableRecipe(settings)
    recipe.settle(data)
    model = recipe.model(data)
    model.fit(
        recipe.feed(data),
        steps_per_epoch=recipe.steps_per_epoch(data),
        epochs=recipe.epochs,
        shuffle=False,
        verbose=0,
    )
    model.calibrate(recipe.encoder(data)[1])
    made = model.generate(lacking, seed=seed + 1, where={given.target: column.values[rare]})
    return Rows.joined([rows, made])


def _smote(data: Dataset, codes: np.ndarray, target: str, count: int, seed: int) -> Rows:
    """Rows of the rarer class that SMOTENC adds."""
    from imblearn.over_sampling import SMOTENC

    table = data.kind
    assert isinstance(table, Table)
    features = features_of(data.samples, table, without=target, one_hot=False)
    others = [one for one in table.learnt if one.name != target]
    places = [number for number, one in enumerate(others) if isinstance(one, Category)]
    both, labels = SMOTENC(places, random_state=seed).fit_resample(features, codes)
    made = both[len(codes) :]
    assert len(made) == count
    columns = {}
    for number, one in enumerate(others):
        values = made[:, number]
        if isinstance(one, Category):
            columns[one.name] = np.array(one.values, one.dtype)[values.astype(int)]
        else:
            whole = np.round(values) if isinstance(one, Integer) else values
            columns[one.name] = whole.astype(one.dtype)
    column = table.column(target)
    assert isinstance(column, Category)
    columns[target] = np.array(column.values, column.dtype)[labels[len(codes) :]]
    return Rows({name: columns[name] for name in data.samples.columns})


@dataclasses.dataclass
class Judge:
    """Classifiers that learn from rows, and what they are worth."""

    table: Table
    target: str
    rare: int
    seed: int
    balanced: bool

    def scores(self, rows: Rows, kept: Rows, test: Rows) -> dict[str, float]:
        """The mean scores over the classifiers."""
        labels, of_kept, truth = (self._labels(one) for one in (rows, kept, test))
        found = []
        with threadpool_limits(1):
            for one_hot, classifier in self._classifiers():
                learnt, chosen, tested = (
                    features_of(one, self.table, without=self.target, one_hot=one_hot)
                    for one in (rows, kept, test)
                )
                classifier.fit(learnt, labels)
                threshold = _best_threshold(of_kept, classifier.predict_proba(chosen)[:, 1])
                answers = classifier.predict_proba(tested)[:, 1]
                found.append(
                    [
                        average_precision_score(truth, answers),
                        f1_score(truth, answers >= 0.5),
                        f1_score(truth, answers >= threshold),
                    ]
                )
        names = ("AUPRC", "F1", "F1 at the best threshold")
        return dict(zip(names, map(float, np.mean(found, axis=0)), strict=True))

    def _labels(self, rows: Rows) -> np.ndarray:
        column = self.table.column(self.target)
        assert isinstance(column, Category)
        return column.codes(rows[self.target]) == self.rare

    def _classifiers(self):
        weights = "balanced" if self.balanced else None
        logistic = LogisticRegression(max_iter=1000, class_weight=weights)
        yield True, make_pipeline(StandardScaler(), logistic)
        yield (
            True,
            RandomForestClassifier(
                100, min_samples_leaf=3, class_weight=weights, random_state=self.seed
            ),
        )
        yield (
            False,
            HistGradientBoostingClassifier(
                categorical_features=categorical_of(self.table, without=self.target),
                class_weight=weights,
                random_state=self.seed,
            ),
        )


def _best_threshold(truth: np.ndarray, answers: np.ndarray) -> float:
    precision, recall, thresholds = precision_recall_curve(truth, answers)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[f1[:-1].argmax()])


if __name__ == "__main__":
    main()
