"""Keras callbacks for GANs: pictures, tables, checkpoints, a score, and ending well.

Order matters: what adds to the logs (`SampleDistance`, `MetricMonitor`) comes before what writes
them (`HistoryTable`, `ProgressBar`), and `Checkpoint` comes last.
"""

from kgan.callbacks.checkpoint import Checkpoint
from kgan.callbacks.guards import NonFiniteGuard, StopOnSignal
from kgan.callbacks.history import HistoryPlot, HistoryTable, read_history
from kgan.callbacks.metric_monitor import MetricMonitor
from kgan.callbacks.monitor import SampleDistance
from kgan.callbacks.progress import ProgressBar
from kgan.callbacks.sample_grid import SampleGrid

__all__ = [
    "Checkpoint",
    "HistoryPlot",
    "HistoryTable",
    "MetricMonitor",
    "NonFiniteGuard",
    "ProgressBar",
    "SampleDistance",
    "SampleGrid",
    "StopOnSignal",
    "read_history",
]
