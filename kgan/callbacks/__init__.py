"""Keras callbacks for training: pictures, tables, checkpoints, scores, a doctor, early stopping.

Order matters: callbacks that add to the logs (`SampleDistance`, `MetricMonitor`) come before those
that write the logs (`HistoryTable`, `ProgressBar`), and `Checkpoint` comes last.
"""

from kgan.callbacks.calibration import Calibration
from kgan.callbacks.checkpoint import Checkpoint
from kgan.callbacks.diagnosis import PROBLEMS, Finding
from kgan.callbacks.doctor import CollapseDoctor
from kgan.callbacks.history import HistoryPlot, HistoryTable
from kgan.callbacks.layer_seeds import LayerSeeds
from kgan.callbacks.metric_monitor import MetricMonitor
from kgan.callbacks.posterior_doctor import PosteriorDoctor
from kgan.callbacks.progress import ProgressBar
from kgan.callbacks.reconstruction_grid import ReconstructionGrid
from kgan.callbacks.sample_distance import SampleDistance
from kgan.callbacks.sample_grid import SampleGrid
from kgan.callbacks.stopping import NonFiniteGuard, StopOnSignal
from kgan.callbacks.translation import (
    PairedError,
    PairedGrid,
    TranslationError,
    TranslationGrid,
    translated_pairs,
    translations,
)
from kgan.callbacks.vital_signs import FEWEST_SAMPLES, VitalSigns, reference_size
from kgan.history import read_history
from kgan.models.optimizer_callbacks import OfOptimizer

__all__ = [
    "FEWEST_SAMPLES",
    "PROBLEMS",
    "Calibration",
    "Checkpoint",
    "CollapseDoctor",
    "Finding",
    "HistoryPlot",
    "HistoryTable",
    "LayerSeeds",
    "MetricMonitor",
    "NonFiniteGuard",
    "OfOptimizer",
    "PairedError",
    "PairedGrid",
    "PosteriorDoctor",
    "ProgressBar",
    "ReconstructionGrid",
    "SampleDistance",
    "SampleGrid",
    "StopOnSignal",
    "TranslationError",
    "TranslationGrid",
    "VitalSigns",
    "read_history",
    "reference_size",
    "translated_pairs",
    "translations",
]
