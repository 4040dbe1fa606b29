"""A callback that says when the latents of a VAE carry nothing."""

from pathlib import Path

import keras

from kgan.callbacks.diagnosis import Finding, read_findings, write_findings
from kgan.history import Logs

# An epoch may end before the latents of a slow start are used; healthy presets use all in the
# first.
_EPOCHS = 2


class PosteriorDoctor(keras.callbacks.Callback):
    """Names posterior collapse: no latent tells the decoder anything.

    The decoder then gives every image the same distribution, and samples all look like the mean.
    It reads the log `active_units` of a `kgan.models.VAE` after each epoch. The problem is printed
    once, in a line with its figures and what to try.

    Args:
        folder: Where to write `findings.json`, if anywhere.

    Attributes:
        findings: What was found so far, a list of `Finding`.
    """

    def __init__(self, *, folder: str | Path | None = None):
        super().__init__()
        self.path = None if folder is None else Path(folder) / "findings.json"
        self.findings: list[Finding] = []
        self._collapsed_epochs = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        if self.path is not None and not self.findings:
            # Of the run that is resumed.
            self.findings = read_findings(self.path)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        collapsed = logs.get("active_units", 1) == 0
        self._collapsed_epochs = self._collapsed_epochs + 1 if collapsed else 0
        if self._collapsed_epochs < _EPOCHS or self.findings:
            return
        finding = Finding(
            "posterior collapse",
            int(self.model.step.numpy()),
            {"active units": 0.0, "kl": float(logs["kl"])},
            "Try --beta 0.1 and raise it once latents are active, or another --learning-rate.",
        )
        self.findings.append(finding)
        print(f"doctor: {finding}", flush=True)
        if self.path is not None:
            write_findings(self.path, self.findings)
