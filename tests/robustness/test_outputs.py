"""What a report is written as: verdict, JUnit XML, Markdown, advice; hostile names shown safely."""

import dataclasses
import json
from xml.etree import ElementTree

import keras
import numpy as np
import pytest

from kgan.attacks import PGD, Victim
from kgan.names import one_line, printable
from kgan.robustness.advice import advice
from kgan.robustness.corruption_report import CorruptionReport, CorruptionRow
from kgan.robustness.evaluation import evaluate
from kgan.robustness.html_report import write_html
from kgan.robustness.junit import write_junit, write_junit_error
from kgan.robustness.markdown import markdown
from kgan.robustness.masking import Flag, Outcome, contradictions
from kgan.robustness.report import Report, Row, Verdict
from kgan.robustness.report_schema import HARDENING_SCHEMA, REPORT_SCHEMA
from kgan.robustness.sarif import sarif, write_sarif_error
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
    # A file name that is no UTF-8, and what XML forbids.
    assert printable("caf\udce9\ufffe") == "caf\\udce9\\ufffe"
    assert printable("a\n\tb") == "a\n\tb"
    assert one_line("a\n\tb\x1b") == "a\\n\\tb\\x1b"
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


def with_minimal_attack(report):
    """The report with an attack that ran once for two rows, and fools all where none limits it."""
    rows = [*report.rows, row("DeepFool", 0.6), row("DeepFool", 0.0, None)]
    return dataclasses.replace(report, rows=rows)


def test_a_change_of_any_size_decides_no_verdict(report, tmp_path):
    judged = with_minimal_attack(report).judged(0.2)
    assert judged.verdict.passed
    assert judged.verdict.row == "worst case at 0.1"
    write_junit(judged, tmp_path / "out.xml")
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert (suite.get("failures"), suite.get("skipped"), suite.get("tests")) == ("0", "1", "6")
    (skipped,) = [case for case in suite.iter("testcase") if case.find("skipped") is not None]
    assert skipped.get("name") == "DeepFool on 40 images"
    kinds = [one["kind"] for one in sarif(judged)["runs"][0]["results"]]
    assert kinds == ["pass", "pass", "pass", "pass", "informational", "pass"]
    # An attack that has no ball at all is limited by its own settings, and does count.
    spatial = dataclasses.replace(report, rows=[*report.rows, row("Spatial", 0.1, None)])
    assert spatial.judged(0.2).verdict.row == "Spatial"


def test_the_times_of_a_suite_add_up_to_what_was_run(report, tmp_path):
    write_junit(with_minimal_attack(report), tmp_path / "out.xml")
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()
    # FGSM, PGD and DeepFool took 1.5 s each; the rows of clean images and worst cases took none.
    assert suite.get("time") == "4.500"
    attacks = [
        case for case in suite.iter("testcase") if not case.get("name").startswith(("c", "w"))
    ]
    assert sum(float(case.get("time")) for case in attacks) == pytest.approx(4.5)


def test_shares_that_differ_are_told_apart(report, tmp_path):
    assert "49.98% (PGD), is below the 50.00% asked" in str(Verdict(0.5, 0.4998, "PGD"))
    assert "50.0% (PGD), reaches the 50.0% asked" in str(Verdict(0.5, 0.5, "PGD"))
    low = dataclasses.replace(report, rows=[row("PGD", 0.7999)], worst_case=[]).judged(0.8)
    write_junit(low, tmp_path / "out.xml")
    message = ElementTree.parse(tmp_path / "out.xml").getroot().find(".//failure").get("message")
    assert "robust accuracy 79.99% " in message
    assert message.endswith("is below 80.00%")
    text = sarif(low)["runs"][0]["results"][1]["message"]["text"]
    assert text.endswith("79.99% is below the 80.00% asked for.")


def test_a_verdict_says_that_figures_with_signs_of_masking_may_flatter(report, tmp_path, capsys):
    doubt = "there are signs of gradient masking"
    judged = report.judged(0.2)
    assert doubt not in judged.told_verdict
    flagged = dataclasses.replace(
        judged, flags=[Flag("zero gradients", "9 of 9 images", "Beware.")]
    )
    write_html(flagged, tmp_path / "page.html", curves=None, examples={})
    print_report(flagged, tmp_path)
    write_junit(flagged, tmp_path / "out.xml")
    for text in (
        markdown(flagged),
        (tmp_path / "page.html").read_text(),
        " ".join(capsys.readouterr().out.split()),
    ):
        assert "passed: the lowest robust accuracy, 25.0% (worst case at 0.1)" in text
        assert doubt in text
    # One full stop.
    assert sarif(flagged)["runs"][0]["results"][-1]["message"]["text"].endswith("Beware.")


def test_checks_that_were_not_made_are_told_wherever_signs_are(report, tmp_path):
    report = dataclasses.replace(report, unchecked=["black-box beats white-box: needs square"])
    write_junit(report, tmp_path / "out.xml")
    assert "not checked for gradient masking: black-box" in (tmp_path / "out.xml").read_text()
    assert "Not checked for gradient masking: black-box beats" in markdown(report)
    told = sarif(report)["runs"][0]["properties"]["notCheckedForMasking"]
    assert told == report.unchecked


def test_markdown_of_hostile_names_is_one_harmless_line(report):
    hostile = dataclasses.replace(report, model="x\n# Passed\n@octo &lt;b&gt; #1 ~~y~~ $z$")
    text = markdown(hostile)
    assert text.splitlines()[0] == (
        "### Robustness of x \\# Passed @<!-- -->octo \\&lt;b\\&gt; \\#1 \\~\\~y\\~\\~ \\$z\\$"
    )
    assert "\n# " not in text


def test_the_place_of_a_finding_may_be_a_server(report):
    address = "http://127.0.0.1:8501/v1/models/my%20model"
    report = dataclasses.replace(report, provenance={"model file": address})
    place = sarif(report)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": address}}


def test_where_there_is_no_report_ci_is_told_so(tmp_path):
    write_junit_error("ValueError: no <b>", tmp_path / "out.xml", model="mine")
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["1", "0", "1", "0"]
    assert suite.find("testcase/error").get("message") == "ValueError: no <b>"
    write_sarif_error("ValueError: no <b>", tmp_path / "out.sarif", command="kgan attack")
    (run,) = json.loads((tmp_path / "out.sarif").read_text())["runs"]
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "ValueError: no <b>"
    assert run["results"] == []


def test_no_number_is_written_that_json_lacks(report, tmp_path):
    wrong = dataclasses.replace(report, rows=[row("PGD", 0.5, float("inf"))])
    with pytest.raises(ValueError, match="not JSON compliant"):
        wrong.save(tmp_path / "report.json")
    assert not (tmp_path / "report.json").exists()
