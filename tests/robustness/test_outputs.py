"""What a report is written as: verdict, JUnit XML, Markdown, advice; hostile names shown safely."""

import dataclasses
import json
from xml.etree import ElementTree

import keras
import numpy as np
import pytest

from kgan.attacks import PGD, Victim
from kgan.names import printable
from kgan.robustness.advice import advice
from kgan.robustness.corruption_report import CorruptionReport, CorruptionRow
from kgan.robustness.evaluation import evaluate
from kgan.robustness.html_report import write_html
from kgan.robustness.junit import write_junit
from kgan.robustness.markdown import markdown
from kgan.robustness.masking import Flag, Outcome, contradictions
from kgan.robustness.report import Report, Row
from kgan.robustness.report_schema import HARDENING_SCHEMA, REPORT_SCHEMA
from kgan.robustness.sarif import sarif
from kgan.robustness.terminal import print_report
from kgan.runs.classifier_file import new_name

ESCAPE = "\x1b[31mred\x1b[0m\u202ecba\x07"


def row(attack, accuracy, epsilon=0.1):
    return Row(attack, epsilon, accuracy, (accuracy, accuracy), None, {}, [1.0, accuracy], 1.5, {})


@pytest.fixture
def report():
    return Report(
        model="m|o*d`el<b>",
        n=40,
        class_names=["cat", "dog"],
        norm="linf",
        epsilons=[0.1],
        clean=row("clean", 0.95, 0.0),
        rows=[row("FGSM", 0.6), row("PGD", 0.25)],
        worst_case=[row("worst case", 0.25)],
        curves={},
        flags=[],
        unchecked=[],
        assumptions=["images are float32"],
        attacks={"FGSM": {"class": "FGSM"}, "PGD": {"class": "PGD"}},
        versions={"kgan": "1"},
        class_counts=[30, 10],
        provenance={"date": "2026-01-02T03:04:05+00:00", "seed": "7"},
    )


@pytest.mark.parametrize(("least", "passed"), [(0.25, True), (0.2501, False), (0.0, True)])
def test_a_verdict_is_of_the_lowest_row(report, least, passed, tmp_path):
    judged = report.judged(least)
    assert judged.verdict.passed is passed
    assert judged.verdict.lowest == 0.25
    assert judged.verdict.row == "worst case at 0.1"
    judged.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == judged


def test_junit_has_a_test_for_each_row_and_fails_those_below(report, tmp_path):
    report = dataclasses.replace(report, flags=[Flag("zero gradients", "9 of 9 images", "Beware")])
    write_junit(report.judged(0.5), tmp_path / "out.xml")
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "0")
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    cases = suite.findall("testcase")
    failing = [case.get("name") for case in cases if case.find("failure") is not None]
    assert failing == ["PGD at 0.1 on 40 images", "worst case at 0.1 on 40 images"]
    assert "zero gradients: 9 of 9 images" in suite.find("system-out").text
    assert {one.get("name"): one.get("value") for one in suite.iter("property")}["seed"] == "7"
    # Nothing was asked for: nothing fails.
    write_junit(report, tmp_path / "out.xml")
    assert ElementTree.parse(tmp_path / "out.xml").getroot().get("failures") == "0"


def test_markdown_shows_every_row_and_no_markup_of_names(report):
    text = markdown(report.judged(0.5))
    assert "m\\|o\\*d\\`el\\<b\\>" in text
    assert "| PGD | 0.1 | 25.0% | 25.0% to 25.0% |" in text
    assert "| clean |  | 95.0% |" in text
    assert "failed: the lowest robust accuracy, 25.0%" in text


def test_advice_follows_from_the_report(report):
    assert "--attack autoattack" in " ".join(advice(report))
    assert "kgan harden" in " ".join(advice(report))
    flagged = dataclasses.replace(report, flags=[Flag("zero gradients", "", "")])
    assert advice(flagged)[0].startswith("Do not quote these figures yet: zero gradients")
    full = dataclasses.replace(
        report, n=5000, attacks={"AutoAttack": {"class": "AutoAttack"}}, worst_case=[report.clean]
    )
    assert advice(full) == [
        "Nothing is left to do but to attack it in ways that this report does not."
    ]
    # Where there is no standard attack, none is recommended.
    sparse = dataclasses.replace(report, norm="l0")
    asked = dataclasses.replace(report, assumptions=["the model is a function that shows scores"])
    for one in (sparse, asked):
        assert "autoattack" not in " ".join(advice(one))
    named = dataclasses.replace(
        report, provenance={"to harden": "kgan harden --model 'my m.keras'"}
    )
    assert advice(named)[-1].endswith("robust: kgan harden --model 'my m.keras'")


