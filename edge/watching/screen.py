"""`edge watch` on a terminal that redraws, as plain lines, and as NDJSON."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from edge.alert import Phase, Priority
from edge.alert_words import step_words
from edge.console import STRIP_ROWS, STRIP_S, STRIP_SPAN_UV, alert_line, status_line
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    StateMessage,
    StatusMessage,
)
from edge.output import Output
from edge.terminal import can_draw, strip
from edge.watching.heard import Format, Heard, Notice, Samples
from firmware_bridge.stream import NS_PER_S

__all__ = ["JsonLines", "Lines", "Screen", "View"]

REDRAW_NS = NS_PER_S // 10
STATUS_EVERY_NS = 10 * NS_PER_S
COLUMNS_MIN, COLUMNS_MAX = 20, 160
ALERTS_MAX = 1000
PATIENTS_MAX = 64
"""A broker may tell of any number; more than these are not shown."""


class View(Protocol):
    """Shows what is heard."""

    output: Output

    def start(self, source: str) -> None:
        """Listening has begun."""

    def take(self, heard: Heard) -> None:
        """Something was heard."""

    def redraw(self, now_ns: int) -> None:
        """Several times a second."""

    def stop(self) -> None:
        """Leave the terminal as it was."""


@dataclass(slots=True)
class _Shown:
    """What is known of one patient. trace: newest samples of the first lead, microvolts."""

    state: StateMessage | None = None
    active: list[AlertMessage] = field(default_factory=list)
    rate_hz: float = 0.0
    trace: deque[float] = field(default_factory=deque)


class Lines:
    """Plain lines: alerts, connections, and each patient's state every ten seconds."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._console = Console(file=cast(Any, output), highlight=False)
        self._patients: dict[str, _Shown] = {}
        self._last: dict[str, AlertMessage] = {}
        self._status_ns: int | None = None

    def start(self, source: str) -> None:
        """Say where it listens."""
        self._say(f"watching {source}")

    def stop(self) -> None:
        """Nothing to leave."""

    def take(self, heard: Heard) -> None:
        """Keep it, and say what is worth a line."""
        match heard:
            case AlertMessage():
                self._alert(heard)
            case Notice():
                self._say(heard.text, "bold")
                if heard.lost:
                    self._patients.clear()
            case StatusMessage():
                self._say(f"edge {heard.version} is {heard.state}", "dim")
            case AvailabilityMessage():
                self._say(f"{heard.patient}: device {heard.state}", "dim")
            case _:
                self._keep(heard)

    def redraw(self, now_ns: int) -> None:
        """A line a patient, now and then."""
        known = [each.state for each in self._patients.values() if each.state]
        if known and (self._status_ns is None or now_ns >= self._status_ns):
            self._status_ns = now_ns + STATUS_EVERY_NS
            for state in known:
                self._print(status_line(state))

    def _keep(self, heard: StateMessage | ActiveAlerts | Format | Samples) -> None:
        if heard.patient not in self._patients and len(self._patients) >= PATIENTS_MAX:
            return
        shown = self._patients.setdefault(heard.patient, _Shown())
        match heard:
            case StateMessage():
                shown.state = heard
            case ActiveAlerts():
                shown.active = heard.alerts
            case Format():
                shown.rate_hz = heard.rate_hz
                shown.trace = deque(maxlen=max(1, round(STRIP_S * heard.rate_hz)))
            case Samples():
                shown.trace.extend(heard.samples_uv.tolist())

    def _alert(self, message: AlertMessage) -> None:
        """A line for each step, unless only its numbers have changed."""
        words = step_words(message, self._last.pop(message.id, None))
        if message.phase is not Phase.END and len(self._last) < ALERTS_MAX:
            self._last[message.id] = message
        if words:
            self._print(alert_line(message, words))

    def _say(self, text: str, style: str = "") -> None:
        self._print(Text(text, style=style))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


class Screen(Lines):
    """A live view: a strip, the numbers and the alarms of each patient; alerts scroll above."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._draws = can_draw(output)
        self._due_ns = 0

    def start(self, source: str) -> None:
        """Begin the live view."""
        super().start(source)
        self._live.start()

    def stop(self) -> None:
        """The terminal as it was."""
        self._live.stop()

    def redraw(self, now_ns: int) -> None:
        """Ten times a second at most."""
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + REDRAW_NS
        parts = [part for each in self._patients.values() for part in self._patient(each)]
        self._live.update(Group(*parts), refresh=True)

    def _patient(self, shown: _Shown) -> list[RenderableType]:
        parts: list[RenderableType] = []
        if self._draws and shown.rate_hz:
            columns = max(COLUMNS_MIN, min(self._console.width, COLUMNS_MAX))
            urgent = any(alert.priority is Priority.HIGH for alert in shown.active)
            style = "red" if urgent else "green"
            parts += [Text(row, style=style) for row in _rows(shown, columns)]
        if shown.state:
            parts.append(status_line(shown.state))
        return parts


class JsonLines:
    """One JSON object a line, each with its `event`; the signal is left out."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def start(self, source: str) -> None:
        """`{"event": "start", "source": …}`."""
        self._write("start", {"source": source})

    def take(self, heard: Heard) -> None:
        """`{"event": "state" | "alert" | "active" | …, …}`."""
        match heard:
            case Samples():
                return
            case Notice():
                self._write("notice", {"text": heard.text})
            case Format():
                self._write("format", msgspec.to_builtins(heard))
            case _:
                name = type(heard).__name__.removesuffix("Message").removesuffix("Alerts")
                self._write(name.lower(), msgspec.to_builtins(heard))

    def redraw(self, now_ns: int) -> None:
        """Nothing to redraw."""

    def stop(self) -> None:
        """Nothing to leave."""

    def _write(self, event: str, fields: dict[str, Any]) -> None:
        self.output.write(f"{msgspec.json.encode({'event': event, **fields}).decode()}\n")


def _rows(shown: _Shown, columns: int) -> list[str]:
    """The trace in braille; what never came, and what there is not yet, is missing."""
    trace: NDArray[np.float32] = np.asarray(shown.trace, dtype=np.float32)
    missing = round(STRIP_S * shown.rate_hz) - trace.size
    padded = np.pad(trace, (max(0, missing), 0), constant_values=np.nan)
    valid = np.isfinite(padded).astype(np.uint8)
    known = np.where(valid > 0, padded, 0.0).astype(np.float32)
    return strip(known, valid, columns, STRIP_ROWS, STRIP_SPAN_UV)
