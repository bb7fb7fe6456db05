"""Which alerts have a strip, and what such a strip is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.alert import AlarmKind, Alert, Phase
from edge.monitor import Monitor
from edge.strips.beats import RecentBeats
from edge.strips.cut import Cut, Signal
from firmware_bridge.stream import NS_PER_S

__all__ = ["Recurrences", "Wanted", "made", "rate_bpm"]

WITHOUT_RATE = (AlarmKind.ASYSTOLE, AlarmKind.VF)
"""What is known as the heart rate is then that of before."""
WITHOUT_STRIP = (AlarmKind.STORAGE_FAULT, AlarmKind.ANALYSIS_LIMITED)
"""No ECG shows it."""
KEPT = 64
"""Alerts of a patient that are on and remembered: more than there are kinds."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A strip to come: `from_ns` to `until_ns`, stream time. of: None where somebody asked."""

    id: str
    of: Alert | None
    from_ns: int
    until_ns: int
    heart_rate_bpm: float | None


class Recurrences:
    """How often the condition of each alert that is on has returned.

    active: those that were on before a restart.
    """

    def __init__(self, active: Iterable[Alert]) -> None:
        self._counts = {alert.id: _recurrence(alert) for alert in active}

    def begins(self, alert: Alert) -> bool:
        """Whether an alert's condition starts, or has returned while its alarm was latched, and
        an ECG can show it."""
        if alert.phase is Phase.END:
            self._counts.pop(alert.id, None)
            return False
        before, now = self._counts.get(alert.id, 0), _recurrence(alert)
        if alert.id in self._counts or len(self._counts) < KEPT:
            self._counts[alert.id] = now
        return alert.kind not in WITHOUT_STRIP and (alert.phase is Phase.START or now > before)


def made(monitor: Monitor, beats: RecentBeats, signal: Signal, wanted: Wanted) -> Cut:
    """The strip of this signal. Of a recurrence the onset is not known: its alert has that of the
    first time."""
    alert, start_ns = wanted.of, signal.start_ns
    recurrence = _recurrence(alert) if alert else 0
    length_ns = round(len(signal.samples_uv) / signal.format.rate_hz * NS_PER_S)
    return Cut(
        id=wanted.id,
        patient=monitor.patient.id,
        device=monitor.device,
        kind=alert.kind if alert else "",
        priority=alert.priority if alert else None,
        signal=signal,
        start_utc_ns=monitor.context().utc_ns(start_ns),
        onset_ms=(alert.onset_ns - start_ns) / 1e6 if alert and not recurrence else None,
        decided_ms=(alert.time_ns - start_ns) / 1e6 if alert else None,
        beats=beats.within(start_ns, start_ns + length_ns),
        heart_rate_bpm=wanted.heart_rate_bpm,
        recurrence=recurrence,
    )


def rate_bpm(monitor: Monitor, kind: str = "") -> float | None:
    """The heart rate now; None where it is unknown, or an alert of this kind says that there is
    none."""
    now_bpm = monitor.vitals.heart_rate_bpm(monitor.now_ns)
    return None if now_bpm is None or kind in WITHOUT_RATE else round(now_bpm, 1)


def _recurrence(alert: Alert) -> int:
    told = alert.evidence.get("recurrences", 0)
    return told if isinstance(told, int) else 0
