"""A report as SARIF 2.1.0, the format in which code scanners tell their findings."""

import hashlib
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kgan
from kgan.files import atomic_path
from kgan.robustness.report import Report, Row, told_apart

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
    _write(sarif(report), path)


def write_sarif_error(text: str, path: str | Path, *, command: str) -> None:
    """Writes a run without results, whose execution did not succeed: there is no report.

    Args:
        text: What went wrong.
        path: The file to write.
        command: The command as it was typed.
    """
    told = {"level": "error", "message": {"text": text}}
    invocation = {
        "executionSuccessful": False,
        "commandLine": command,
        "toolExecutionNotifications": [told],
    }
    _write(_log(kgan.__version__, invocation, []), path)


def _write(content: dict[str, Any], path: str | Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def sarif(report: Report) -> dict[str, Any]:
    """The content of that file."""
    invocation: dict[str, Any] = {"executionSuccessful": True}
    facts = report.provenance
    if "command" in facts:
        invocation["commandLine"] = facts["command"]
    if "date" in facts:
        invocation["endTimeUtc"] = facts["date"].replace("+00:00", "Z")
    content = _log(report.versions["kgan"], invocation, list(_results(report)))
    content["runs"][0]["properties"] = {
        "assumptions": report.assumptions,
        "notCheckedForMasking": report.unchecked,
        "provenance": dict(facts),
    }
    return content


def _log(version: str, invocation: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    """A log of one run."""
    rules = [
        {"id": name, "shortDescription": {"text": what}, "help": {"text": remedy}}
        for name, (what, remedy) in _RULES.items()
    ]
    run = {
        "tool": {"driver": {"name": "kgan", "version": version, "rules": rules}},
        "invocations": [invocation],
        "results": results,
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _results(report: Report) -> Iterator[dict[str, Any]]:
    for row in (report.clean, *report.rows, *report.worst_case):
        low, high = row.interval
        text = (
            f"{row}: {row.robust_accuracy:.1%} of {report.n:,} images stay correctly classified "
            f"({low:.1%} to {high:.1%})"
        )
        if report.verdict is None or not report.judges(row):
            outcome = {"kind": "informational", "level": "none"}
        elif report.fails(row):
            outcome = {"kind": "fail", "level": "error"}
            share, least = told_apart(row.robust_accuracy, report.verdict.least)
            text += f", {share} is below the {least} asked for"
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
        "message": {"text": f"{text.rstrip('.')}."},
        "partialFingerprints": {"finding/v1": mark},
    }
    file = report.provenance.get("model file")
    if file is not None:
        place = {"artifactLocation": {"uri": _uri(file)}}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _uri(file: str) -> str:
    if "://" in file:  # A server's address.
        return urllib.parse.quote(file, safe=":/?&=%@[]")
    path = Path(file)
    return path.as_uri() if path.is_absolute() else urllib.parse.quote(path.as_posix())


def _properties(row: Row) -> dict[str, Any]:
    return {
        "attack": row.attack,
        "epsilon": row.epsilon,
        "robustAccuracy": row.robust_accuracy,
        "interval": list(row.interval),
    }
