"""Common corruptions: noise, blur, weather and digital artefacts at five severities.

corrupted = kgan.robustness.corruptions.corrupt(images, "fog", severity=3)
report = kgan.robustness.corruption_report(model, images, labels, baseline=other_model)
print(report)                           # accuracies, their mean, and the mCE
"""

from kgan.robustness.corruptions.corrupt import CORRUPTIONS, SEVERITIES, Corruption, corrupt

__all__ = ["CORRUPTIONS", "SEVERITIES", "Corruption", "corrupt"]
