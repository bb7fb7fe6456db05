"""A recording through the streaming path of `edge run`: what it heard, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.alert import Alert, Phase
from edge.api import Session
from edge.events import Beat, BeatClass, BeatLabel, Rhythm
from firmware_bridge.stream import NS_PER_S

__all__ = ["CHUNK", "DEVICE", "AlarmSpan", "Heard", "listen"]

DEVICE = "cpu"
"""ONNX Runtime, which is always there: the figures do not depend on what else is installed."""

CHUNK = 25
"""Samples in one push. Any other number gives the same result."""


@dataclass(frozen=True, slots=True)
class AlarmSpan:
    """One alarm, in seconds of stream time.

    onset_s: when its condition is said to have begun. told_s: when the first alert was made.
    end_s: when it ended, or the recording did.
    """

    kind: str
    onset_s: float
    told_s: float
    end_s: float

    @property
    def span(self) -> tuple[float, float]:
        """From its onset to its end."""
        return (self.onset_s, self.end_s)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """All that the streaming path said of one recording.

    beats: int64, sample indices of R peaks, ascending. classes: AAMI letter a beat, `U` where
    no label came. rhythm: label to probability, in order, one a hop of the encoder.
    """

    beats: NDArray[np.int64]
    classes: tuple[str, ...]
    rhythm: tuple[dict[str, float], ...]
    alarms: tuple[AlarmSpan, ...]


def listen(
    samples_uv: NDArray[np.float32], rate_hz: float, leads: Sequence[str], bundle: str
) -> Heard:
    """Push a whole recording, `CHUNK` samples at a time, into a fresh session.

    samples_uv: shape (samples, leads); a row with a NaN is a sample that never came.
    """
    notes = _Notes()
    session = Session(rate_hz, leads, bundle=bundle, device=DEVICE, on_event=notes.take)
    for samples in _pieces(samples_uv):
        if np.isfinite(samples).all():
            session.push(samples)
        else:
            session.skip(len(samples))
    session.finish()
    return notes.heard(len(samples_uv) / rate_hz)


def _pieces(samples_uv: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Chunks; one that holds invalid samples is cut where they begin and end."""
    for start in range(0, len(samples_uv), CHUNK):
        chunk = samples_uv[start : start + CHUNK]
        valid = np.isfinite(chunk).all(axis=1)
        yield from np.split(chunk, np.flatnonzero(np.diff(valid)) + 1)


class _Notes:
    """Writes down the events of a session."""

    def __init__(self) -> None:
        self._beats: dict[int, int] = {}
        self._labels: dict[int, BeatClass] = {}
        self._rhythm: list[dict[str, float]] = []
        self._alarms: dict[str, AlarmSpan] = {}

    def take(self, event: object) -> None:
        match event:
            case Beat():
                self._beats[event.time_ns] = event.index
            case BeatLabel():
                self._labels[event.time_ns] = event.label
            case Rhythm():
                self._rhythm.append(event.probability)
            case Alert():
                self._hear(event)

    def heard(self, end_s: float) -> Heard:
        alarms = (replace(a, end_s=min(a.end_s, end_s)) for a in self._alarms.values())
        times = sorted(self._beats)
        return Heard(
            beats=np.array([self._beats[time_ns] for time_ns in times], np.int64),
            classes=tuple(str(self._labels.get(t, BeatClass.UNKNOWN)) for t in times),
            rhythm=tuple(self._rhythm),
            alarms=tuple(alarms),
        )

    def _hear(self, alert: Alert) -> None:
        time_s = alert.time_ns / NS_PER_S
        if alert.phase is Phase.START:
            onset_s = alert.onset_ns / NS_PER_S
            self._alarms[alert.id] = AlarmSpan(alert.kind, onset_s, time_s, float("inf"))
        elif alert.phase is Phase.END and alert.id in self._alarms:
            self._alarms[alert.id] = replace(self._alarms[alert.id], end_s=time_s)
