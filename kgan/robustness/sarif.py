"""A report as SARIF 2.1.0, the format in which code scanners tell their findings."""

import hashlib
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kgan.files import atomic_path
from kgan.robustness.report import Report, Row

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_RULES = {
    "robust-accuracy": (
        "The share of images that stay correctly classified under an attack.",
        "Make the classifier robust with `kgan harden`, or ask for less with `--min-robust`.",
    ),
    "gradient-masking": (
        "A sign that the model hides its gradients, so that figures of robustness overstate it.",
        "Attack around what hides the gradients, as the message says, before quoting a figure.",
    ),
}


def write_sarif(report: Report, path: str | Path) -> None:
    """Writes a run with a result for each row of the report and each sign of gradient masking.

    A row below the share that the report's verdict asked for is an error; the others pass, or are
    informational where nothing was asked for. A sign of masking is a warning. The place of every
    result is the model's file, if the report's provenance names it.

    Args:
        report: The report.
        path: The file to write.

    Reference: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(sarif(report), indent=2) + "\n", encoding="utf-8")


def sarif(report: Report) -> dict[str, Any]:
    """The content of that file."""
    invocation: dict[str, Any] = {"executionSuccessful": True}
    facts = report.provenance
    if "command" in facts:
        invocation["commandLine"] = facts["command"]
    if "date" in facts:
        invocation["endTimeUtc"] = facts["date"].replace("+00:00", "Z")
    run = {
        "tool": {
            "driver": {
                "name": "kgan",
                "version": report.versions["kgan"],
                "rules": [
                    {
                        "id": name,
                        "shortDescription": {"text": what},
                        "help": {"text": remedy},
                    }
                    for name, (what, remedy) in _RULES.items()
                ],
            }
        },
        "invocations": [invocation],
        "results": list(_results(report)),
        "properties": {"assumptions": report.assumptions, "provenance": dict(facts)},
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _results(report: Report) -> Iterator[dict[str, Any]]:
    for row in (report.clean, *report.rows, *report.worst_case):
        low, high = row.interval
        text = (
            f"{row}: {row.robust_accuracy:.1%} of {report.n:,} images stay correctly classified "
            f"({low:.1%} to {high:.1%})"
        )
        verdict = report.verdict
        if verdict is None:
            outcome = {"kind": "informational", "level": "none"}
        elif row.robust_accuracy < verdict.least:
            outcome = {"kind": "fail", "level": "error"}
            text += f", below the {verdict.least:.1%} asked for"
        else:
            outcome = {"kind": "pass", "level": "none"}
        yield _result(report, "robust-accuracy", str(row), text, outcome) | {
            "properties": _properties(row)
        }
    for flag in report.flags:
        text = f"Gradient masking? {flag.name}: {flag.evidence}. {flag.meaning}"
        outcome = {"kind": "fail", "level": "warning"}
        yield _result(report, "gradient-masking", flag.name, text, outcome)


def _result(
    report: Report, rule: str, what: str, text: str, outcome: dict[str, str]
) -> dict[str, Any]:
    # The same finding of another run has the same print, whatever its figures.
    mark = hashlib.sha256(f"{rule}\0{what}".encode()).hexdigest()[:32]
    result = {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        **outcome,
        "message": {"text": f"{text}."},
        "partialFingerprints": {"finding/v1": mark},
    }
    file = report.provenance.get("model file")
    if file is not None:
        place = {"artifactLocation": {"uri": _uri(file)}}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else urllib.parse.quote(path.as_posix())


def _properties(row: Row) -> dict[str, Any]:
    return {
        "attack": row.attack,
        "epsilon": row.epsilon,
        "robustAccuracy": row.robust_accuracy,
        "interval": list(row.interval),
    }
