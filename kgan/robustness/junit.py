"""A report as JUnit XML, which the test tabs of CI servers show."""

import xml.etree.ElementTree as ET
from pathlib import Path

from kgan.files import atomic_path
from kgan.robustness.report import Report, Row, told_apart


def write_junit(report: Report, path: str | Path) -> None:
    """Writes a test suite with a test for the clean accuracy, each attack and each worst case.

    A test fails where its robust accuracy is below the share that the report's verdict asked for;
    without a verdict all pass, and a row that it is not about is skipped. Signs of gradient masking
    are the suite's output, because figures with such a sign are not to be trusted even where every
    test passes.

    Args:
        report: The report.
        path: The file to write.
    """
    rows = [report.clean, *report.rows, *report.worst_case]
    failed = [row for row in rows if report.fails(row)]
    skipped = [row for row in rows if report.verdict is not None and not report.judges(row)]
    suite = ET.Element(
        "testsuite",
        name=f"robustness of {report.model}",
        tests=str(len(rows)),
        failures=str(len(failed)),
        errors="0",
        skipped=str(len(skipped)),
        time=f"{report.seconds:.3f}",
    )
    if "date" in report.provenance:
        # JUnit's timestamps have no zone.
        suite.set("timestamp", report.provenance["date"].split("+")[0])
    properties = ET.SubElement(suite, "properties")
    for name, value in (report.provenance | report.versions).items():
        ET.SubElement(properties, "property", name=name, value=value)
    for row in rows:
        case = ET.SubElement(
            suite,
            "testcase",
            classname="kgan.robustness",
            name=f"{row} on {report.n} images",
            time=f"{0.0 if _is_part(report, row) else row.seconds:.3f}",
        )
        low, high = row.interval
        within = f"({low:.2%} to {high:.2%})"
        if report.verdict is not None and report.fails(row):
            share, least = told_apart(row.robust_accuracy, report.verdict.least)
            message = f"robust accuracy {share} {within} is below {least}"
            ET.SubElement(case, "failure", message=message, type="robustness")
            continue
        figures = f"robust accuracy {row.robust_accuracy:.2%} {within}"
        if row in skipped:
            ET.SubElement(case, "skipped", message=f"{figures}, of changes of any size")
        else:
            ET.SubElement(case, "system-out").text = figures
    ET.SubElement(suite, "system-out").text = "\n".join(
        [f"gradient masking? {flag.name}: {flag.evidence}. {flag.meaning}" for flag in report.flags]
        + [f"not checked for gradient masking: {text}" for text in report.unchecked]
        + [f"assumed: {text}" for text in report.assumptions]
    )
    _write(suite, path)


def write_junit_error(text: str, path: str | Path, *, model: str) -> None:
    """Writes a test suite with one test, which is in error: there is no report.

    Args:
        text: What went wrong.
        path: The file to write.
        model: Name of the classifier.
    """
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": "0"}
    suite = ET.Element("testsuite", {"name": f"robustness of {model}", **counts})
    case = ET.SubElement(
        suite, "testcase", classname="kgan.robustness", name="evaluation", time="0"
    )
    ET.SubElement(case, "error", message=text, type="evaluation")
    _write(suite, path)


def _write(suite: ET.Element, path: str | Path) -> None:
    ET.indent(suite)
    with atomic_path(path) as temporary:
        ET.ElementTree(suite).write(temporary, encoding="utf-8", xml_declaration=True)


def _is_part(report: Report, row: Row) -> bool:
    """Whether the row is of a run whose time is told by the row without a limit."""
    return row.epsilon is not None and any(
        other.attack == row.attack and other.epsilon is None for other in report.rows
    )
