"""A live page on a free port, with patients of which the test itself tells."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge.actions import Action, Outcome
from edge.alert import AlarmType, Phase, Priority
from edge.clock import SystemClock
from edge.config import Patient, Signal
from edge.events import Beat, BeatClass, BeatLabel
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    LeadState,
    StateMessage,
    StripBeat,
    StripMessage,
)
from edge.pipeline import Step
from edge.segment import Segment, SegmentSettings
from edge.view.live import LiveView
from edge.view_settings import ViewSettings
from firmware_bridge.stream import Chunk, Gap, StreamFormat

RATE_HZ = 250.0
FORM = StreamFormat(RATE_HZ, ("I", "II"))
TIME = "2026-01-31T12:00:00.250Z"


class Asked:
    """Stands for the runtime: remembers what it is asked for, and does it."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.outcome: Outcome | None = None

    def ask(self, action: Action) -> Future[Outcome]:
        done: Future[Outcome] = Future()
        self.actions.append(action)
        done.set_result(self.outcome or Outcome(True, f"{type(action).__name__} done"))
        return done


class Bed:
    """A patient whose monitor is played by the test."""

    def __init__(self, view: LiveView, patient: str, form: StreamFormat = FORM) -> None:
        self.patient = Patient(id=patient, source="sim:")
        self.device = "test patch"
        self.form = form
        self.segment = Segment(form, 0, 0, SegmentSettings(), None)
        self.pipeline = self
        self._ward = view.ward
        self.position = 0
        self._told: StateMessage | None = None

    def samples(self, count: int, lead_off: int = 0) -> None:
        """So many samples more: a QRS-like spike each second."""
        at = np.arange(self.position, self.position + count)
        wave = 1000.0 * np.exp(-(((at % RATE_HZ) - 60.0) ** 2) / 18.0)
        samples = np.repeat(wave[:, None], len(self.form.leads), 1).astype(np.float32)
        chunk = Chunk(self.form, self.position, samples, 0, lead_off=lead_off)
        self.position += count
        self._stepped(events=(chunk,))

    def gap(self, count: int) -> None:
        self._stepped(events=(Gap(self.form, self.position, count, "loss"),))
        self.position += count

    def beat(self, time_ns: int, label: BeatClass) -> None:
        beat = Beat(0, time_ns, time_ns, 0, 800.0, 1000.0)
        self._stepped(observations=(beat, BeatLabel(time_ns, time_ns, label, 0.9)))

    def state(self, **known: Any) -> None:
        self._told = state_of(self.patient.id, **known)
        self._ward.state(self._told)

    def again(self) -> None:
        """The last state once more, as the engine tells it every second."""
        if self._told:
            self._ward.state(self._told)

    def alert(self, **known: Any) -> AlertMessage:
        alert = alert_of(self.patient.id, **known)
        self._ward.alert(alert)
        active = [] if alert.phase is Phase.END else [alert]
        self._ward.active(ActiveAlerts(patient=self.patient.id, time=TIME, alerts=active))
        return alert

    def strip(self) -> None:
        self._ward.strip(strip_of(self.patient.id))

    def _stepped(self, **known: Any) -> None:
        self._ward.stepped(self, Step(**known, arrived_ns=SystemClock().monotonic_ns()))


@contextmanager
def served(
    *patients: str, settings: ViewSettings | None = None
) -> Iterator[tuple[LiveView, Asked, list[Bed]]]:
    """A page that shows these patients, until the end of the block."""
    asked = Asked()
    settings = settings or ViewSettings(listen="0")
    view = LiveView(settings, Signal(), SystemClock(), lambda: asked)
    beds = [Bed(view, patient) for patient in patients]
    view.start(beds)
    try:
        yield view, asked, beds
    finally:
        view.close()


def state_of(patient: str, **known: Any) -> StateMessage:
    fields: dict[str, Any] = {
        "patient": patient,
        "device": "test patch",
        "bundle": "",
        "time": TIME,
        "link": "streaming",
        "heart_rate_bpm": 71.6,
        "rmssd_ms": 33.0,
        "rhythm": "normal",
        "quality": 0.9,
        "leads": [LeadState(name=name, quality=0.9, lead_off=False) for name in FORM.leads],
        "battery_percent": 88,
    }
    return StateMessage(**fields | known)


def alert_of(patient: str, **known: Any) -> AlertMessage:
    fields: dict[str, Any] = {
        "id": "a1",
        "seq": 1,
        "phase": Phase.START,
        "kind": "vt",
        "type": AlarmType.PHYSIOLOGICAL,
        "priority": Priority.HIGH,
        "onset": TIME,
        "time": TIME,
        "device_time_ns": None,
        "patient": patient,
        "device": "test patch",
        "bundle": "",
        "evidence": {"rate_bpm": 171.0},
        "codes": {},
    }
    return AlertMessage(**fields | known)


def strip_of(patient: str) -> StripMessage:
    import base64

    samples = np.zeros(2500, "<i2")
    samples[::250] = 1000
    return StripMessage(
        id="a1",
        patient=patient,
        device="test patch",
        kind="vt",
        priority=Priority.HIGH,
        start=TIME,
        onset_ms=5000.0,
        rate_hz=RATE_HZ,
        scale_uv=1.0,
        samples={"II": base64.b64encode(samples.tobytes()).decode()},
        beats=[StripBeat(offset_ms=1000.0, label="V")],
    )
