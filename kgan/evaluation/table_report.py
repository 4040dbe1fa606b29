"""A page about generated rows of a table: scores, their floors and baselines, and pictures."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

import kgan.pictures
from kgan.evaluation.score import Score
from kgan.evaluation.tables import seen_held_out
from kgan.files import atomic_path
from kgan.kinds import Table
from kgan.metrics.sample_set import SampleSet
from kgan.metrics.table_quality import column_shapes, pair_trends

_MOST_PAIRS = 20
_DRAWN = 5000
_MEANINGS = {
    "quality": "mean of the two below",
    "column_shapes": "how alike single columns are",
    "pair_trends": "how alike pairs of columns are",
    "undetected": "1 where boosted trees cannot tell generated rows from real ones",
    "undetected_logistic": "the same for logistic regression, which sees single columns alone",
    "closer_to_train": "share of rows nearer to training rows than to held-out ones: 0.5 is best",
    "membership_auc": "an attack that looks for training rows: 0.5 is best; no proof of privacy",
    "copies": "share of rows that are training rows, beyond chance",
    "utility": "accuracy on real rows of boosted trees that learnt on generated ones",
    "utility_logistic": "the same for logistic regression",
    "utility_auc": "AUC on real rows, the mean over five classifiers",
    "utility_f1": "F1 on real rows, the mean over five classifiers",
    "utility_auprc": "area under precision and recall, the mean over five classifiers",
}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; } img { max-width: 100%; }
th, td { border-bottom: 1px solid #ddd; padding: .3em .8em; text-align: right; }
th:first-child, td:first-child, td:last-child, th:last-child { text-align: left; }
"""


def write_table_report(
    path: Path, *, title: str, scores: Sequence[Score], fake: SampleSet, real: SampleSet
) -> None:
    """Writes report.html, which needs no other file.

    Args:
        path: The file.
        title: The source of the rows.
        scores: Their scores.
        fake: Generated rows.
        real: Real rows.
    """
    table = real.kind
    assert isinstance(table, Table)
    baselines = list(dict.fromkeys(name for score in scores for name in score.baselines))
    head = ["score", "value", "95% interval", "real data", *baselines, "better", ""]
    rows = []
    for score in scores:
        interval = "" if score.low is None else f"{score.low:.3f} to {score.high:.3f}"
        floor = "" if score.floor is None else f"{score.floor:.3f}"
        beside = [
            f"{score.baselines[name]:.3f}" if name in score.baselines else "" for name in baselines
        ]
        better = "lower" if score.lower_is_better else "higher"
        meaning = _MEANINGS.get(score.name, "")
        rows.append([score.name, f"{score.value:.3f}", interval, floor, *beside, better, meaning])
    shapes = sorted(column_shapes(real.samples, fake.samples, table=table).items(), key=_second)
    pairs = sorted(pair_trends(real.samples, fake.samples, table=table).items(), key=_second)
    some = fake.samples[:_DRAWN], real.samples[:_DRAWN]
    content = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{len(fake):,} generated rows beside {len(real):,} real ones. <b>real data</b>: "
        "held-out real rows in place of generated ones, the best that can be expected. "
        "<b>independent columns</b>: real columns, each shuffled for itself, the negative "
        "control. <b>Gaussian copula</b>, and where there is a target <b>copula by class</b>, one "
        "for each of its categories: the simple models to beat.</p>",
        _html_table(head, rows),
        f"<p><b>{html.escape(warning)}</b></p>" if (warning := seen_held_out(scores)) else "",
        "<h2>Columns, generated over real</h2>",
        _picture(kgan.pictures.marginals(*some)),
        "<h2>Columns, the least alike first</h2>",
        _html_table(["column", "score"], [[name, f"{value:.3f}"] for name, value in shapes]),
        f"<h2>The {min(len(pairs), _MOST_PAIRS)} pairs that are least alike</h2>",
        _html_table(
            ["pair", "score"],
            [[" and ".join(names), f"{value:.3f}"] for names, value in pairs[:_MOST_PAIRS]],
        ),
    ]
    page = (
        f"<!doctype html><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style>{''.join(content)}"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _second(pair):
    return pair[1]


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{html.escape(one)}</th>" for one in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _picture(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode()
    return f"<img alt='generated values over real ones' src='data:image/png;base64,{text}'>"
