"""Settings of `kgan audit`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import tyro

from kgan.settings.groups import Messages, check_at_least


@dataclass(frozen=True, kw_only=True)
class AuditSettings(Messages):
    """Try to refute a private run's promise: train it again with canaries, see each noisy sum of
    gradients as the promise allows, and guess which canaries took part."""

    family: ClassVar[str] = "audit"

    source: tyro.conf.Positional[Path]
    """The folder of a run that was trained with --epsilon; of a table, with --model gan."""
    canaries: int = 1000
    """Random records; each takes part by a fair coin of its own. At most half of the data."""
    guesses: int | None = None
    """How many of their coins are guessed; default a fifth."""
    steps: int | None = None
    """Train so many steps, and audit the promise of as many; default the whole run's."""
    control: bool = False
    """Train without noise, which promises nothing: a good audit refutes the run's promise then."""
    confidence: float = 0.95
    """Probability that the bound is right."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 20, "canaries")
        check_at_least(self, 2, "guesses")
        check_at_least(self, 1, "steps")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must be in (0, 1), got {self.confidence}.")
