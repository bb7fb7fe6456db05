"""What `edge run --json` prints: one JSON object a line, each with its `event`."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from edge.messages import ActiveAlerts, AlertMessage, AvailabilityMessage, StateMessage
from edge.monitor import LinkReport, Monitor
from edge.output import Output
from edge.pipeline import Step
from firmware_bridge.source import redact


class JsonDisplay:
    """For programs: NDJSON on standard output. A display."""

    def __init__(self, output: Output | None = None) -> None:
        self._output = output or Output()
        self._mutex = threading.Lock()

    def write(self, event: str, fields: dict[str, Any]) -> None:
        """One line: `event` and its fields."""
        line = msgspec.json.encode({"event": event, **fields}).decode()
        with self._mutex:
            self._output.write(f"{line}\n")

    def started(self, monitors: tuple[Monitor, ...], facts: dict[str, Any]) -> None:
        """`{"event": "start", …}`."""
        sources = {each.patient.id: redact(each.patient.source) for each in monitors}
        self.write("start", {**facts, "sources": sources})

    def ended(self, report: dict[str, Any]) -> None:
        """`{"event": "end", …}`."""
        self.write("end", report)

    def alert(self, message: AlertMessage) -> None:
        """`{"event": "alert", …}`, the fields of the MQTT message."""
        self.write("alert", msgspec.to_builtins(message))

    def active(self, message: ActiveAlerts) -> None:
        """Follows from the alerts; not printed."""

    def state(self, message: StateMessage) -> None:
        """`{"event": "state", …}`, once a second."""
        self.write("state", msgspec.to_builtins(message))

    def availability(self, message: AvailabilityMessage) -> None:
        """Told by `link`; not printed."""

    def close(self) -> None:
        """Nothing to close."""

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Samples and beats are not printed."""

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """`{"event": "link", …}` at every change."""
        fields = {"patient": monitor.patient.id, "link": report.word, "reason": report.reason}
        self.write("link", fields)

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """The states come through the sink; here only: is anybody still reading?"""
        self._output.check()