def test_the_page_gives_each_class_its_counts_and_interval(report, tmp_path):
    write_html(report.judged(0.2), tmp_path / "page.html", curves=None, examples={})
    page = (tmp_path / "page.html").read_text()
    # 10 dogs, of which 2 or 3 of 10 stay: round(.25 * 10) = 2.
    assert "25.0% (2 of 10)<br><small>6% to 51%</small>" in page
    assert "100.0% (30 of 30)" in page
    assert "passed: the lowest robust accuracy" in page
    assert "2026-01-02T03:04:05" in page


def test_control_characters_are_shown_and_never_obeyed(report, tmp_path, capsys):
    shown = printable(ESCAPE)
    assert shown == "\\x1b[31mred\\x1b[0m\\u202ecba\\x07"
    assert printable("Größe 7, 猫") == "Größe 7, 猫"
    write_junit(dataclasses.replace(report, model=shown), tmp_path / "out.xml")
    assert "\\x1b[31m" in ElementTree.parse(tmp_path / "out.xml").getroot().get("name")
    # The folder's name is that of the model's file.
    print_report(report, tmp_path / ESCAPE)
    folder = tmp_path / ESCAPE / "mine.keras"
    folder.parent.mkdir()
    folder.touch()
    assert new_name(folder.parent, "mine", data=None) == "mine-2"
    said = capsys.readouterr().out
    assert said.count("\\x1b[31mred") == 2
    assert not set(said) & set(ESCAPE) - set(printable(ESCAPE))


def test_certified_and_attacked_bracket_the_truth(tmp_path):
    # A linear classifier: the bounds are exact, and an image is certified just where none fools.
    weights = np.array([[1.0, -1.0], [0.5, 0.25]], np.float32)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.set_weights([weights, np.array([-0.4, 0.0], np.float32)])
    images = np.random.default_rng(0).uniform(size=(300, 2)).astype("float32")
    epsilons = [0.05, 0.15]
    found = evaluate(
        model, images, attacks=[PGD(steps=20)], epsilons=epsilons, find_masking=False, certify=True
    )
    gap = weights[:, 1] - weights[:, 0]
    for row, epsilon in zip(found.certified, epsilons, strict=True):
        # The corner of the box that is worst for the predicted class, cut to [0, 1].
        sign = np.where(images @ gap + 0.4 > 0, -1, 1)[:, None] * np.sign(gap)
        worst = np.clip(images + epsilon * sign, 0, 1) @ gap + 0.4
        robust = np.mean((worst > 0) == (images @ gap + 0.4 > 0))
        assert row.robust_accuracy == pytest.approx(robust, abs=1 / 300)
        assert row.epsilon == epsilon
    assert [row.robust_accuracy for row in found.worst_case] == pytest.approx(
        [row.robust_accuracy for row in found.certified], abs=2 / 300
    )
    assert found.flags == []
    assert "| certified | 0.15 |" in markdown(found)
    found.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json").certified == found.certified
    # Certified rows are no upper bound and never decide the verdict.
    assert found.lowest == found.worst_case[-1].robust_accuracy
    with pytest.raises(ValueError, match="certify needs the norm linf"):
        evaluate(model, images, attacks=[PGD(norm="l2")], certify=True)
    settings = {"attacks": [PGD(steps=1)], "epsilons": epsilons, "find_masking": False}
    declared = evaluate(Victim(model, head="logits"), images, certify=True, **settings)
    assert [row.robust_accuracy for row in declared.certified] == [
        row.robust_accuracy for row in found.certified
    ]


