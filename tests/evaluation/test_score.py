"""Scores, their intervals and comparisons."""

import dataclasses
import json

import numpy as np
import pytest

from kgan.evaluation import tables
from kgan.evaluation.score import (
    Protocol,
    Score,
    compare,
    load_scores,
    save_scores,
)
from kgan.evaluation.tables import print_comparison, print_scores, seen_held_out

PROTOCOL = Protocol(
    metric="fid",
    data="digits",
    split="train",
    reference="0123456789abcdef",
    n_real=100,
    n_fake=50,
    extractor="lenet-digits@1a2b3c4d",
    preprocessing="rounded to 8 bits",
    settings={"k": 3},
    interval="seeds",
)


def score(value=1.0, half=0.1, name="fid[lenet-digits@1a2b3c4d]", **protocol):
    return Score(
        name=name,
        value=value,
        low=value - half,
        high=value + half,
        lower_is_better=True,
        floor=0.5,
        floor_n=50,
        seeds=(0, 1, 2),
        values=(value, value, value),
        protocol=dataclasses.replace(PROTOCOL, **protocol),
    )


def test_an_infinite_score_is_kept_as_plain_json(tmp_path):
    infinite = dataclasses.replace(score(), value=np.inf, values=(np.inf, 1.0), low=None, high=None)
    save_scores([infinite, score()], tmp_path / "scores.json")
    text = (tmp_path / "scores.json").read_text()

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(text, parse_constant=refuse)
    assert load_scores(tmp_path / "scores.json") == [infinite, score()]


def test_a_file_of_an_earlier_version_has_no_baselines(tmp_path):
    save_scores([score()], tmp_path / "scores.json")
    content = json.loads((tmp_path / "scores.json").read_text())
    del content["scores"][0]["baselines"]
    (tmp_path / "scores.json").write_text(json.dumps(content))
    assert load_scores(tmp_path / "scores.json") == [score()]


def test_a_file_gives_the_same_scores_back(tmp_path):
    scores = [score(), score(2.0, name="kid", metric="kid", extractor=None)]
    scores.append(dataclasses.replace(score(), baselines={"noise": 7.5, "nothing": np.inf}))
    save_scores(scores, tmp_path / "scores.json", source="runs/digits")
    assert load_scores(tmp_path / "scores.json") == scores


def test_comparison():
    result = compare(score(1.0, 0.3), score(2.0, 0.4))
    assert result.difference == pytest.approx(1.0)
    assert (result.high - result.low) / 2 == pytest.approx(0.5)
    assert result.better == "first"
    assert compare(score(2.0), score(1.0)).better == "second"
    assert compare(score(1.0, 0.5), score(1.1, 0.5)).better is None
    higher = [dataclasses.replace(score(v), lower_is_better=False) for v in (1.0, 2.0)]
    assert compare(*higher).better == "second"
    without = dataclasses.replace(score(), low=None, high=None)
    assert compare(without, score(9.0)).better is None


OTHER = {
    "metric": "kid",
    "data": "mnist",
    "split": "test",
    "reference": "f" * 16,
    "n_real": 99,
    "n_fake": 51,
    "extractor": "lenet-digits@ffffffff",
    "preprocessing": "none",
    "settings": {"k": 5},
    "interval": "halves",
    "version": "0.0.0",
}


def test_every_field_of_a_protocol_is_compared():
    assert set(OTHER) == {field.name for field in dataclasses.fields(Protocol)}


@pytest.mark.parametrize("field", OTHER)
def test_other_protocols_are_refused(field):
    with pytest.raises(ValueError, match="measured differently") as caught:
        compare(score(), score(**{field: OTHER[field]}))
    before = getattr(PROTOCOL, field)
    assert f"{field} is {before!r} and {OTHER[field]!r}" in str(caught.value)
    assert str(caught.value).count(" is ") == 1


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="make them with kgan evaluate"):
        load_scores(tmp_path / "scores.json")
    for text in ("", "{}", '{"scores": [{"name": "fid"}]}'):
        (tmp_path / "scores.json").write_text(text)
        with pytest.raises(ValueError, match="holds no scores that this version can read"):
            load_scores(tmp_path / "scores.json")


def test_rows_made_of_what_is_held_out_are_warned_of(capsys, tmp_path):
    """Nearer to held-out rows than to training rows: no privacy, but a leak that flatters."""
    for value, half, warned in ((0.0, 0.0, True), (0.3, 0.05, True), (0.38, 0.1, False)):
        one = score(value, half, name="closer_to_train")
        assert (seen_held_out([score(), one]) is not None) == warned
        print_scores("rows", [score(), one], [], tmp_path)
        assert ("have seen what is held out" in capsys.readouterr().out) == warned
    assert seen_held_out([score(0.1)]) is None


def test_a_score_without_an_interval_says_why_it_decides_nothing(capsys):
    values = {field.name: None for field in dataclasses.fields(Protocol)}
    beside = {field.name: None for field in dataclasses.fields(Score)}
    score = Score(**(beside | {"name": "fid", "value": 7.5, "protocol": Protocol(**values)}))
    sure = dataclasses.replace(score, name="kid", low=7.0, high=8.0)
    other, surer = (dataclasses.replace(one, value=946.4) for one in (score, sure))
    surer = dataclasses.replace(surer, low=946.0, high=947.0)
    print_comparison(("a", "b"), [score, sure], [other, surer])
    said = capsys.readouterr().out
    assert "undecided for want of an interval" in said
    assert said.rstrip().endswith("infinite ones): fid")
    print_comparison(("a", "b"), [sure], [surer])
    assert "undecided" not in capsys.readouterr().out


def test_names_are_whole_however_narrow_the_table(capsys, monkeypatch, tmp_path):
    """Scores are quoted by their names, with the hash of what they were measured with."""
    monkeypatch.setattr(tables, "_WIDTH", 60)
    name = "precision[lenet-mnist@1a2b3c4d]"
    one = score(0.1, name=name)
    print_scores("mine", [one], [], tmp_path)
    said = capsys.readouterr().out
    print_comparison(("runs/one-of-emoji", "runs/other-of-emoji"), [one], [one])
    for shown in (said, capsys.readouterr().out):
        cells = [line.split("│")[1].strip() for line in shown.splitlines() if "│" in line]
        assert name in "".join(cells)
        assert "…" not in shown
