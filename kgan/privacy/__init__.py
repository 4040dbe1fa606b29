"""Differential privacy: clipped gradients of single records, accounting, and an audit."""

from kgan.privacy.accountant import Guarantee, epsilon_of, noise_for, steps_for
from kgan.privacy.audit import Audit, audit, epsilon_lower_bound
from kgan.privacy.clipping import clipped_sum, refuse_mixing
from kgan.privacy.record_gradients import RecordGradients
from kgan.privacy.witness import Witness

__all__ = [
    "Audit",
    "Guarantee",
    "RecordGradients",
    "Witness",
    "audit",
    "clipped_sum",
    "epsilon_lower_bound",
    "epsilon_of",
    "noise_for",
    "refuse_mixing",
    "steps_for",
]
