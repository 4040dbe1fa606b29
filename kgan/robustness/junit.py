"""A report as JUnit XML, which the test tabs of CI servers show."""

import xml.etree.ElementTree as ET
from pathlib import Path

from kgan.files import atomic_path
from kgan.robustness.report import Report, Row


def write_junit(report: Report, path: str | Path) -> None:
    """Writes a test suite with a test for the clean accuracy, each attack and each worst case.

    A test fails where its robust accuracy is below the share that the report's verdict asked for;
    without a verdict all pass. Signs of gradient masking are the suite's output, because figures
    with such a sign are not to be trusted even where every test passes.

    Args:
        report: The report.
        path: The file to write.
    """
    rows = [report.clean, *report.rows, *report.worst_case]
    failed = [row for row in rows if _fails(report, row)]
    suite = ET.Element(
        "testsuite",
        name=f"robustness of {report.model}",
        tests=str(len(rows)),
        failures=str(len(failed)),
        errors="0",
        skipped="0",
        time=f"{sum(row.seconds for row in report.rows):.3f}",
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
            time=f"{row.seconds:.3f}",
        )
        low, high = row.interval
        figures = f"robust accuracy {row.robust_accuracy:.4f} ({low:.4f} to {high:.4f})"
        if _fails(report, row):
            assert report.verdict is not None
            message = f"{figures} is below {report.verdict.least:g}"
            ET.SubElement(case, "failure", message=message, type="robustness")
        else:
            ET.SubElement(case, "system-out").text = figures
    ET.SubElement(suite, "system-out").text = "\n".join(
        [f"gradient masking? {flag.name}: {flag.evidence}. {flag.meaning}" for flag in report.flags]
        + [f"assumed: {text}" for text in report.assumptions]
    )
    ET.indent(suite)
    with atomic_path(path) as temporary:
        ET.ElementTree(suite).write(temporary, encoding="utf-8", xml_declaration=True)


def _fails(report: Report, row: Row) -> bool:
    return report.verdict is not None and row.robust_accuracy < report.verdict.least
