"""What a report suggests to do next, in sentences."""

from kgan.attacks.norms import NORMS
from kgan.robustness.report import Report

# Images below which an interval is too wide to compare two models.
_FEW = 500
_STANDARD = "AutoAttack"


def advice(report: Report) -> list[str]:
    """Sentences that say what to do with the figures, the most urgent first."""
    found = []
    if report.flags:
        names = ", ".join(flag.name for flag in report.flags)
        found.append(
            f"Do not quote these figures yet: {names}. Each flag says how to attack around it."
        )
    classes = [config.get("class") for config in report.attacks.values()]
    asks_alone = any(text.startswith("the model is a function") for text in report.assumptions)
    # Of a model without gradients little is left of it; in l0 there is none.
    if _STANDARD not in classes and report.norm in (None, *NORMS) and not asks_alone:
        found.append(
            "Before quoting a robust accuracy, run the standard attack: --attack autoattack."
        )
    if report.n < _FEW:
        rows = report.worst_case or report.rows or [report.clean]
        widest = max(row.interval[1] - row.interval[0] for row in rows)
        found.append(
            f"{report.n:,} images leave intervals of up to {widest:.0%}; attack more to compare "
            "models."
        )
    if report.certified and not any(row.robust_accuracy for row in report.certified):
        found.append(
            "Interval bounds certify nothing here: they are loose for networks that were not "
            "trained for them, by kgan.defenses.IntervalTraining."
        )
    if report.worst_case and report.worst_case[-1].robust_accuracy < report.clean.robust_accuracy:
        how = report.provenance.get("to harden", "kgan harden --model FILE --data DATA")
        found.append(f"To make the classifier robust: {how}")
    return found or ["Nothing is left to do but to attack it in ways that this report does not."]
