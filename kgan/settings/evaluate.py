"""Settings of `kgan evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import tyro

from kgan.settings.groups import ImageReading, Messages, PreparedData, TableReading, check_at_least


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Messages, ImageReading, TableReading, PreparedData):
    """Score a generator against real data."""

    family: ClassVar[str] = "evaluation"

    # What
    source: tyro.conf.Positional[Path | None] = None
    """A run folder, a .keras file, an exported model, or a folder, .npz, .csv or .parquet file of
    generated samples."""
    compare: tuple[Path, ...] = ()
    """Two run folders (or scores.json files) whose scores to compare instead."""
    data: str | None = None
    """The real data: digits, ring, mnist, a folder, a file, ...; default a run's own."""
    checkpoint: Literal["last", "best"] | None = None
    """Which checkpoint of a run; default the one that was exported: best with --evaluate-every."""
    endpoint: str | None = None
    """What to ask of a model that can be asked for several translations (a_to_b, b_to_a); default
    the first one."""

    # How
    metrics: tuple[str, ...] = ()
    """Keys of kgan.metrics.METRICS (fid, kid, prdc, cas, modes, ...); default by the data."""
    extractor: str | None = None
    """What features are measured with: lenet-mnist, lenet-digits, inception, discriminator (the
    run's own) or a classifier's .keras file; default by the data."""
    layer: str | None = None
    """Layer of that .keras file; default what goes into its last layer with weights."""
    n: int | None = None
    """Generated samples; default as many as there are held-out real ones, at most 10,000."""
    n_real: int | None = None
    """Real samples of the training split; default all, at most 10,000."""
    seeds: int = 5
    """How often samples are drawn anew; the interval is over these."""

    target: str | None = None
    """Of a table, the category that classifiers learn to tell; default a run's own."""
    importance_samples: int = 1
    """For bits_per_dimension: draws of latents for each image; many make its bound tighter."""

    # Output
    out: Path | None = None
    """Folder for scores.json and pictures; default the run's, else RUNS_DIR/evaluate-NAME."""
    runs_dir: Path = Path("runs")
    """Where run folders go."""

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "seeds", "importance_samples")
        check_at_least(self, 2, "n", "n_real")
        if (self.source is None) == (not self.compare):
            raise ValueError("give one source to evaluate, or two with --compare.")
        if self.compare and len(self.compare) != 2:
            raise ValueError(f"compare takes two runs, got {len(self.compare)}.")
        if self.compare and self.out is not None:
            raise ValueError(
                f"out must be left out with compare, got {self.out}: each run keeps its scores."
            )