def test_an_attack_that_beats_a_certificate_is_flagged():
    fooled = np.array([True, False, True])
    correct = np.array([True, True, False, True])
    safe = {0.1: np.array([False, True, True, True])}
    flags = contradictions([Outcome(PGD(), 0.1, fooled)], safe, correct)
    # Of the correct images the first and the last are fooled; the last is certified.
    assert [flag.evidence for flag in flags] == ["PGD fools 1 certified images at epsilon 0.1"]


def test_sarif_tells_what_failed_where_and_keeps_its_prints(report):
    report = dataclasses.replace(
        report,
        flags=[Flag("zero gradients", "9 of 9 images", "Beware")],
        provenance={
            **report.provenance,
            "model file": "my models/m.keras",
            "command": "kgan attack",
        },
    )
    content = sarif(report.judged(0.5))
    (run,) = content["runs"]
    assert content["version"] == "2.1.0"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    found = [(one["kind"], one["level"], one["ruleId"]) for one in run["results"]]
    assert found == [
        ("pass", "none", "robust-accuracy"),
        ("pass", "none", "robust-accuracy"),
        ("fail", "error", "robust-accuracy"),
        ("fail", "error", "robust-accuracy"),
        ("fail", "warning", "gradient-masking"),
    ]
    for one in run["results"]:
        assert rules[one["ruleIndex"]] == one["ruleId"]
        place = one["locations"][0]["physicalLocation"]["artifactLocation"]
        assert place == {"uri": "my%20models/m.keras"}
    assert "25.0% of 40 images" in run["results"][2]["message"]["text"]
    assert run["invocations"] == [
        {
            "executionSuccessful": True,
            "commandLine": "kgan attack",
            "endTimeUtc": "2026-01-02T03:04:05Z",
        }
    ]
    # Other figures of the same rows are the same findings.
    other = sarif(dataclasses.replace(report, rows=[row("FGSM", 0.1), row("PGD", 0.2)]))
    prints = [
        [one["partialFingerprints"]["finding/v1"] for one in some["runs"][0]["results"]]
        for some in (content, other)
    ]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == 5
    assert {one["kind"] for one in other["runs"][0]["results"][:4]} == {"informational"}


def test_a_report_fits_its_schema_and_says_its_version(report, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(REPORT_SCHEMA)
    jsonschema.Draft202012Validator.check_schema(HARDENING_SCHEMA)
    rows = [CorruptionRow("fog", 1, 0.5, (0.4, 0.6), 0.7)]
    report = dataclasses.replace(
        report.judged(0.5),
        corruptions=CorruptionReport("m", 40, 0.9, rows, 0, "other", 0.8),
        certified=[row("certified", 0.1)],
        flags=[Flag("zero gradients", "9 of 9 images", "Beware")],
    )
    report.save(tmp_path / "report.json")
    content = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(content, REPORT_SCHEMA)
    assert Report.load(tmp_path / "report.json") == report
    for change in ({"extra": 1}, {"n": 0}, {"schema_version": 2}, {"clean": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, **change}, REPORT_SCHEMA)
    # Every field of a report is in the schema, and nothing else.
    fields = {field.name for field in dataclasses.fields(Report)} - {"examples"}
    assert set(REPORT_SCHEMA["properties"]) == fields | {"schema_version"}
    old = {name: value for name, value in content.items() if name != "schema_version"}
    assert Report.from_dict(old) == report
    with pytest.raises(ValueError, match="written by a newer kgan"):
        Report.from_dict({**content, "schema_version": 2})


def test_corruptions_are_in_the_page_and_the_summary(report, tmp_path):
    rows = [CorruptionRow("jpeg_compression", s, 1 - s / 10, (0.1, 0.9), 0.5) for s in range(1, 6)]
    report = dataclasses.replace(
        report, corruptions=CorruptionReport("m", 40, 0.95, rows, 0, "al<ex>", 0.9)
    )
    write_html(report, tmp_path / "page.html", curves=None, examples={})
    page = (tmp_path / "page.html").read_text()
    # Errors .1 + ... + .5 over five times .5.
    assert "mCE 60.0%" in page
    assert "against al&lt;ex&gt;" in page
    assert "<td>jpeg compression</td><td>90.0%</td>" in page
    assert "| jpeg compression | 90.0% | 80.0% | 70.0% | 60.0% | 50.0% |" in markdown(report)
