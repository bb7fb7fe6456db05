"""What the engine shows of itself and of its patients, kept for whoever reports it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from edge.alert import Phase
from edge.clock import Clock
from edge.histogram import Histogram
from edge.messages import StateMessage
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Step
from firmware_bridge.stream import NS_PER_S

__all__ = ["STEP_BOUNDS_S", "PatientFigures", "ServiceWatch"]

STEP_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper bounds of the classes of the time from a packet's arrival to what was decided by it."""


@dataclass(slots=True)
class PatientFigures:
    """Of one patient, as of the last tick. silent_s: since the newest sample or reading."""

    state: StateMessage
    silent_s: float = 0.0
    connections: int = 0
    model_failures: int = 0

    @property
    def reconnects(self) -> int:
        """How often the link was opened again."""
        return max(0, self.connections - 1)


class ServiceWatch:
    """An `Observer` of the runtime. Its thread writes, others read what it has put together.

    patients: patient to figures, none older than a second. alerts: (patient, kind, priority) to
    the number of alarm conditions begun. steps: from arrival to decision.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._connections: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._at_work: set[str] = set()
        self.patients: dict[str, PatientFigures] = {}
        self.alerts: Counter[tuple[str, str, str]] = Counter()
        self.steps = Histogram(STEP_BOUNDS_S)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Count alarms and time."""
        for alert in step.alerts:
            if alert.phase is Phase.START:
                self.alerts[monitor.patient.id, alert.kind, alert.priority.value] += 1
        if step.arrived_ns:
            taken_ns = self._clock.monotonic_ns() - step.arrived_ns
            self.steps.add(max(0, taken_ns) / NS_PER_S)  # a replay's packets may come early

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """Count connections."""
        if report.word == "connecting":
            self._connections[monitor.patient.id] += 1

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """How the patient is."""
        figures = self._figures(monitor, state)
        if state.patient in self.patients:
            self.patients[state.patient] = figures
        else:  # another one, for others may be going through this one
            self.patients = {**self.patients, state.patient: figures}

    def _figures(self, monitor: Monitor, state: StateMessage) -> PatientFigures:
        patient = monitor.patient.id
        if monitor.bundle or monitor.encoder_shed:
            self._at_work.add(patient)
        elif patient in self._at_work:
            self._at_work.discard(patient)
            self._failures[patient] += 1
        return PatientFigures(
            state,
            monitor.silent_ns / NS_PER_S,
            self._connections[patient],
            self._failures[patient],
        )
