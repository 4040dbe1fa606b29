"""Robustness of a classifier: runs attacks over a range of radii and reports what they find.

    report = kgan.robustness.evaluate(
        model, images, labels, attacks=[kgan.attacks.PGD(steps=40)], epsilons=[0.1, 0.2, 0.3]
    )
    print(report.lowest)                       # robust accuracy, the worst of all rows
    report.save("report.json")
    kgan.robustness.write_report(report, Path("report"))        # a page, curves and examples
    kgan.robustness.write_junit(report.judged(0.5), "robustness.xml")   # for a CI server
    kgan.robustness.write_sarif(report.judged(0.5), "robustness.sarif")    # for code scanning

`report.flags` lists signs of gradient masking, and `report.assumptions` lists the assumptions of
the evaluation. `kgan.robustness.testing` checks your own attack against a classifier whose smallest
adversarial change is known.
"""

from kgan.robustness import testing
from kgan.robustness.attack_text import attack_from_text, criterion_from_text
from kgan.robustness.clever import clever
from kgan.robustness.comparison import Comparison
from kgan.robustness.corruption_report import CorruptionReport, CorruptionRow, corruption_report
from kgan.robustness.corruptions import CORRUPTIONS, corrupt
from kgan.robustness.evaluation import evaluate
from kgan.robustness.junit import write_junit, write_junit_error
from kgan.robustness.markdown import markdown
from kgan.robustness.masking import Flag
from kgan.robustness.report import CHANGE_NORMS, Change, Curve, ExampleImages, Report, Row, Verdict
from kgan.robustness.report_folder import write_report
from kgan.robustness.report_schema import HARDENING_SCHEMA, REPORT_SCHEMA
from kgan.robustness.sarif import write_sarif, write_sarif_error
from kgan.robustness.terminal import print_report

__all__ = [
    "CHANGE_NORMS",
    "CORRUPTIONS",
    "HARDENING_SCHEMA",
    "REPORT_SCHEMA",
    "Change",
    "Comparison",
    "CorruptionReport",
    "CorruptionRow",
    "Curve",
    "ExampleImages",
    "Flag",
    "Report",
    "Row",
    "Verdict",
    "attack_from_text",
    "clever",
    "corrupt",
    "corruption_report",
    "criterion_from_text",
    "evaluate",
    "markdown",
    "print_report",
    "testing",
    "write_junit",
    "write_junit_error",
    "write_report",
    "write_sarif",
    "write_sarif_error",
]
