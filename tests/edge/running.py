"""A runtime with recording observers, for tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.clock import SystemClock
from edge.config import Patient
from edge.monitor import Monitor
from edge.pipeline import Pipeline
from edge.runtime import Runtime
from edge.segment import SegmentSettings
from firmware_bridge.source import open_source


@dataclass
class Recorder:
    """Remembers what it is told; `seen` is set once `until` samples have come."""

    until: int = 0
    alerts: list = field(default_factory=list)
    links: list = field(default_factory=list)
    samples: dict = field(default_factory=dict)
    ticks: int = 0
    seen: threading.Event = field(default_factory=threading.Event)

    def stepped(self, monitor, step):
        self.alerts += [(monitor.patient.id, alert) for alert in step.alerts]
        count = sum(len(e.samples_uv) for e in step.events if hasattr(e, "samples_uv"))
        self.samples[monitor.patient.id] = self.samples.get(monitor.patient.id, 0) + count
        if sum(self.samples.values()) >= self.until:
            self.seen.set()

    def link_changed(self, monitor, report):
        self.links.append((monitor.patient.id, report.word, report.reason))

    def ticked(self, monitor, state):
        self.ticks += 1


def monitor(source, patient_id, runtime, clock=None):
    """A monitor on rules alone."""
    pipeline = Pipeline(
        source.decoder, AlarmMachine(AlarmLimits(), session="test"), SegmentSettings()
    )
    return Monitor(
        Patient(id=patient_id, source=source.uri),
        source.transport.name,
        pipeline,
        clock or SystemClock(),
        runtime.stepped,
        runtime.link_changed,
    )


def runtime_of(recorder, *uris):
    """A runtime that watches the sources as p0, p1, …"""
    runtime = Runtime(SystemClock(), [recorder])
    for number, uri in enumerate(uris):
        source = open_source(uri)
        runtime.add(monitor(source, f"p{number}", runtime), source)
    return runtime
