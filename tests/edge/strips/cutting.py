"""A monitor whose alarms are told when to speak, and a cutter that watches it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.clock import SystemClock
from edge.config import Patient
from edge.messages import AlertMessage, MessageContext, StripBeat, StripMessage, alert_message
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Pipeline
from edge.segment import SegmentSettings
from edge.strips.codec import strip_message
from edge.strips.cut import Cut, Signal
from edge.strips.cutter import StripCutter
from firmware_bridge.stream import DecodeCount, Frame, StreamFormat

S = 1_000_000_000


class NoDecoder:
    count = DecodeCount()

    def push(self, packet):
        return ()

    def reset(self):
        pass


@dataclass
class TimedAlarms:
    """Starts each alert with the first observation at its time or later."""

    due: list[Alert] = field(default_factory=list)
    active: tuple[Alert, ...] = ()

    def observe(self, observation):
        now = [alert for alert in self.due if alert.time_ns <= observation.time_ns]
        self.due = [alert for alert in self.due if alert not in now]
        return tuple(now)


def alert_at(onset_s, decided_s, kind=AlarmKind.VT, id_="alert-1", phase=Phase.START):
    return Alert(
        id=id_,
        kind=kind,
        type=AlarmType.PHYSIOLOGICAL,
        priority=Priority.HIGH,
        phase=phase,
        onset_ns=round(onset_s * S),
        time_ns=round(decided_s * S),
        evidence={"rate_bpm": 171.4, "limit_bpm": 100.0},
    )


def ecg_uv(count, leads, rate_hz=250.0):
    """One broad beat a second; each lead and each second differs from all others."""
    t = np.arange(count) / rate_hz
    beat = 1000 * np.exp(-(((t % 1.0) - 0.4) ** 2) / 2 / 0.02**2)
    return np.stack([beat * (1 - lead / 4) + 7 * np.floor(t) for lead in range(leads)], axis=1)


class Bedside:
    """One patient, one cutter; `cuts` are what it cut."""

    def __init__(self, *alerts, leads=("II",), rate_hz=250.0, active=()):
        self.alarms = TimedAlarms(list(alerts), active)
        self.monitor = Monitor(
            Patient(id="p1", source="sim:"),
            "patch",
            Pipeline(NoDecoder(), self.alarms, SegmentSettings()),
            SystemClock(),
            self.stepped,
            lambda *_: None,
        )
        self.cuts: list[Cut] = []
        self.cutter = StripCutter(self._take)
        self.cutter.watch([self.monitor])
        self.format = StreamFormat(rate_hz, tuple(leads))
        self.counter = 0

    def _take(self, cut):
        self.cuts.append(cut)
        return True

    def stepped(self, monitor, step):
        self.cutter.stepped(monitor, step)

    def send(self, samples_uv, chunk=100):
        """Samples, (n, leads), a frame of `chunk` at a time."""
        for at in range(0, len(samples_uv), chunk):
            part = np.ascontiguousarray(samples_uv[at : at + chunk], np.float32)
            frame = Frame(self.format, part, counter=self.counter)
            self.counter += len(part)
            step = self.monitor.pipeline.push_frames([frame], 1_000 + self.counter)
            self.monitor.vitals.observe(step.observations)
            self.stepped(self.monitor, step)

    def lose(self, count):
        """So many samples never come."""
        self.counter += count

    def change_format(self, leads, rate_hz):
        self.format = StreamFormat(rate_hz, tuple(leads))

    def end(self):
        self.stepped(self.monitor, self.monitor.pipeline.finish())
        self.monitor.finished = True
        self.cutter.link_changed(self.monitor, LinkReport("ended", ""))


def a_strip(samples_uv, rate_hz=250.0, leads=("II",), valid=None, **changes) -> StripMessage:
    """A strip of these samples, (n, leads)."""
    samples_uv = np.asarray(samples_uv, np.float32)
    valid = np.ones(len(samples_uv), np.uint8) if valid is None else valid
    fields = {
        "id": "5c7b3b0e-5f1d-5d0c-9a5e-0123456789ab",
        "patient": "p1",
        "device": "patch-17",
        "kind": "vt",
        "priority": Priority.HIGH,
        "signal": Signal(StreamFormat(rate_hz, leads), samples_uv, valid, 0),
        "start_utc_ns": 1_769_860_800 * S,
        "onset_ms": 10_000.0,
        "decided_ms": 12_000.0,
        "beats": (
            StripBeat(offset_ms=1400.0, label="N"),
            StripBeat(offset_ms=2400.0, label="V"),
            StripBeat(offset_ms=3400.0, label="U"),
        ),
        "heart_rate_bpm": 171.4,
    }
    return strip_message(Cut(**{**fields, **changes}))


def its_alert(phase=Phase.START, seq=1, id_="5c7b3b0e-5f1d-5d0c-9a5e-0123456789ab") -> AlertMessage:
    """The message of the alert that `a_strip` belongs to."""
    start_ns = 1_769_860_800 * S
    context = MessageContext(
        *("p1", "patch-17", "tcn-s", lambda stream_ns: start_ns + stream_ns),
        codes={"vt": {"mdc": 199832, "snomed_ct": "25569003"}},
        bundle_sha256="ab" * 32,
    )
    return alert_message(alert_at(10, 12, id_=id_, phase=phase), seq, context)
