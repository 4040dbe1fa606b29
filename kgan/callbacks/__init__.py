"""Keras callbacks for GANs: pictures, tables, checkpoints, a score, a doctor, and ending well.

Order matters: what adds to the logs (`SampleDistance`, `MetricMonitor`) comes before what writes
them (`HistoryTable`, `ProgressBar`), and `Checkpoint` comes last.
"""

from kgan.callbacks.checkpoint import Checkpoint
from kgan.callbacks.diagnosis import PROBLEMS, Finding
from kgan.callbacks.doctor import CollapseDoctor
from kgan.callbacks.history import HistoryPlot, HistoryTable
from kgan.callbacks.layer_seeds import LayerSeeds
from kgan.callbacks.metric_monitor import MetricMonitor
from kgan.callbacks.progress import ProgressBar
from kgan.callbacks.sample_distance import SampleDistance
from kgan.callbacks.sample_grid import SampleGrid
from kgan.callbacks.stopping import NonFiniteGuard, StopOnSignal
from kgan.callbacks.vital_signs import FEWEST_SAMPLES, VitalSigns, reference_size
from kgan.history import read_history

__all__ = [
    "FEWEST_SAMPLES",
    "PROBLEMS",
    "Checkpoint",
    "CollapseDoctor",
    "Finding",
    "HistoryPlot",
    "HistoryTable",
    "LayerSeeds",
    "MetricMonitor",
    "NonFiniteGuard",
    "ProgressBar",
    "SampleDistance",
    "SampleGrid",
    "StopOnSignal",
    "VitalSigns",
    "read_history",
    "reference_size",
]
