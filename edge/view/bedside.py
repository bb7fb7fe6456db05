"""All that a viewer is shown of one patient, and how it is told. Pure; of the page's thread."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from edge.config import Signal
from edge.events import Beat, BeatLabel, Observation
from edge.messages import ActiveAlerts, AlertMessage, StateMessage, StripMessage
from edge.pipeline import Step
from edge.segment import Segment
from edge.view.trace import Trace
from edge.view.trend import Trend
from edge.view.wire import beat_records, document

__all__ = ["Bedside", "Who"]

BEATS_KEPT = 256
"""Beats and their classes; the 30 s of signal kept hold 125 at 250 beats a minute."""
ALERTS_KEPT = 100
STRIPS_KEPT = 20
STRIP_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Who:
    """A patient as the page names them. number: in messages of signal."""

    number: int
    id: str
    device: str


class Bedside:
    """Takes what happens to one patient; gives messages for those who look on now, and the whole
    picture for those who come later.
    """

    def __init__(self, who: Who, signal: Signal) -> None:
        self.who = who
        self._trace = Trace(who.number, signal)
        self._trend = Trend()
        self._told_format = self._trace.format
        self._beats: deque[tuple[float, str]] = deque(maxlen=BEATS_KEPT)
        self._state: StateMessage | None = None
        self._active: ActiveAlerts | None = None
        self._alerts: deque[AlertMessage] = deque(maxlen=ALERTS_KEPT)
        self._strips: OrderedDict[int, StripMessage] = OrderedDict()
        self._strip_number = 0

    def stepped(self, steps: Sequence[tuple[Step, Segment | None]]) -> tuple[list[bytes], bytes]:
        """New signal and beats as records, and a document where the format changed, else b""."""
        records: list[bytes] = []
        for segment, group in _by_segment(steps):
            if segment is not None:
                events = [event for step in group for event in step.events]
                records += self._trace.take(events, segment)
        seen = [each for step, _ in steps for each in step.observations]
        records += self._take_beats(seen)
        if self._trace.format is self._told_format:
            return records, b""
        self._told_format = self._trace.format
        return records, self._format()

    def state(self, message: StateMessage, utc_ms: float) -> list[bytes]:
        """The patient's state, and the minute of the trend that it ends."""
        self._state = message
        documents = [document("state", state=message)]
        point = self._trend.take(message, utc_ms)
        if point:
            documents.append(document("trend_point", patient=self.who.id, **asdict(point)))
        return documents

    def active(self, message: ActiveAlerts) -> bytes:
        """The alarm conditions present."""
        self._active = message
        return document("active", active=message)

    def alert(self, message: AlertMessage) -> bytes:
        """One step of an alarm condition."""
        self._alerts.append(message)
        return document("alert", alert=message)

    def strip(self, message: StripMessage) -> bytes:
        """A strip that may be asked for from now on; b"" for one too large to be kept."""
        if sum(len(text) for text in message.samples.values()) > STRIP_BYTES_MAX:
            return b""
        self._strip_number += 1
        self._strips[self._strip_number] = message
        if len(self._strips) > STRIPS_KEPT:
            self._strips.popitem(last=False)
        return document("strip_ready", **self._entry(self._strip_number, message))

    def strip_document(self, number: int) -> bytes | None:
        """A strip in full, None where there is none of that number (any more)."""
        message = self._strips.get(number)
        return document("strip", number=number, strip=message) if message else None

    def picture(self) -> list[bytes]:
        """Documents for a viewer who has just come; its signal: `recent`."""
        points = self._trend.points
        whole = [
            document("patient", **asdict(self.who), state=self._state),
            document(
                "trend",
                patient=self.who.id,
                utc_ms=[each.utc_ms for each in points],
                heart_rate_bpm=[each.heart_rate_bpm for each in points],
                rmssd_ms=[each.rmssd_ms for each in points],
                pvc_percent=[each.pvc_percent for each in points],
            ),
        ]
        if self._trace.format:
            whole.append(self._format())
        if self._active:
            whole.append(document("active", active=self._active))
        whole += [document("alert", alert=message) for message in self._alerts]
        entries = (self._entry(number, each) for number, each in self._strips.items())
        return whole + [document("strip_ready", **entry) for entry in entries]

    def recent(self) -> list[bytes]:
        """Records of the last half minute."""
        return self._trace.recent + list(beat_records(self.who.number, list(self._beats)))

    def _take_beats(self, seen: Iterable[Observation]) -> Iterable[bytes]:
        told: list[tuple[float, str]] = []
        classes: list[str] = []
        for each in seen:
            if isinstance(each, Beat | BeatLabel):
                told.append((each.time_ns / 1e6, str(each.label)))
                if each.label != "U":
                    classes.append(str(each.label))
        self._beats.extend(told)
        self._trend.count(classes)
        return beat_records(self.who.number, told)

    def _format(self) -> bytes:
        form = self._trace.format
        assert form is not None
        return document("format", patient=self.who.id, **asdict(form))

    def _entry(self, number: int, message: StripMessage) -> dict[str, object]:
        return {
            "patient": self.who.id,
            "number": number,
            "id": message.id,
            "kind": message.kind,
            "priority": message.priority,
            "start": message.start,
        }


def _by_segment(
    steps: Sequence[tuple[Step, Segment | None]],
) -> Iterable[tuple[Segment | None, list[Step]]]:
    """Steps in a row that one segment places."""
    groups: list[tuple[Segment | None, list[Step]]] = []
    for step, segment in steps:
        if groups and groups[-1][0] is segment:
            groups[-1][1].append(step)
        else:
            groups.append((segment, [step]))
    return groups
